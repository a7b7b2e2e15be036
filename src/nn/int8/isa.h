// Which instruction multiplies int8 on this machine, and the one table of all that differs between
// the int8 paths. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace clipglot {

// They differ in speed and in what the activations must look like. All sums are exact integers;
// those of the first three are the same.
enum class Int8Isa : uint8_t {
  kI16Madd,  // pairs of int16: exact everywhere
  kU8S8Dot,  // relaxed dot product that takes its second operand as 0 ... 255 (x86 with VNNI)
  kS8S8Dot,  // relaxed dot product that takes it as -128 ... 127 (Arm)
  kAcc16,    // relaxed products of bytes, accumulated in int16, the second operand 0 ... 127: every
             // engine gives the same, but activations have one bit less (quantize.h)
};

// Tries what the engine made of the relaxed dot products. kAcc16 where that of fours is not exact
// for all bytes (x86 before VNNI saturates sums of two); kI16Madd where none is, and in builds
// without relaxed SIMD. Products ask once, when they are created.
Int8Isa ProbeInt8Isa();

#ifndef __wasm__
// Natively the kernels of every path are plain steps, so each can run anywhere. Products created
// from now on, on any thread, take `isa`; kI16Madd is what they take without this. For tests and
// tools only.
void ForceInt8Isa(Int8Isa isa);
#endif

struct Int8Tile;  // kernels.h
using Int8Kernel = void (*)(const Int8Tile& tile);
// For one number of rows: the kernel for as many panels as its registers hold, how many these are,
// and the kernel for a single panel.
struct MicroKernel {
  Int8Kernel many;
  size_t panels;
  Int8Kernel one;
};

// One row of the table.
struct Int8Path {
  Int8Isa isa;
  std::string_view name;  // in the output of tests
  // Bytes of a quantised activation (of kAcc16 one, which is there twice).
  size_t value_bytes;
  // 0 ... 255, which is 128 above int8; the offset of Int8Row takes that off.
  bool activations_unsigned;
  // Bytes of what a row of `columns` activations has besides its values.
  size_t (*params_bytes)(size_t columns);
  // Quantises `rows` rows that lie, and are multiplied, together: `x` [rows, columns] to `values`
  // and to `params`, which has params_bytes(columns) for each row. Layouts: quantize.h.
  void (*quantize)(const float* x, size_t rows, size_t columns, uint8_t* values, std::byte* params);
  // kernels[rows - 1], up to the rows whose sums its registers hold.
  std::span<const MicroKernel> kernels;
  // When seven or eight rows are left, so many of them go first.
  size_t first_of_eight;
  // Rows from which a pass goes by StrassenWinogradGemm; kNever: that path has none.
  size_t strassen_min_rows;
  // Panels are rearranged by Acc16Weights.
  bool acc16_weights;
};
inline constexpr size_t kNever = SIZE_MAX;

// The paths that this build has: natively and with relaxed SIMD all of Int8Isa, else kI16Madd only,
// so that the others' kernels need not be downloaded.
std::span<const Int8Path> Int8Paths();
// The row of `isa`, which this build has.
const Int8Path& PathOf(Int8Isa isa);

}  // namespace clipglot
