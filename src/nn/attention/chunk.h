// FlashAttention's online softmax, once for both arithmetics (float32.h, int16.h). Private to nn.
//
// A task takes a chunk of the queries of one head of one sequence against all keys of it, block by
// block: pack a block of keys and values, multiply, rescale what was summed so far to the new
// maximum, add. The sequences of a batch are concatenated without padding, with a length each
// ("varlen", cu_seqlens there).
//
// Eight queries lie side by side in the lanes, so that maxima, sums and corrections of the softmax
// need no step across lanes: scores are [key][8 queries], sums of values [channel][8 queries]. Four
// groups of eight go through a block together, so that a tile of keys or values is read from the L2
// cache once for all of them.
//
// An Arithmetic is a struct of static functions and types:
//   Operand, kNumbers  what is multiplied, and how many channels or keys one holds
//   Scratch            a ChunkScratch of its operands, and what else it needs
//   Factors            by what the sums of a group must be scaled for a block
//   PackQueries, PackBlock, ScoreTile, SoftmaxStep, ValueTile
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "base/limits.h"
#include "base/math.h"

namespace clipglot {

inline constexpr size_t kQueries = 8;     // queries of a group
inline constexpr size_t kMaxGroups = 4;   // groups that go through a block together
inline constexpr size_t kTile = 4;        // keys, or channels of values, side by side when packed
inline constexpr size_t kMaxBlock = 128;  // keys packed at a time
inline constexpr size_t kMaxChunk = 672;  // queries that share the packing: an image has two chunks
// With heads of 64 channels a block's keys and values take 64 KiB, the scores and queries of four
// groups 24 KiB. Larger heads get fewer rows.
inline constexpr size_t kBlockNumbers = kMaxBlock * 64;
inline constexpr size_t kChunkNumbers = kMaxChunk * 64;

// Keys of a block, for heads of `padded_dim` channels.
constexpr size_t BlockKeys(size_t padded_dim) {
  return std::min(RoundDown(kBlockNumbers / padded_dim, kTile), kMaxBlock);
}

// Queries of a chunk at most.
constexpr size_t ChunkRows(size_t padded_dim) {
  return std::min(RoundDown(kChunkNumbers / padded_dim, kQueries), kMaxChunk);
}

// One sequence: what every task reads.
struct AttentionProblem {
  const float* qkv;
  size_t rows, heads, dim;
  size_t padded_dim;        // rounded up to kTile
  const uint8_t* key_mask;  // null: every key counts
  float* out;

  size_t stride() const { return 3 * heads * dim; }
  // Of row `row` and head `head`.
  const float* query(size_t row, size_t head) const { return qkv + row * stride() + head * dim; }
  const float* key(size_t row, size_t head) const { return query(row, heads + head); }
  const float* value(size_t row, size_t head) const { return query(row, 2 * heads + head); }
  bool Counts(size_t row) const { return key_mask == nullptr || key_mask[row] != 0; }
};

// Takes one array after the other from a thread's scratch memory.
class ScratchCursor {
 public:
  explicit ScratchCursor(std::byte* at) : at_(at) {}
  template <typename T>
  std::span<T> Take(size_t count) {
    T* const taken = reinterpret_cast<T*>(at_);
    at_ += count * sizeof(T);
    return {taken, count};
  }

 private:
  std::byte* at_;
};

// The memory of one task. An operand holds `kNumbers` channels of q and keys, or keys of values;
// for the shapes "dim / n" and "keys / n" count operands.
template <typename Operand, size_t kNumbers>
struct ChunkScratch {
  std::span<Operand> q;       // [chunk / 8][dim / n][8 queries]
  std::span<float> o;         // [chunk / 8][padded_dim][8 queries]: running sums of values
  std::span<Operand> keys;    // [keys / 4][dim / n][4 keys]
  std::span<Operand> values;  // [padded_dim / 4][keys / n][4 channels]
  std::span<float> scores;    // [groups][keys][8 queries]
  std::span<float> max;       // [chunk]: running maximum of the scores
  std::span<float> sum;       // [chunk]: running sum of the weights 2^(score - max)
  std::span<float> bias;      // [keys]: 0, or -infinity for a key that does not count

