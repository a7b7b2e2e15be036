// Layers on XNNPACK and its thread pool: activations in, activations out.
//
// Takes: matrices and vectors of float32 activations, row-major. Gives: the same. Knows nothing of models. Prepared
// layers copy (pack) their weights, so the source may go right after Create. All outputs are bit-equal for any number of
// threads in builds without relaxed SIMD. Not thread-safe: one call at a time per Workspace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "base/tensor.h"

namespace clipglot {

// Threads (pthreadpool) and scratch memory (quantised activations, attention tiles), sized once.
class Workspace {
 public:
  // `threads`: 1 ... 64, the calling thread included; builds without threads accept only 1.
  // Errors: kInvalidArgument, kOutOfMemory, kInternal (XNNPACK refused to initialise).
  static Result<std::unique_ptr<Workspace>> Create(size_t threads);
  ~Workspace();

  size_t threads() const;
  // Sets scratch aside for `rows` activation rows of up to `columns` columns, so that no later call allocates.
  // Errors: kOutOfMemory.
  Status Reserve(size_t rows, size_t columns);
  // Runs task(0) ... task(count - 1), spread over the threads; returns when all are done.
  void ParallelFor(size_t count, const std::function<void(size_t)>& task);
  // Number of distinct threads that have run a ParallelFor task since creation (tests prove with it that all work).
  size_t threads_seen() const;

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  explicit Workspace(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// y = x Wᵀ + b. F32 weights run in float32; I8 weights run as int8 × int8 with activations quantised per row at run time
// (XNNPACK qd8-f32-qc8w).
class Linear {
 public:
  // `weight` [out, in]; `bias` [out] or empty. Errors: kInvalidArgument, kOutOfMemory, kInternal.
  static Result<Linear> Create(const Matrix& weight, std::span<const float> bias);
  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;
  ~Linear();

  // `x` [rows, in], `y` [rows, out], not overlapping; x must be readable AlignedBuffer::kPadding bytes past its end.
  Status Run(std::span<const float> x, size_t rows, std::span<float> y, Workspace& workspace) const;
  size_t in() const;
  size_t out() const;
  size_t packed_bytes() const;  // memory held

 private:
  struct Impl;
  explicit Linear(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// y[r] = (x[r] - mean) / sqrt(var + eps) · weight + bias over `columns`; if `residual` is not empty, x + residual is
// normalised instead. x and y may be the same. [rows, columns]
void LayerNorm(std::span<const float> x, std::span<const float> residual, size_t rows, std::span<const float> weight,
               std::span<const float> bias, double eps, std::span<float> y, Workspace& workspace);

// Exact GELU x·Φ(x) with erf (absolute error below 1e-6), in place.
void Gelu(std::span<float> x, Workspace& workspace);

// y[r, c] = SiLU(x[r, c]) · x[r, hidden + c]; x [rows, 2·hidden], y [rows, hidden].
void SwiGlu(std::span<const float> x, size_t rows, size_t hidden, std::span<float> y, Workspace& workspace);

// x += y, element by element.
void Add(std::span<float> x, std::span<const float> y, Workspace& workspace);

// cos and sin of every (position, pair) of a head: each [positions, head_dim / 2].
struct RotaryTable {
  size_t positions = 0, pairs = 0;
  std::vector<float> cos, sin;
};
// Angle of position p, pair j: p · base^(-2j / head_dim). Angles are computed in float32 as upstream does
// (rotary.py: inv_freq and t in float32, outer product, then cos / sin).
RotaryTable TextRotary(size_t positions, size_t head_dim, double base);
// 2-D: pairs 0 ... head_dim/4 - 1 take the row's angle, the rest the column's; angle = c · base^(-4i / head_dim) with
// c = index / grid · reference (interpolate) or index (not). Row-major over grid × grid. (EVA rope.py VisionRotaryEmbeddingFast)
RotaryTable VisionRotary(size_t grid, size_t head_dim, double base, size_t reference, bool interpolate);

enum class RotaryPairing { kHalfSplit, kInterleaved };  // pairs (j, j + d/2), or (2j, 2j + 1)

// Rotates q and k inside qkv [rows, 3·heads·head_dim] in place. Row r takes table position r - skip; the first `skip`
// rows stay as they are.
void Rotate(std::span<float> qkv, size_t rows, size_t heads, size_t head_dim, const RotaryTable& table,
            RotaryPairing pairing, size_t skip, Workspace& workspace);

// Multi-head self-attention, softmax(q kᵀ / sqrt(head_dim)) v, blockwise with a running softmax: memory grows with rows,
// never with rows². qkv [rows, 3·heads·head_dim]; `key_mask` empty, or [rows] with 0 where a key is left out; out
// [rows, heads·head_dim]. If every key is left out, the output is zero. Errors: kOutOfMemory.
Status Attention(std::span<const float> qkv, size_t rows, size_t heads, size_t head_dim,
                 std::span<const uint8_t> key_mask, std::span<float> out, Workspace& workspace);

}  // namespace clipglot
