# XNNPACK: its operators and only the micro-kernels this machine or variant can run. Upstream's CMake
# is not used: it refuses Emscripten, knows no wasm kernels and would build AVX-512 and the like.
#
# Kernels of one instruction set share flags, so each set is an object library of its own, compiled
# in batches: one start of the compiler per 24 kernels instead of one per kernel.
clipglot_third_party(pthreadpool)
clipglot_third_party_source(xnnpack _xnn)
clipglot_third_party_source(fp16 _fp16)
clipglot_third_party_source(fxdiv _fxdiv)

# What all of XNNPACK is compiled with.
add_library(xnnpack_settings INTERFACE)
target_include_directories(xnnpack_settings INTERFACE
  ${_xnn}/include ${_xnn}/src ${_fp16}/include ${_fxdiv}/include)
set(_off ARM_FP16_VECTOR ARM_FP16_SCALAR ARM_BF16 ARM_I8MM ARM_SME ARM_SME2 RISCV_VECTOR
  RISCV_FP16_VECTOR AVXVNNI AVXVNNIINT8 AVX256SKX AVX256VNNI AVX256VNNIGFNI AVX512F AVX512SKX
  AVX512VBMI AVX512VNNI AVX512VNNIGFNI AVX512AMX AVX512FP16 VSX ASSEMBLY SPARSE DWCONV_MULTIPASS HVX
  KLEIDIAI)
list(TRANSFORM _off REPLACE "^(.+)$" "XNN_ENABLE_\\1=0")
target_compile_definitions(xnnpack_settings INTERFACE ${_off}
  XNN_ENABLE_MEMOPT=1 XNN_ENABLE_GEMM_M_SPECIALIZATION=1 XNN_LOG_LEVEL=0)
target_compile_options(xnnpack_settings INTERFACE -fno-math-errno)
target_link_libraries(xnnpack_settings INTERFACE third_party_pthreadpool)

set(_kernels)
# xnnpack_kernels(isa flag…): the production kernels of cmake/gen/<isa>_microkernels.cmake. The batches
# are written here rather than by UNITY_BUILD, whose absolute paths would make every clone's files
# different and ccache blind.
function(xnnpack_kernels isa)
  include(${_xnn}/cmake/gen/${isa}_microkernels.cmake)
  string(TOUPPER ${isa} upper)
  set(files ${PROD_${upper}_MICROKERNEL_SRCS})
  list(LENGTH files count)
  set(batches)
  set(begin 0)
  while(begin LESS count)
    list(SUBLIST files ${begin} 24 batch_files)
    list(TRANSFORM batch_files REPLACE "^(.+)$" "#include \"\\1\"\n")
    list(JOIN batch_files "" content)
    set(batch ${CMAKE_BINARY_DIR}/third_party/xnnpack/${isa}_${begin}.c)
    file(CONFIGURE OUTPUT ${batch} CONTENT "${content}" @ONLY)
    list(APPEND batches ${batch})
    math(EXPR begin "${begin} + 24")
  endwhile()
  add_library(xnnpack_${isa} OBJECT ${batches})
  target_include_directories(xnnpack_${isa} PRIVATE ${_xnn})
  target_link_libraries(xnnpack_${isa} PRIVATE xnnpack_settings)
  target_compile_options(xnnpack_${isa} PRIVATE ${ARGN})
  set_target_properties(xnnpack_${isa} PROPERTIES C_STANDARD 99 C_EXTENSIONS ON)
  clipglot_third_party_defaults(xnnpack_${isa})
  set(_kernels ${_kernels} xnnpack_${isa} PARENT_SCOPE)
endfunction()

xnnpack_kernels(scalar)
if(EMSCRIPTEN)
  target_compile_definitions(xnnpack_settings INTERFACE XNN_ENABLE_CPUINFO=0 XNN_ENABLE_ARM_DOTPROD=0)
  xnnpack_kernels(wasm)
  xnnpack_kernels(wasmsimd)
  # Two wasm kernels reach wasm_simd128.h through arm_neon.h; ours leads there directly.
  target_include_directories(xnnpack_wasmsimd BEFORE PRIVATE ${PROJECT_SOURCE_DIR}/cmake/third_party/include/wasm)
  if(CLIPGLOT_WASM_VARIANT STREQUAL "relaxed-simd")
    xnnpack_kernels(wasmrelaxedsimd)
  endif()
