// The inner loops of attention in whole numbers (attention_int16.cc): a few groups of eight queries
// of one head against a block of keys. Private to nn.
//
// As in attention_kernel.h eight queries lie side by side in the lanes. Every operand is int16 and
// stands in pairs, of two channels or of two keys: one instruction multiplies four pairs and adds
// the two products of each. The sums are exact in int32.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "nn/attention/float32_kernel.h"

namespace clipglot {

// Queries and keys are at most so large that a sum of `dim` products fits.
inline int32_t Int16Most(size_t dim) {
  return static_cast<int32_t>(std::sqrt(2147483647.0 / static_cast<double>(dim)));
}
// The weights of a block sum to no more than kInt16WeightSum (with half a unit for each key's
// rounding a little more), and a weight is at most kInt16WeightMost. Values get the bits that the
// weights leave: of a block's values each rounding counts in full where all keys have the same.
inline constexpr int kInt16WeightSum = 1 << 17, kInt16WeightMost = 65535,
                     kInt16ValueMost = 2147483647 / (kInt16WeightSum + static_cast<int>(kMaxBlock));
// A weight of 0: so that 16 bits hold it.
inline constexpr int kInt16WeightZero = -32768;
static_assert(kInt16ValueMost <= 32767);

// One block of keys, and the groups that it meets. All sums of floats run over blocks in their
// order, whatever the groups.
struct AttentionBlockInt16 {
  const int32_t* keys;    // [keys / 4][dim / 2][4 keys]: a pair of channels
  const int32_t* values;  // [padded_dim / 4][keys / 2][4 channels]: a pair of keys
  const int32_t*
      value_starts;          // [padded_dim]: -kInt16WeightZero times the sum of a channel's values
  const float* key_steps;    // [keys]: what one unit is worth
  const float* value_steps;  // [padded_dim]
  const float* bias;         // [keys]: 0, or -infinity for a key that does not count
  size_t count;              // keys, a multiple of 4
  size_t dim, padded_dim;
  size_t groups;         // 1 ... kMaxGroups
  const int32_t* q;      // [groups][dim / 2][8]: a pair of channels
  const float* q_steps;  // [groups][8], times log2(e) / sqrt(dim)
  float* o;              // [groups][padded_dim][8]: running sums of values
  float* scores;         // [groups][keys][8], scratch
  float* max;            // [groups][8]: running maximum of the scores
  float* sum;            // [groups][8]: running sums of the weights 2^(score - max)
};

// Takes the block's keys into o, max and sum.
void AttendBlock(const AttentionBlockInt16& block);

}  // namespace clipglot
