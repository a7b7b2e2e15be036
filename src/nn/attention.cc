#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/checked.h"
#include "base/strings.h"
#include "nn/attention_kernel.h"
#include "nn/nn.h"
#include "nn/simd.h"
#include "nn/workspace_impl.h"

namespace clipglot {
namespace {

using simd::F32x4;

constexpr size_t RoundUp(size_t value, size_t step) { return (value + step - 1) / step * step; }

// One sequence: what every task reads.
struct Problem {
  const float* qkv;
  size_t rows, heads, dim;
  size_t padded_dim;        // rounded up to kTile
  const uint8_t* key_mask;  // null: every key counts
  float* out;

  size_t stride() const { return 3 * heads * dim; }
  // From the first of all sequences to number `index`.
  Problem Of(std::span<const size_t> lengths, size_t index) const {
    Problem p = *this;
    p.rows = lengths[index];
    const size_t before = std::accumulate(lengths.begin(), lengths.begin() + index, size_t{0});
    p.qkv += before * stride();
    p.out += before * heads * dim;
    if (p.key_mask != nullptr) p.key_mask += before;
    return p;
  }
};

// One thread's part of Workspace::Impl::attention.
struct Scratch {
  float* q;       // [chunk / 8][dim][8 queries]
  float* o;       // [chunk / 8][padded_dim][8 queries]
  float* keys;    // [keys / 4][dim][4 keys]
  float* values;  // [padded_dim / 4][keys][4 channels]
  float* scores;  // [groups][keys][8 queries]
  float *max, *sum, *bias;

  explicit Scratch(float* at)
      : q(at),
        o(q + kChunkFloats),
        keys(o + kChunkFloats),
        values(keys + kBlockFloats),
        scores(values + kBlockFloats),
        max(scores + kMaxGroups * kMaxBlock * kQueries),
        sum(max + kMaxChunk),
        bias(sum + kMaxChunk) {}
};

// Four rows of four floats, columns and rows exchanged: a row of `from` is `from_step` apart, one of
// `to` `to_step`.
inline void Transpose(const float* from, size_t from_step, float* to, size_t to_step) {
  const F32x4 r0 = simd::Load(from), r1 = simd::Load(from + from_step),
              r2 = simd::Load(from + 2 * from_step), r3 = simd::Load(from + 3 * from_step);
  const F32x4 a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5),
              b = __builtin_shufflevector(r2, r3, 0, 4, 1, 5),
              c = __builtin_shufflevector(r0, r1, 2, 6, 3, 7),
              d = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
  simd::Store(to, __builtin_shufflevector(a, b, 0, 1, 4, 5));
  simd::Store(to + to_step, __builtin_shufflevector(a, b, 2, 3, 6, 7));
  simd::Store(to + 2 * to_step, __builtin_shufflevector(c, d, 0, 1, 4, 5));
  simd::Store(to + 3 * to_step, __builtin_shufflevector(c, d, 2, 3, 6, 7));
}

// Four rows `from` [4][dim], `from_step` apart, to columns `to` [dim][4], `to_step` apart.
CLIPGLOT_ROW_FUNCTION void TransposeRows(const float* from, size_t from_step, size_t dim, float* to,
                                         size_t to_step) {
  size_t c = 0;
  for (; c + 4 <= dim; c += 4) Transpose(from + c, from_step, to + c * to_step, to_step);
  for (; c < dim; ++c) {
    for (size_t r = 0; r < 4; ++r) to[c * to_step + r] = from[r * from_step + c];
  }
}

// Packs `count` queries from row `first` of head `head`, scaled by log2(e) / sqrt(dim), since the
// weights are powers of 2, and filled up with zeros to a multiple of kQueries. Clears the sums.
void StartChunk(const Problem& p, size_t head, size_t first, size_t count, const Scratch& s) {
  constexpr double kLog2E = 1.4426950408889634;
  const float scale = static_cast<float>(kLog2E / std::sqrt(static_cast<double>(p.dim)));
  const size_t padded = RoundUp(count, kQueries);
  for (size_t r = 0; r < padded; r += 4) {
    float* to = s.q + r / kQueries * kQueries * p.dim + r % kQueries;
    const float* from = p.qkv + (first + r) * p.stride() + head * p.dim;
    if (r + 4 <= count) {
      TransposeRows(from, p.stride(), p.dim, to, kQueries);
    } else {
      for (size_t i = 0; i < 4; ++i, from += p.stride()) {
        for (size_t c = 0; c < p.dim; ++c) to[c * kQueries + i] = r + i < count ? from[c] : 0.0f;
      }
    }
  }
  for (size_t i = 0; i < padded * p.dim; ++i) s.q[i] *= scale;
  for (size_t r = 0; r < padded; ++r) {
    s.max[r] = -std::numeric_limits<float>::infinity();
    s.sum[r] = 0;
  }
  for (size_t i = 0; i < padded * p.padded_dim; ++i) s.o[i] = 0;
}

void PackValue(const Problem& p, const float* value, size_t padded_count, float* to) {
  size_t c = 0;
  for (; c + kTile <= p.dim; c += kTile, to += kTile * padded_count) {
    simd::Store(to, simd::Load(value + c));
  }
  if (c < p.dim) simd::Store(to, simd::LoadPart(value + c, p.dim - c));
}

void PackNoKey(const Problem& p, size_t padded_count, float* to_key, float* to_value) {
  for (size_t c = 0; c < p.dim; ++c) to_key[c * kTile] = 0;
  for (size_t c = 0; c < p.padded_dim; c += kTile) {
    for (size_t i = 0; i < kTile; ++i) to_value[c * padded_count + i] = 0;
  }
}

// Packs `count` keys (<= BlockKeys) and values from row `first`. Keys that are left out, and the
// filling up to padded_count, are zero in both and -infinity in `bias`. Gives how many keys count.
size_t PackBlock(const Problem& p, size_t head, size_t first, size_t count, size_t padded_count,
                 const Scratch& s) {
  const size_t width = p.heads * p.dim;
  size_t used = 0;
  for (size_t tile = 0; tile < padded_count; tile += kTile) {
    float* to_keys = s.keys + tile * p.dim;
    const float* keys = p.qkv + (first + tile) * p.stride() + width + head * p.dim;
    size_t counted = 0;
    for (size_t j = tile; j < tile + kTile; ++j) {
      const bool counts = j < count && (p.key_mask == nullptr || p.key_mask[first + j] != 0);
      s.bias[j] = counts ? 0.0f : -std::numeric_limits<float>::infinity();
      counted += counts;
    }
    used += counted;
    if (counted == kTile) TransposeRows(keys, p.stride(), p.dim, to_keys, kTile);
    for (size_t i = 0; i < kTile; ++i, keys += p.stride()) {
      float* to_value = s.values + (tile + i) * kTile;
      if (s.bias[tile + i] != 0) {
        PackNoKey(p, padded_count, to_keys + i, to_value);
        continue;
      }
      if (counted != kTile) {
        for (size_t c = 0; c < p.dim; ++c) to_keys[c * kTile + i] = keys[c];
      }
      PackValue(p, keys + width, padded_count, to_value);
    }
  }
  return used;
}

// Divides by the sums of weights, back to rows.
void FinishChunk(const Problem& p, size_t head, size_t first, size_t count, const Scratch& s) {
  for (size_t r = 0; r < count; r += 4) {
    const float* from = s.o + r / kQueries * kQueries * p.padded_dim + r % kQueries;
    float* to = p.out + (first + r) * p.heads * p.dim + head * p.dim;
    for (size_t i = 0; i < 4 && r + i < count; ++i, to += p.heads * p.dim) {
      const float inverse = s.sum[r + i] == 0 ? 0.0f : 1.0f / s.sum[r + i];
      for (size_t c = 0; c < p.dim; ++c) to[c] = from[c * kQueries + i] * inverse;
    }
  }
}

// `count` queries of one head against all keys.
void AttendChunk(const Problem& p, size_t head, size_t first, size_t count, const Scratch& s) {
  StartChunk(p, head, first, count, s);
  const size_t block = BlockKeys(p.padded_dim);
  for (size_t key = 0; key < p.rows; key += block) {
    const size_t keys = p.rows - key < block ? p.rows - key : block;
    const size_t padded = RoundUp(keys, kTile);
    if (PackBlock(p, head, key, keys, padded, s) == 0) continue;
    for (size_t row = 0; row < count; row += kMaxGroups * kQueries) {
      const size_t groups = (count - row + kQueries - 1) / kQueries;
      AttendBlock({.keys = s.keys,
                   .values = s.values,
                   .bias = s.bias,
                   .count = padded,
                   .dim = p.dim,
                   .padded_dim = p.padded_dim,
                   .groups = groups < kMaxGroups ? groups : kMaxGroups,
                   .q = s.q + row * p.dim,
                   .o = s.o + row * p.padded_dim,
                   .scores = s.scores,
                   .max = s.max + row,
                   .sum = s.sum + row});
    }
  }
  FinishChunk(p, head, first, count, s);
}

}  // namespace

