// Layers on XNNPACK and its thread pool: activations in, activations out.
//
// Takes: matrices and vectors of float32 activations, row-major. Gives: the same. Knows nothing of
// models. Prepared layers copy (pack) their weights, so the source may go right after Create. Not
// thread-safe: one call at a time per Workspace, and a Linear runs in one call at a time.
//
// Promises:
// - The same bits for a row whatever the number of rows, its place among them, and the number of
//   threads. (With relaxed SIMD two engines may differ: they choose how a multiply-add is rounded.)
// - Run paths allocate nothing after Reserve.
// - Work too small to be worth waking a thread (about 0.25 ms) stays on the caller.
// - No input makes a function crash: NaN and infinity give results that are not finite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "base/tensor.h"
#include "nn/runtime/workspace.h"

namespace clipglot {

// y = x Wᵀ + b. kF32 weights run in float32; kInt8PerRow weights as int8 × int8 with activations
// quantised per row at run time (int8/product.h; in a native build on request XNNPACK's
// qd8-f32-qc8w); kInt4Block32 weights as int8 × 4 bits with activations quantised per block of 32
// (int4/product.h). Which instructions multiply is found out once, by Create.
class Linear {
 public:
  // `weight` [out, in], valid by its format (of kInt8PerRow also in <= 65536); `bias` [out] or
  // empty; `workspace`: whose threads pack the weights, or null for the caller alone. What is
  // packed does not depend on it. Errors: kInvalidArgument, kOutOfMemory, kInternal.
  static Result<Linear> Create(const Matrix& weight, std::span<const float> bias,
                               Workspace* workspace = nullptr);
  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;
  ~Linear();

  // `x` [rows, in], `y` [rows, out], not overlapping; x must be readable AlignedBuffer::kPadding
  // bytes past its end. A quantised layer gives NaN or infinity for all of a row that holds one.
  // Errors: kInvalidArgument (spans too short), kOutOfMemory (not reserved), kInternal.
  Status Run(std::span<const float> x, size_t rows, std::span<float> y, Workspace& workspace) const;
  // What Run on up to `rows` rows takes of the workspace: reserve it, and Run allocates nothing.
  ScratchNeed Scratch(size_t rows) const;
  size_t in() const;
  size_t out() const;
  WeightFormat format() const;  // of the weights
  size_t packed_bytes() const;  // memory held

 private:
  struct Impl;
  explicit Linear(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// y[r] = (x[r] - mean) / sqrt(var + eps) · weight + bias over `columns`; if `residual` is not
// empty, x + residual is normalised instead.
// x [rows, columns]; residual the same or empty; weight and bias [columns]; y [rows, columns], may
// be x or residual; eps > 0.
void LayerNorm(std::span<const float> x, std::span<const float> residual, size_t rows,
               std::span<const float> weight, std::span<const float> bias, double eps,
               std::span<float> y, Workspace& workspace);

// Exact GELU x·Φ(x), the one with erf (absolute error below 1e-6), in place.
void Gelu(std::span<float> x, Workspace& workspace);

// y[r, c] = SiLU(x[r, c]) · x[r, hidden + c]; x [rows, 2·hidden], y [rows, hidden].
void SwiGlu(std::span<const float> x, size_t rows, size_t hidden, std::span<float> y,
            Workspace& workspace);

// x += y, element by element; same length.
void Add(std::span<float> x, std::span<const float> y, Workspace& workspace);

// cos and sin of every (position, pair) of a head: each [positions, head_dim / 2].
struct RotaryTable {
  size_t positions = 0, pairs = 0;
  std::vector<float> cos, sin;
};
// Angle of position p, pair j: p · base^(-2j / head_dim). Angles are computed in float32 as
// upstream does (rotary.py: inv_freq and t in float32, outer product, then cos / sin).
RotaryTable TextRotary(size_t positions, size_t head_dim, double base);
// 2-D: pairs 0 ... head_dim/4 - 1 take the row's angle, the rest the column's;
// angle = c · base^(-4i / head_dim), c = index / grid · reference (interpolate) or index (not).
// Row-major over grid × grid. head_dim: a multiple of 4. (EVA rope.py, VisionRotaryEmbeddingFast)
RotaryTable VisionRotary(size_t grid, size_t head_dim, double base, size_t reference,
                         bool interpolate);

enum class RotaryPairing { kHalfSplit, kInterleaved };  // pairs (j, j + d/2), or (2j, 2j + 1)

// Rotates q and k inside qkv [rows, 3·heads·head_dim] in place. The rows are those of one or more
// concatenated sequences; `lengths`: rows of each. Row r of a sequence takes the table's
// position r - skip; its first `skip` rows stay as they are. The table must have at least
// length - skip positions, and head_dim / 2 pairs.
void Rotate(std::span<float> qkv, std::span<const size_t> lengths, size_t heads, size_t head_dim,
            const RotaryTable& table, RotaryPairing pairing, size_t skip, Workspace& workspace);
// The same for one sequence.
inline void Rotate(std::span<float> qkv, size_t rows, size_t heads, size_t head_dim,
                   const RotaryTable& table, RotaryPairing pairing, size_t skip,
                   Workspace& workspace) {
  Rotate(qkv, {&rows, 1}, heads, head_dim, table, pairing, skip, workspace);
}

// How attention multiplies. kFloat32: in float32. kInt16: integer attention (int16 inputs, int32
// accumulation), with a step for each row of q and k and each channel of v: far finer than what
// layers with 8-bit weights give it, and up to one and a half times as fast. kInt16IfLong: kInt16
// for sequences of at least kLongSequence rows, kFloat32 for shorter ones, where it is faster.
enum class AttentionArithmetic { kFloat32, kInt16, kInt16IfLong };
inline constexpr size_t kLongSequence = 128;
// The arithmetic for the q, k and v that `qkv` computes.
inline AttentionArithmetic ArithmeticFor(const Linear& qkv) {
  return qkv.format() == WeightFormat::kF32 ? AttentionArithmetic::kFloat32
                                            : AttentionArithmetic::kInt16IfLong;
}

// Multi-head self-attention, softmax(q kᵀ / sqrt(head_dim)) v, by FlashAttention's online softmax:
// it needs no memory that grows with rows. The rows are those of one or more concatenated
// sequences, each of which attends only to itself; `lengths`: rows of each. qkv [rows,
// 3·heads·head_dim]: a row is q, k, v, each head by head. key_mask: empty, or [rows] with 0 where a
// key is left out (its k and v are not read). out [rows, heads·head_dim]; zero if every key is left
// out. head_dim: even, at most 256; 64 is fast. Errors: kInvalidArgument.
Status Attention(std::span<const float> qkv, std::span<const size_t> lengths, size_t heads,
                 size_t head_dim, std::span<const uint8_t> key_mask, AttentionArithmetic arithmetic,
                 std::span<float> out, Workspace& workspace);
// The same for one sequence.
inline Status Attention(std::span<const float> qkv, size_t rows, size_t heads, size_t head_dim,
                        std::span<const uint8_t> key_mask, AttentionArithmetic arithmetic,
                        std::span<float> out, Workspace& workspace) {
  return Attention(qkv, {&rows, 1}, heads, head_dim, key_mask, arithmetic, out, workspace);
}

}  // namespace clipglot
