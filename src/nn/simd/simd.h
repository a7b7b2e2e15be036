// Four floats, eight int16 or sixteen int8 at a time, natively and in wasm from one source: the
// header to include. Private to nn.
//
//   types.h                              vectors, loads and stores
//   wasm.h, neon.h, sse2.h, scalar.h     where machines have different instructions: the same
//                                        functions in each
//   ops.h                                those of the machine, and all that need no such choice
//   math.h                               exponentials, rounding
//
// Names are Highway's (https://github.com/google/highway) where it has the operation. Every
// function is exact about its order of operations, so that a row gives the same bits wherever it
// stands; only with relaxed SIMD may an engine choose between two roundings.
#pragma once

#include "nn/simd/math.h"
#include "nn/simd/ops.h"
#include "nn/simd/types.h"
