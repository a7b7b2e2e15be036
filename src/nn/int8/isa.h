// How int8 is multiplied on this machine. Private to nn.
#pragma once

#include <cstdint>

namespace clipglot {

// They differ in speed and in what the activations must look like. All sums are exact integers;
// those of the first three are the same.
enum class DotWay : uint8_t {
  kWide,      // pairs of int16: exact everywhere
  kUnsigned,  // relaxed dot product that takes its second operand as 0 ... 255 (x86 with VNNI)
  kSigned,    // relaxed dot product that takes it as -128 ... 127 (Arm)
  kNarrow,    // relaxed products of bytes, summed by pairs in int16, the second operand 0 ... 127:
              // every engine gives the same, but activations have one bit less (quantize.h)
};

// Tries what the engine made of the relaxed dot products. kNarrow where that of fours is not exact
// for all bytes (x86 before VNNI saturates sums of two); kWide where none is, and in builds without
// relaxed SIMD.
DotWay ProbeDotWay();

#ifndef __wasm__
// Natively the kernels of every way are plain steps, so each can run anywhere. Layers and
// workspaces made from now on, on any thread, take `way`; kWide is what they take without this. For
// tests and tools only.
void ForceDotWay(DotWay way);
#endif

}  // namespace clipglot
