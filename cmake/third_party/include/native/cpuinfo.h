// Stands in for the cpuinfo library, for XNNPACK only: the questions XNNPACK asks about the
// processor, answered by the compiler's run-time tests (x86-64) or the kernel's capability bits
// (Arm). Instruction sets that this build has no kernels for are answered "no".
#pragma once
#include <stdbool.h>
#include <stdint.h>

static inline bool cpuinfo_initialize(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
  return true;
}

#if defined(__x86_64__)
static inline bool cpuinfo_has_x86_sse2(void) { return true; }
static inline bool cpuinfo_has_x86_ssse3(void) { return __builtin_cpu_supports("ssse3"); }
static inline bool cpuinfo_has_x86_sse4_1(void) { return __builtin_cpu_supports("sse4.1"); }
static inline bool cpuinfo_has_x86_avx(void) { return __builtin_cpu_supports("avx"); }
// Every processor with AVX2 has F16C; the compilers' own list lacks the name F16C in older
// versions.
static inline bool cpuinfo_has_x86_f16c(void) { return __builtin_cpu_supports("avx2"); }
static inline bool cpuinfo_has_x86_fma3(void) { return __builtin_cpu_supports("fma"); }
static inline bool cpuinfo_has_x86_avx2(void) { return __builtin_cpu_supports("avx2"); }
#endif

#if defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
// HWCAP_ASIMDDP of <asm/hwcap.h>: the int8 dot product.
static inline bool cpuinfo_has_arm_neon_dot(void) {
  return (getauxval(AT_HWCAP) & (1UL << 20)) != 0;
}
#elif defined(__APPLE__)
static inline bool cpuinfo_has_arm_neon_dot(void) { return true; }
#else
static inline bool cpuinfo_has_arm_neon_dot(void) { return false; }
#endif
static inline bool cpuinfo_has_arm_neon(void) { return true; }
static inline bool cpuinfo_has_arm_neon_fp16(void) { return true; }
static inline bool cpuinfo_has_arm_neon_fma(void) { return true; }
static inline bool cpuinfo_has_arm_neon_v8(void) { return true; }
static inline bool cpuinfo_has_arm_vfpv3(void) { return true; }
static inline bool cpuinfo_has_arm_fp16_arith(void) { return false; }
static inline bool cpuinfo_has_arm_neon_fp16_arith(void) { return false; }
static inline bool cpuinfo_has_arm_neon_bf16(void) { return false; }
static inline bool cpuinfo_has_arm_i8mm(void) { return false; }
static inline bool cpuinfo_has_arm_sve(void) { return false; }
static inline bool cpuinfo_has_arm_sve2(void) { return false; }
static inline bool cpuinfo_has_arm_sme(void) { return false; }
static inline bool cpuinfo_has_arm_sme2(void) { return false; }
#endif

// Which core it is decides between kernels of equal results; unknown takes the general choice.
enum cpuinfo_uarch {
  cpuinfo_uarch_unknown = 0,
  cpuinfo_uarch_cortex,
  cpuinfo_uarch_dhyana,
  cpuinfo_uarch_exynos,
  cpuinfo_uarch_krait,
  cpuinfo_uarch_kryo,
  cpuinfo_uarch_neoverse,
  cpuinfo_uarch_zen,
  cpuinfo_uarch_zen4,
};
struct cpuinfo_core {
  enum cpuinfo_uarch uarch;
};
struct cpuinfo_uarch_info {
  enum cpuinfo_uarch uarch;
};
static inline const struct cpuinfo_core* cpuinfo_get_core(uint32_t index) {
  static const struct cpuinfo_core core = {cpuinfo_uarch_unknown};
  (void)index;
  return &core;
}
static inline const struct cpuinfo_uarch_info* cpuinfo_get_uarch(uint32_t index) {
  static const struct cpuinfo_uarch_info info = {cpuinfo_uarch_unknown};
  (void)index;
  return &info;
}
