# Rooms: one folder of src/, one target clipglot_<room>, one list of rooms it may know.
set(CLIPGLOT_ROOMS base container weights nn text vision embedding index engine)

# Who may know whom (docs/ARCHITECTURE.md); tests/rules checks the #include lines against this table.
set(CLIPGLOT_MAY_base)
set(CLIPGLOT_MAY_container base)
set(CLIPGLOT_MAY_weights container base)
set(CLIPGLOT_MAY_nn base)
set(CLIPGLOT_MAY_text nn weights container base)
set(CLIPGLOT_MAY_vision nn weights container base)
set(CLIPGLOT_MAY_embedding base)
set(CLIPGLOT_MAY_index base)
set(CLIPGLOT_MAY_engine index embedding vision text nn weights container base)

# clipglot_add_room(<room> SOURCES file… [DEPS room…] [THIRD_PARTY library…])
#   SOURCES      .cc files, named relative to src/<room>; headers need not be listed
#   DEPS         rooms whose headers this one includes
#   THIRD_PARTY  xnnpack pthreadpool sentencepiece utf8proc stb nlohmann_json: private to the room
function(clipglot_add_room room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS;THIRD_PARTY")
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
  foreach(dep IN LISTS arg_DEPS)
    if(NOT dep IN_LIST CLIPGLOT_MAY_${room})
      message(FATAL_ERROR "Room ${room} may not know ${dep} (cmake/room.cmake)")
    endif()
    if(EXISTS ${PROJECT_SOURCE_DIR}/src/${dep}/CMakeLists.txt)
      target_link_libraries(clipglot_${room} PUBLIC clipglot_${dep})
    endif()
  endforeach()
  foreach(library IN LISTS arg_THIRD_PARTY)
    string(REPLACE "-" "_" library ${library})
    clipglot_third_party(${library})
    target_link_libraries(clipglot_${room} PRIVATE third_party_${library})
  endforeach()
endfunction()

# clipglot_add_test(<room> SOURCES file… [THIRD_PARTY library…] [LABELS label…])
# One program clipglot_tests_<room>; every GoogleTest case becomes a CTest test. The macro
# CLIPGLOT_TEST_DATA holds the path of tests/data, CLIPGLOT_SOURCE_DIR that of the repository.
function(clipglot_add_test room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;THIRD_PARTY;LABELS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "clipglot_add_test(${room}): what is '${arg_UNPARSED_ARGUMENTS}'?")
  endif()
  if(NOT TARGET clipglot_${room})
    message(STATUS "clipglot: tests of ${room} wait for src/${room}/CMakeLists.txt")
    return()
  endif()
  clipglot_third_party(googletest)
  set(target clipglot_tests_${room})
  add_executable(${target} ${arg_SOURCES})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/native)
  target_compile_definitions(${target} PRIVATE
    CLIPGLOT_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data" CLIPGLOT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE clipglot_${room} clipglot_warnings third_party_googletest)
  foreach(library IN LISTS arg_THIRD_PARTY)
    string(REPLACE "-" "_" library ${library})
    clipglot_third_party(${library})
    target_link_libraries(${target} PRIVATE third_party_${library})
  endforeach()
  include(GoogleTest)
  gtest_discover_tests(${target}
    DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS "unit;${room};${arg_LABELS}"
      ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()
