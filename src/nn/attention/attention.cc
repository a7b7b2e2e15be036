#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/checked.h"
#include "base/limits.h"
#include "base/math.h"
#include "base/strings.h"
#include "nn/attention/chunk.h"
#include "nn/attention/float32.h"
#include "nn/attention/int16.h"
#include "nn/nn.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {

namespace {

using simd::F32x4;

constexpr size_t kScratchBytes = std::max(Float32::Scratch::kBytes, Int16::Scratch::kBytes);
static_assert(kScratchBytes <= kTaskScratchBytes);

// The problem of sequence `index` out of that of the whole batch.
AttentionProblem SequenceOf(AttentionProblem all, std::span<const size_t> lengths, size_t index) {
  all.rows = lengths[index];
  const size_t before = std::accumulate(lengths.begin(), lengths.begin() + index, size_t{0});
  all.qkv += before * all.stride();
  all.out += before * all.heads * all.dim;
  if (all.key_mask != nullptr) all.key_mask += before;
  return all;
}

}  // namespace

float ScoreScale(size_t dim) {
  constexpr double kLog2E = 1.4426950408889634;
  return static_cast<float>(kLog2E / std::sqrt(static_cast<double>(dim)));
}

void FinishChunk(const AttentionProblem& p, size_t head, size_t first, size_t count,
                 std::span<const float> o, std::span<const float> sum) {
  for (size_t r = 0; r < count; r += kTile) {
    const float* from = o.data() + RoundDown(r, kQueries) * p.padded_dim + r % kQueries;
    float* to = p.out + ((first + r) * p.heads + head) * p.dim;
    const size_t to_step = p.heads * p.dim, rows = std::min(count - r, kTile);
    float inverse[kTile] = {};
    for (size_t i = 0; i < rows; ++i) inverse[i] = sum[r + i] == 0 ? 0.0f : 1.0f / sum[r + i];
    size_t c = 0;
    for (; rows == kTile && c + kTile <= p.dim; c += kTile) {
      F32x4 v[kTile];
      for (size_t k = 0; k < kTile; ++k)
        v[k] = simd::Load(from + (c + k) * kQueries) * simd::Load(inverse);
      simd::Transpose4x4(v);
      for (size_t i = 0; i < kTile; ++i) simd::Store(to + i * to_step + c, v[i]);
    }
    for (; c < p.dim; ++c) {
      for (size_t i = 0; i < rows; ++i) to[i * to_step + c] = from[c * kQueries + i] * inverse[i];
    }
  }
}

Status Attention(std::span<const float> qkv, std::span<const size_t> lengths, size_t heads,
                 size_t head_dim, std::span<const uint8_t> key_mask, AttentionArithmetic arithmetic,
                 std::span<float> out, Workspace& workspace) {
  size_t rows = 0, longest = 0;
  uint64_t pairs = 0;  // of a query and a key
  for (const size_t length : lengths) {
    rows += length;
    longest = std::max(longest, length);
    pairs += uint64_t{length} * length;
  }
  if (rows == 0 || heads == 0) return OkStatus();
  const ProfileScope scope(workspace.profile(), ProfileCategory::kAttention);
  const auto width = CheckedMul(heads, head_dim);
  const auto outputs = width ? CheckedMul(*width, rows) : std::nullopt;
  const auto inputs = outputs ? CheckedMul(*outputs, 3) : std::nullopt;
  if (head_dim == 0 || head_dim % 2 != 0 || head_dim > kMaxHeadDim || !inputs ||
      qkv.size() < *inputs || out.size() < *outputs ||
      (!key_mask.empty() && key_mask.size() != rows)) {
    return Status(
        Code::kInvalidArgument,
        StrCat("attention of ", rows, " rows, ", heads, " heads of ", head_dim, ": ", qkv.size(),
               " inputs, ", out.size(), " outputs, mask of ", key_mask.size()));
  }
  const AttentionProblem all = {.qkv = qkv.data(),
                                .rows = lengths[0],
                                .heads = heads,
                                .dim = head_dim,
                                .padded_dim = RoundUp(head_dim, kTile),
                                .key_mask = key_mask.empty() ? nullptr : key_mask.data(),
                                .out = out.data()};
  const uint64_t nanoseconds = pairs * heads * head_dim / 5;  // 4·pairs·heads·dim at 20 GFLOP/s
  // Chunks of equal size, and enough of them for every thread to get two: they should finish
  // together.
  Workspace::Impl& impl = ImplOf(workspace);
  size_t chunks = CeilDiv(longest, ChunkRows(all.padded_dim));
  if (impl.PoolFor(nanoseconds) != nullptr) {
    chunks = std::max(chunks, CeilDiv(2 * impl.threads, heads * lengths.size()));
  }
  std::byte* const scratch = impl.task_scratch.data();
  RunTasks(impl, lengths.size() * heads * chunks, nanoseconds, [&](size_t thread, size_t index) {
    const AttentionProblem p = SequenceOf(all, lengths, index / (heads * chunks));
    const size_t chunk = RoundUp(CeilDiv(p.rows, chunks), kQueries);
    const size_t head = index / chunks % heads, first = index % chunks * chunk;
    if (first >= p.rows) return;
    const bool in_int16 =
        arithmetic == AttentionArithmetic::kInt16 ||
        (arithmetic == AttentionArithmetic::kInt16IfLong && p.rows >= kLongSequence);
    const auto attend = in_int16 ? AttendChunk<Int16> : AttendChunk<Float32>;
    attend(p, head, first, std::min(p.rows - first, chunk), scratch + thread * kTaskScratchBytes);
  });
  return OkStatus();
}

}  // namespace clipglot