Status Attention(std::span<const float> qkv, std::span<const size_t> lengths, size_t heads,
                 size_t head_dim, std::span<const uint8_t> key_mask, std::span<float> out,
                 Workspace& workspace) {
  size_t rows = 0, longest = 0;
  uint64_t pairs = 0;  // of a query and a key
  for (const size_t length : lengths) {
    rows += length;
    longest = std::max(longest, length);
    pairs += uint64_t{length} * length;
  }
  if (rows == 0 || heads == 0) return OkStatus();
  const ProfileScope scope(workspace.profile(), Work::kAttention);
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
  const Problem first_sequence = {.qkv = qkv.data(),
                                  .rows = lengths[0],
                                  .heads = heads,
                                  .dim = head_dim,
                                  .padded_dim = RoundUp(head_dim, kTile),
                                  .key_mask = key_mask.empty() ? nullptr : key_mask.data(),
                                  .out = out.data()};
  const uint64_t nanoseconds =
      pairs * heads * head_dim / 5;  // 4·pairs·heads·dim at 20 GFLOP/s
  // Chunks of equal size, and enough of them for every thread to get two: they should finish
  // together.
  Workspace::Impl& impl = workspace.impl();
  const size_t most = ChunkRows(first_sequence.padded_dim);
  size_t chunks = (longest + most - 1) / most;
  if (impl.PoolFor(nanoseconds) != nullptr) {
    const size_t alike = heads * lengths.size();
    chunks = std::max(chunks, (2 * impl.threads + alike - 1) / alike);
  }
  float* scratch = impl.attention.as<float>().data();
  RunTasks(impl, lengths.size() * heads * chunks, nanoseconds, [&](size_t thread, size_t index) {
    const Problem p = first_sequence.Of(lengths, index / (heads * chunks));
    const size_t chunk = RoundUp((p.rows + chunks - 1) / chunks, kQueries);
    const size_t head = index / chunks % heads, first = index % chunks * chunk;
    if (first >= p.rows) return;
    AttendChunk(p, head, first, std::min(p.rows - first, chunk),
                Scratch(scratch + thread * kAttentionScratchFloats));
  });
  return OkStatus();
}

}  // namespace clipglot
