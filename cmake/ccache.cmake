# ccache in front of every compiler, when it is there. The settings let a fresh clone in another
# folder find what an older one compiled: paths below the source folder are hashed relative to it, and
# emcc, a small starter script, is known by what it and its clang say of their versions.
option(CLIPGLOT_CCACHE "Use ccache when it is installed" ON)
find_program(CLIPGLOT_CCACHE_PROGRAM ccache)
mark_as_advanced(CLIPGLOT_CCACHE_PROGRAM)
if(CLIPGLOT_CCACHE AND CLIPGLOT_CCACHE_PROGRAM)
  set(_compiler_check content)
  if(EMSCRIPTEN)
    execute_process(COMMAND ${CMAKE_C_COMPILER} -v OUTPUT_VARIABLE _emcc_says ERROR_VARIABLE _emcc_says)
    string(REGEX REPLACE "InstalledDir[^\n]*" "" _emcc_says "${_emcc_says}")
    string(SHA256 _emcc_says "${_emcc_says}")
    set(_compiler_check string:${_emcc_says})
  endif()
  foreach(language C CXX)
    if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER
          ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
          CCACHE_COMPILERCHECK=${_compiler_check} CCACHE_SLOPPINESS=time_macros ${CLIPGLOT_CCACHE_PROGRAM})
    endif()
  endforeach()
endif()
