# ccache in front of every compiler, when it is there. The settings let a fresh clone in another
# folder find what an older one compiled: paths below the source folder are hashed relative to it, and
# the compiler is known by the content of its starter script (which names its exact version).
option(CLIPGLOT_CCACHE "Use ccache when it is installed" ON)
find_program(CLIPGLOT_CCACHE_PROGRAM ccache)
mark_as_advanced(CLIPGLOT_CCACHE_PROGRAM)
if(CLIPGLOT_CCACHE AND CLIPGLOT_CCACHE_PROGRAM)
  foreach(language C CXX)
    if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER
          ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
          CCACHE_COMPILERCHECK=content CCACHE_SLOPPINESS=time_macros ${CLIPGLOT_CCACHE_PROGRAM})
    endif()
  endforeach()
endif()
