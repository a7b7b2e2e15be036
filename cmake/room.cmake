# Rooms: one folder of src/, one target clipglot_<room>, one list of rooms it may know.
set(CLIPGLOT_ROOMS base container weights nn text vision embedding index engine convert)

# Which rooms each one includes, and is linked with. This is the one table: tests/rules checks the #include lines and
# docs/ARCHITECTURE.md against it.
set(CLIPGLOT_MAY_base)
set(CLIPGLOT_MAY_container base)
set(CLIPGLOT_MAY_weights container base)
set(CLIPGLOT_MAY_nn base)
set(CLIPGLOT_MAY_text nn weights base)
set(CLIPGLOT_MAY_vision nn weights base)
set(CLIPGLOT_MAY_embedding base)
set(CLIPGLOT_MAY_index base)
set(CLIPGLOT_MAY_engine index embedding vision text nn weights container base)
set(CLIPGLOT_MAY_convert engine embedding vision text nn weights container base)

# clipglot_add_room(<room> SOURCES file… [THIRD_PARTY library…])
#   SOURCES      .cc files, named relative to src/<room>; headers need not be listed
#   THIRD_PARTY  xnnpack pthreadpool sentencepiece utf8proc zlib libjpeg_turbo yyjson: private to the room
function(clipglot_add_room room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;THIRD_PARTY")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "clipglot_add_room(${room}): what is '${arg_UNPARSED_ARGUMENTS}'?")
  endif()
  if(NOT room IN_LIST CLIPGLOT_ROOMS)
    message(FATAL_ERROR "clipglot_add_room(${room}): no such room in cmake/room.cmake")
  endif()
  add_library(clipglot_${room} STATIC ${arg_SOURCES})
  add_library(clipglot::${room} ALIAS clipglot_${room})
  target_include_directories(clipglot_${room} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  # Errors are values in our code, natively and in wasm alike.
  target_compile_options(clipglot_${room} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>)
  target_link_libraries(clipglot_${room} PRIVATE clipglot_warnings PUBLIC clipglot_sanitizers)
  foreach(dep IN LISTS CLIPGLOT_MAY_${room})
    if(NOT TARGET clipglot_${dep})
      message(FATAL_ERROR "clipglot_add_room(${room}): ${dep} does not come before it in CLIPGLOT_ROOMS")
    endif()
    target_link_libraries(clipglot_${room} PUBLIC clipglot_${dep})
  endforeach()
  foreach(library IN LISTS arg_THIRD_PARTY)
    string(REPLACE "-" "_" library ${library})
    clipglot_third_party(${library})
    target_link_libraries(clipglot_${room} PRIVATE third_party_${library})
  endforeach()
endfunction()

# clipglot_add_test(<room> SOURCES file… [THIRD_PARTY library…])
# One program clipglot_tests_<room>; every GoogleTest case becomes a CTest test with the room as label.
# The macro CLIPGLOT_TEST_DATA holds the path of tests/data, CLIPGLOT_SOURCE_DIR that of the repository;
# tests/native is an include root, and what tests/native/support holds is linked.
function(clipglot_add_test room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;THIRD_PARTY")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "clipglot_add_test(${room}): what is '${arg_UNPARSED_ARGUMENTS}'?")
  endif()
  if(NOT TARGET clipglot_${room})
    message(FATAL_ERROR "clipglot_add_test(${room}): no such room")
  endif()
  clipglot_third_party(googletest)
  set(target clipglot_tests_${room})
  add_executable(${target} ${arg_SOURCES})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/native)
  target_compile_definitions(${target} PRIVATE
    CLIPGLOT_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data" CLIPGLOT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE
    clipglot_test_support clipglot_${room} clipglot_warnings third_party_googletest)
  foreach(library IN LISTS arg_THIRD_PARTY)
    string(REPLACE "-" "_" library ${library})
    clipglot_third_party(${library})
    target_link_libraries(${target} PRIVATE third_party_${library})
  endforeach()
  include(GoogleTest)
  gtest_discover_tests(${target}
    DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${room})
endfunction()
