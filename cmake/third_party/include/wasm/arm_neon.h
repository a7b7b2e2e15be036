// XNNPACK's f32-q{s,u}8-vcvt wasm kernels include <arm_neon.h> and use only what wasm_simd128.h
// gives.
#pragma once
#include <wasm_simd128.h>
