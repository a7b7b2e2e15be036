# The one global act of this build: flags that must be the same in every object of a program, ours and
# others'. WebAssembly has no choice of instructions per function – a module with one unknown
# instruction is refused as a whole – so each variant is a build tree and a file of its own.
if(EMSCRIPTEN)
  if(NOT CLIPGLOT_WASM_VARIANT MATCHES "^(simd|relaxed-simd)$")
    message(FATAL_ERROR "CLIPGLOT_WASM_VARIANT must be simd or relaxed-simd, not '${CLIPGLOT_WASM_VARIANT}'")
  endif()
  execute_process(COMMAND ${CMAKE_C_COMPILER} -dumpversion OUTPUT_VARIABLE _emcc_version
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  string(REGEX REPLACE "[^0-9.].*$" "" _emcc_version "${_emcc_version}")
  file(READ ${CMAKE_CURRENT_LIST_DIR}/dependencies.json _dependencies)
  string(JSON _emcc_pinned GET "${_dependencies}" toolchain emscripten version)
  if(NOT _emcc_version STREQUAL _emcc_pinned AND NOT "$ENV{CLIPGLOT_ANY_EMSCRIPTEN}")
    message(FATAL_ERROR "This project is built with Emscripten ${_emcc_pinned}; found ${_emcc_version}. "
                        "Set CLIPGLOT_ANY_EMSCRIPTEN=1 to use it all the same.")
  endif()
  # 128-bit SIMD: the least of every variant. XNNPACK chooses its architecture by this flag's macro.
  add_compile_options(-msimd128)
  if(CLIPGLOT_WASM_VARIANT STREQUAL "relaxed-simd")
    # Fused multiply-add and the int8 dot product, where the engine has them.
    add_compile_options(-mrelaxed-simd)
  endif()
  set(CLIPGLOT_VARIANT ${CLIPGLOT_WASM_VARIANT})
  if(CLIPGLOT_THREADS)
    # Shared memory and atomics: every object of the program must have it, or the linker refuses.
    add_compile_options(-pthread)
    add_link_options(-pthread)
    string(APPEND CLIPGLOT_VARIANT -threads)
  endif()
else()
  set(CLIPGLOT_VARIANT native)
  if(CLIPGLOT_THREADS)
    set(THREADS_PREFER_PTHREAD_FLAG ON)
    find_package(Threads REQUIRED)
  endif()
  # Debug builds are for tests that multiply matrices: a little optimisation saves minutes and
  # leaves the stack readable.
  set(CMAKE_C_FLAGS_DEBUG "-O1 -g1")
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
endif()
