#include <cmath>
#include <limits>

#include "base/checked.h"
#include "base/strings.h"
#include "nn/attention_kernel.h"
#include "nn/nn.h"
#include "nn/workspace_impl.h"

namespace clipglot {
namespace {

constexpr size_t RoundUp(size_t value, size_t step) { return (value + step - 1) / step * step; }

// One call of Attention: what every task reads.
struct Problem {
  const float* qkv;
  size_t rows, heads, dim;
  size_t padded_dim;        // rounded up to kTile
  const uint8_t* key_mask;  // null: every key counts
  float* out;

  size_t stride() const { return 3 * heads * dim; }
};

// One thread's part of Workspace::Impl::attention.
struct Scratch {
  float* q;       // [chunk / 8][dim][8 queries]
  float* o;       // [chunk / 8][padded_dim][8 queries]
  float* keys;    // [keys / 4][dim][4 keys]
  float* values;  // [padded_dim / 4][keys][4 channels]
  float* scores;  // [keys][8 queries]
  float *max, *sum, *bias;

  explicit Scratch(float* at)
      : q(at),
        o(q + kChunkFloats),
        keys(o + kChunkFloats),
        values(keys + kBlockFloats),
        scores(values + kBlockFloats),
        max(scores + kMaxBlock * kQueries),
        sum(max + kMaxChunk),
        bias(sum + kMaxChunk) {}
};

// Packs `count` queries from row `first` of head `head`, scaled by 1 / sqrt(dim) and filled up with
// zeros to a multiple of kQueries. Clears the sums.
void StartChunk(const Problem& p, size_t head, size_t first, size_t count, const Scratch& s) {
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(p.dim)));
  const size_t padded = RoundUp(count, kQueries);
  for (size_t r = 0; r < padded; ++r) {
    float* to = s.q + r / kQueries * kQueries * p.dim + r % kQueries;
    if (r < count) {
      const float* from = p.qkv + (first + r) * p.stride() + head * p.dim;
      for (size_t c = 0; c < p.dim; ++c) to[c * kQueries] = from[c] * scale;
    } else {
      for (size_t c = 0; c < p.dim; ++c) to[c * kQueries] = 0;
    }
    s.max[r] = -std::numeric_limits<float>::infinity();
    s.sum[r] = 0;
  }
  for (size_t i = 0; i < padded * p.padded_dim; ++i) s.o[i] = 0;
}

void PackKey(const Problem& p, const float* key, const float* value, size_t padded_count,
             float* to_key, float* to_value) {
  for (size_t c = 0; c < p.dim; ++c) to_key[c * kTile] = key[c];
  for (size_t c = 0; c < p.padded_dim; c += kTile) {
    float* to = to_value + c * padded_count;
    for (size_t i = 0; i < kTile; ++i) to[i] = c + i < p.dim ? value[c + i] : 0.0f;
  }
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
  for (size_t j = 0; j < padded_count; ++j) {
    float* to_key = s.keys + j / kTile * kTile * p.dim + j % kTile;
    float* to_value = s.values + j * kTile;
    if (j < count && (p.key_mask == nullptr || p.key_mask[first + j] != 0)) {
      const float* key = p.qkv + (first + j) * p.stride() + width + head * p.dim;
      PackKey(p, key, key + width, padded_count, to_key, to_value);
      s.bias[j] = 0;
      ++used;
    } else {
      PackNoKey(p, padded_count, to_key, to_value);
      s.bias[j] = -std::numeric_limits<float>::infinity();
    }
  }
  return used;
}

// Eight queries from row `row` of the chunk against the packed block.
void AttendBlock(const Problem& p, size_t row, size_t padded_count, const float* bias,
                 const Scratch& s) {
  const float* q = s.q + row * p.dim;
  for (size_t j = 0; j < padded_count; j += kTile) {
    TileProduct(s.keys + j * p.dim, q, p.dim, s.scores + j * kQueries);
  }
  float factor[kQueries];
  SoftmaxStep(s.scores, padded_count, bias, s.max + row, s.sum + row, factor);
  float* o = s.o + row * p.padded_dim;
  for (size_t c = 0; c < p.padded_dim; c += kTile) {
    TileAccumulate(s.values + c * padded_count, s.scores, padded_count, factor, o + c * kQueries);
  }
}

void FinishChunk(const Problem& p, size_t head, size_t first, size_t count, const Scratch& s) {
  for (size_t r = 0; r < count; ++r) {
    const float* from = s.o + r / kQueries * kQueries * p.padded_dim + r % kQueries;
    float* to = p.out + (first + r) * p.heads * p.dim + head * p.dim;
    const float inverse = s.sum[r] == 0 ? 0.0f : 1.0f / s.sum[r];
    for (size_t c = 0; c < p.dim; ++c) to[c] = from[c * kQueries] * inverse;
  }
}

// `count` queries of one head against all keys.
void AttendChunk(const Problem& p, size_t head, size_t first, size_t count, const Scratch& s) {
  StartChunk(p, head, first, count, s);
  const size_t block = BlockKeys(p.padded_dim);
  for (size_t key = 0; key < p.rows; key += block) {
    const size_t keys = p.rows - key < block ? p.rows - key : block;
    const size_t padded = RoundUp(keys, kTile);
    const size_t used = PackBlock(p, head, key, keys, padded, s);
    if (used == 0) continue;
    const float* bias = used == padded ? nullptr : s.bias;
    for (size_t row = 0; row < count; row += kQueries) AttendBlock(p, row, padded, bias, s);
  }
  FinishChunk(p, head, first, count, s);
}

}  // namespace

Status Attention(std::span<const float> qkv, size_t rows, size_t heads, size_t head_dim,
                 std::span<const uint8_t> key_mask, std::span<float> out, Workspace& workspace) {
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
  const Problem p = {.qkv = qkv.data(),
                     .rows = rows,
                     .heads = heads,
                     .dim = head_dim,
                     .padded_dim = RoundUp(head_dim, kTile),
                     .key_mask = key_mask.empty() ? nullptr : key_mask.data(),
                     .out = out.data()};
  const uint64_t nanoseconds =
      uint64_t{rows} * rows * heads * head_dim / 5;  // 4·rows²·heads·dim at 20 GFLOP/s
  // Chunks of equal size, and enough of them for every thread to get two: they should finish
  // together.
  Workspace::Impl& impl = workspace.impl();
  const size_t most = ChunkRows(p.padded_dim);
  size_t chunks = (rows + most - 1) / most;
  if (impl.PoolFor(nanoseconds) != nullptr) {
    const size_t wanted = (2 * impl.threads + heads - 1) / heads;
    chunks = chunks < wanted ? wanted : chunks;
  }
  const size_t chunk = RoundUp((rows + chunks - 1) / chunks, kQueries);
  float* scratch = impl.attention.as<float>().data();
  RunTasks(impl, heads * chunks, nanoseconds, [&](size_t thread, size_t index) {
    const size_t head = index / chunks, first = index % chunks * chunk;
    if (first >= rows) return;
    const size_t count = rows - first < chunk ? rows - first : chunk;
    AttendChunk(p, head, first, count, Scratch(scratch + thread * kAttentionScratchFloats));
  });
  return OkStatus();
}

}  // namespace clipglot