else()
  # Our cpuinfo.h answers XNNPACK's questions with the compiler's own tests of the processor.
  target_include_directories(xnnpack_settings INTERFACE ${PROJECT_SOURCE_DIR}/cmake/third_party/include/native)
  target_compile_definitions(xnnpack_settings INTERFACE XNN_ENABLE_CPUINFO=1)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    target_compile_definitions(xnnpack_settings INTERFACE XNN_ENABLE_ARM_DOTPROD=0)
    # Flags as upstream gives them. On x86-64 -mno-sse2 is left out: doubles live in SSE2 registers.
    xnnpack_kernels(sse -msse)
    xnnpack_kernels(sse2 -msse2 -mno-sse3)
    xnnpack_kernels(ssse3 -mssse3 -mno-sse4.1)
    xnnpack_kernels(sse41 -msse4.1 -mno-sse4.2)
    xnnpack_kernels(avx -mavx -mno-avx2 -mno-fma -mno-f16c)
    xnnpack_kernels(f16c -mf16c -mno-avx2 -mno-fma)
    xnnpack_kernels(fma3 -mf16c -mfma -mno-avx2)
    xnnpack_kernels(avx2 -mf16c -mfma -mavx2)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
    target_compile_definitions(xnnpack_settings INTERFACE XNN_ENABLE_ARM_DOTPROD=1)
    foreach(isa neon neonfp16 neonfma neonv8 neon_aarch64 neonfma_aarch64)
      xnnpack_kernels(${isa})
    endforeach()
    xnnpack_kernels(neondot -march=armv8.2-a+dotprod)
    xnnpack_kernels(neondot_aarch64 -march=armv8.2-a+dotprod)
  else()
    message(FATAL_ERROR "No XNNPACK kernels chosen for ${CMAKE_SYSTEM_PROCESSOR}")
  endif()
endif()

# The operators and what they stand on. The subgraph interface (src/subgraph*, runtime.c …) is left
# out: this project calls operators directly. Third-party sources at a pinned version may be globbed.
file(GLOB _core RELATIVE ${_xnn} ${_xnn}/src/*.c ${_xnn}/src/configs/*.c ${_xnn}/src/enums/*.c
  ${_xnn}/src/operators/*.c ${_xnn}/src/reference/*.cc ${_xnn}/src/tables/*.c)
list(FILTER _core EXCLUDE REGEX "^src/(subgraph|runtime|memory-planner|tensor)\\.c$")
list(TRANSFORM _core PREPEND ${_xnn}/)
# Upstream generates this from the list of kernels, to guard packed weights kept on disk; we keep none.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/third_party/xnnpack/build_identifier.c CONTENT [[
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
static const uint8_t id[32] = {1};
size_t xnn_experimental_get_build_identifier_size(void) { return sizeof(id); }
const void* xnn_experimental_get_build_identifier_data(void) { return id; }
bool xnn_experimental_check_build_identifier(const void* data, const size_t size) {
  return size == sizeof(id) && memcmp(data, id, size) == 0;
}
]])
set(_objects ${_kernels})
list(TRANSFORM _objects REPLACE "^(.+)$" "$<TARGET_OBJECTS:\\1>")
add_library(third_party_xnnpack STATIC
  ${_core} ${CMAKE_BINARY_DIR}/third_party/xnnpack/build_identifier.c ${_objects})
target_include_directories(third_party_xnnpack SYSTEM PUBLIC ${_xnn}/include)
target_link_libraries(third_party_xnnpack PRIVATE xnnpack_settings PUBLIC third_party_pthreadpool)
set_target_properties(third_party_xnnpack PROPERTIES C_STANDARD 99 C_EXTENSIONS ON CXX_STANDARD 14)
clipglot_third_party_defaults(third_party_xnnpack)
if(NOT EMSCRIPTEN)
  target_link_libraries(third_party_xnnpack PUBLIC m)
endif()