  explicit ChunkScratch(ScratchCursor& from)
      : q(from.Take<Operand>(kChunkNumbers / kNumbers)),
        o(from.Take<float>(kChunkNumbers)),
        keys(from.Take<Operand>(kBlockNumbers / kNumbers)),
        values(from.Take<Operand>(kBlockNumbers / kNumbers)),
        scores(from.Take<float>(kMaxGroups * kMaxBlock * kQueries)),
        max(from.Take<float>(kMaxChunk)),
        sum(from.Take<float>(kMaxChunk)),
        bias(from.Take<float>(kMaxBlock)) {}

  static constexpr size_t kBytes =
      (kChunkNumbers + 2 * kBlockNumbers) / kNumbers * sizeof(Operand) +
      (kChunkNumbers + kMaxGroups * kMaxBlock * kQueries + 2 * kMaxChunk + kMaxBlock) *
          sizeof(float);
};

// What scores are multiplied by: weights are powers of 2, so log2(e) / sqrt(dim).
float ScoreScale(size_t dim);

// Calls visit(first key, keys, keys rounded up to kTile) for each block of the sequence's keys.
template <typename Visit>
void ForEachKeyBlock(const AttentionProblem& p, const Visit& visit) {
  const size_t block = BlockKeys(p.padded_dim);
  for (size_t key = 0; key < p.rows; key += block) {
    const size_t keys = std::min(p.rows - key, block);
    visit(key, keys, RoundUp(keys, kTile));
  }
}

// Takes a packed block of `keys` keys (a multiple of kTile) into o, max and sum of `groups` groups
// from query `row` of the chunk on. Every sum runs over channels, then keys, in their order,
// whatever the groups.
template <typename Arithmetic>
void AttendBlock(const AttentionProblem& p, const typename Arithmetic::Scratch& s, size_t row,
                 size_t groups, size_t keys) {
  const auto scores = [&](size_t group) { return s.scores.data() + group * keys * kQueries; };
  for (size_t key = 0; key < keys; key += kTile) {
    for (size_t g = 0; g < groups; ++g)
      Arithmetic::ScoreTile(s, p.dim, row + g * kQueries, key, scores(g) + key * kQueries);
  }
  typename Arithmetic::Factors factors[kMaxGroups];
  for (size_t g = 0; g < groups; ++g) {
    const size_t at = row + g * kQueries;
    Arithmetic::SoftmaxStep(scores(g), keys, s.max.data() + at, s.sum.data() + at, factors[g]);
  }
  for (size_t c = 0; c < p.padded_dim; c += kTile) {
    for (size_t g = 0; g < groups; ++g) {
      float* const o = s.o.data() + (row + g * kQueries) * p.padded_dim + c * kQueries;
      Arithmetic::ValueTile(s, c, scores(g), keys, factors[g], o);
    }
  }
}

// Divides the sums of values `o` by the sums of weights and writes them to the rows of p.out.
void FinishChunk(const AttentionProblem& p, size_t head, size_t first, size_t count,
                 std::span<const float> o, std::span<const float> sum);

// `count` queries (at most ChunkRows) of one head, from row `first` on, against all keys.
// `scratch`: Arithmetic::Scratch::kBytes.
template <typename Arithmetic>
void AttendChunk(const AttentionProblem& p, size_t head, size_t first, size_t count,
                 std::byte* scratch) {
  ScratchCursor cursor(scratch);
  const typename Arithmetic::Scratch s(cursor);
  const size_t padded = RoundUp(count, kQueries);
  Arithmetic::PackQueries(p, head, first, count, s);
  std::fill_n(s.max.data(), padded, -std::numeric_limits<float>::infinity());
  std::fill_n(s.sum.data(), padded, 0.0f);
  std::fill_n(s.o.data(), padded * p.padded_dim, 0.0f);
  ForEachKeyBlock(p, [&](size_t key, size_t keys, size_t padded_keys) {
    if (Arithmetic::PackBlock(p, head, key, keys, padded_keys, s) == 0) return;
    for (size_t row = 0; row < count; row += kMaxGroups * kQueries) {
      const size_t groups = std::min(CeilDiv(count - row, kQueries), kMaxGroups);
      AttendBlock<Arithmetic>(p, s, row, groups, padded_keys);
    }
  });
  FinishChunk(p, head, first, count, s.o, s.sum);
}

}  // namespace clipglot
