// How int8 is multiplied on this machine. Private to nn.
#pragma once

#include <cstdint>

namespace clipglot {

// All give the same integers; they differ in speed and in what the activations must look like.
enum class DotWay : uint8_t {
  kWide,      // pairs of int16: exact everywhere
  kUnsigned,  // relaxed dot product that takes its second operand as 0 ... 255 (x86 with VNNI)
  kSigned,    // relaxed dot product that takes it as -128 ... 127 (Arm)
};

// Tries what the engine made of the relaxed dot product. kWide where it is not exact (x86 before
// VNNI saturates sums of two) and in builds without relaxed SIMD.
DotWay ProbeDotWay();

}  // namespace clipglot
