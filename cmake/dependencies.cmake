# Third-party libraries. The only place that fetches; versions are in dependencies.json.
#
# Sources come from, in this order:
#   FETCHCONTENT_SOURCE_DIR_<NAME>   a folder of your own (offline builds)
#   build/third_party/<name>         put there by `npm run setup` (Debian source packages)
#   git, at the pinned commit        where the set-up was not called, or with CLIPGLOT_FETCH_FROM_GIT=ON
# Each library is declared by cmake/third_party/<name>.cmake as third_party_<name>, only when a room
# asks for it, and is built by our own short CMake: upstream's would search the machine for packages.
include(FetchContent)
option(CLIPGLOT_FETCH_FROM_GIT "Fetch third-party sources from git even where `npm run setup` unpacked them" OFF)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/dependencies.json)
file(READ ${CMAKE_CURRENT_LIST_DIR}/dependencies.json CLIPGLOT_DEPENDENCIES)

# Sets `out` to the folder of the sources called `name`.
function(clipglot_third_party_source name out)
  string(TOUPPER ${name} upper)
  set(unpacked ${PROJECT_SOURCE_DIR}/build/third_party/${name})
  if(FETCHCONTENT_SOURCE_DIR_${upper})
    set(folder ${FETCHCONTENT_SOURCE_DIR_${upper}})
  elseif(EXISTS ${unpacked} AND NOT CLIPGLOT_FETCH_FROM_GIT)
    set(folder ${unpacked})
  else()
    string(JSON repository GET "${CLIPGLOT_DEPENDENCIES}" sources ${name} git repository)
    string(JSON commit GET "${CLIPGLOT_DEPENDENCIES}" sources ${name} git commit)
    message(STATUS "clipglot: fetching ${name} at ${commit} from git (`npm run setup` takes it from Debian's archive)")
    # Only fetched: SOURCE_SUBDIR names no folder, so that upstream's CMake is not added.
    FetchContent_Declare(${name}
      GIT_REPOSITORY ${repository} GIT_TAG ${commit} GIT_PROGRESS TRUE SOURCE_SUBDIR clipglot-adds-nothing)
    FetchContent_MakeAvailable(${name})
    set(folder ${${name}_SOURCE_DIR})
  endif()
  set(${out} ${folder} PARENT_SCOPE)
endfunction()

# Declares the target third_party_<name> unless it is there already.
function(clipglot_third_party name)
  if(NOT TARGET third_party_${name})
    include(${PROJECT_SOURCE_DIR}/cmake/third_party/${name}.cmake)
  endif()
endfunction()

# What every compiled third-party library gets: no warnings, optimised even in debug builds (the
# tests would take minutes), without debug information (whose absolute paths keep ccache from finding
# what another clone compiled), and not built unless something needs it.
function(clipglot_third_party_defaults target)
  target_compile_options(${target} PRIVATE -w $<$<CONFIG:Debug>:-O2> $<$<CONFIG:Debug>:-g0>)
  set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL ON POSITION_INDEPENDENT_CODE OFF)
endfunction()
