#include <cmath>
#include <numeric>

#include "nn/nn.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;

// base^(-2j / dim), in float32 as upstream: 1 / (base ** (arange(0, dim, 2) / dim)).
float InverseFrequency(size_t j, size_t dim, double base) {
  const float exponent = static_cast<float>(2 * j) / static_cast<float>(dim);
  return 1.0f / static_cast<float>(std::pow(base, static_cast<double>(exponent)));
}

void SetAngle(RotaryTable& table, size_t index, float angle) {
  table.cos[index] = static_cast<float>(std::cos(static_cast<double>(angle)));
  table.sin[index] = static_cast<float>(std::sin(static_cast<double>(angle)));
}

RotaryTable MakeTable(size_t positions, size_t pairs) {
  RotaryTable table;
  table.positions = positions;
  table.pairs = pairs;
  table.cos.resize(positions * pairs);
  table.sin.resize(positions * pairs);
  return table;
}

CLIPGLOT_NOINLINE void RotateHalfSplit(float* head, size_t pairs, const float* cos,
                                       const float* sin) {
  for (size_t j = 0; j < pairs; ++j) {
    const float a = head[j], b = head[j + pairs];
    head[j] = a * cos[j] - b * sin[j];
    head[j + pairs] = b * cos[j] + a * sin[j];
  }
}

// Four pairs at a time: compilers do not vectorise the interleaved form. The operations and their
// order are those of a single pair.
CLIPGLOT_NOINLINE void RotateInterleaved(float* head, size_t pairs, const float* cos,
                                         const float* sin) {
  size_t j = 0;
  for (; j + 4 <= pairs; j += 4) {
    float* at = head + 2 * j;
    const F32x4 first = simd::Load(at), second = simd::Load(at + 4);
    const F32x4 a = __builtin_shufflevector(first, second, 0, 2, 4, 6);
    const F32x4 b = __builtin_shufflevector(first, second, 1, 3, 5, 7);
    const F32x4 c = simd::Load(cos + j), s = simd::Load(sin + j);
    const F32x4 x = a * c - b * s, y = b * c + a * s;
    simd::Store(at, __builtin_shufflevector(x, y, 0, 4, 1, 5));
    simd::Store(at + 4, __builtin_shufflevector(x, y, 2, 6, 3, 7));
  }
  for (; j < pairs; ++j) {
    const float a = head[2 * j], b = head[2 * j + 1];
    head[2 * j] = a * cos[j] - b * sin[j];
    head[2 * j + 1] = b * cos[j] + a * sin[j];
  }
}

}  // namespace

RotaryTable TextRotary(size_t positions, size_t head_dim, double base) {
  const size_t pairs = head_dim / 2;
  RotaryTable table = MakeTable(positions, pairs);
  for (size_t j = 0; j < pairs; ++j) {
    const float frequency = InverseFrequency(j, head_dim, base);
    for (size_t p = 0; p < positions; ++p)
      SetAngle(table, p * pairs + j, static_cast<float>(p) * frequency);
  }
  return table;
}

RotaryTable VisionRotary(size_t grid, size_t head_dim, double base, size_t reference,
                         bool interpolate) {
  const size_t quarter = head_dim / 4;
  const size_t pairs = 2 * quarter;
  RotaryTable table = MakeTable(grid * grid, pairs);
  for (size_t i = 0; i < quarter; ++i) {
    const float frequency = InverseFrequency(i, head_dim / 2, base);
    for (size_t at = 0; at < grid; ++at) {
      const float coordinate = interpolate ? static_cast<float>(at) / static_cast<float>(grid) *
                                                 static_cast<float>(reference)
                                           : static_cast<float>(at);
      const float angle = coordinate * frequency;
      for (size_t other = 0; other < grid; ++other) {
        SetAngle(table, (at * grid + other) * pairs + i, angle);            // `at` is the row
        SetAngle(table, (other * grid + at) * pairs + quarter + i, angle);  // `at` is the column
      }
    }
  }
  return table;
}

void Rotate(std::span<float> qkv, std::span<const size_t> lengths, size_t heads, size_t head_dim,
            const RotaryTable& table, RotaryPairing pairing, size_t skip, Workspace& workspace) {
  const ProfileScope scope(workspace.profile(), ProfileCategory::kRotary);
  const size_t rows = std::accumulate(lengths.begin(), lengths.end(), size_t{0});
  const size_t stride = 3 * heads * head_dim;
  RunRanges(ImplOf(workspace), rows, /*grain=*/1,
            /*nanoseconds=*/uint64_t{rows} * heads * head_dim * 2, [&](size_t begin, size_t end) {
              size_t sequence = 0, place = begin;  // of row r: its sequence, and its index in that
              for (size_t r = begin; r < end; ++r, ++place) {
                while (place >= lengths[sequence]) place -= lengths[sequence++];
                if (place < skip) continue;
                const float* cos = table.cos.data() + (place - skip) * table.pairs;
                const float* sin = table.sin.data() + (place - skip) * table.pairs;
                float* row = qkv.data() + r * stride;
                // The heads of k follow those of q.
                for (size_t h = 0; h < 2 * heads; ++h) {
                  if (pairing == RotaryPairing::kHalfSplit) {
                    RotateHalfSplit(row + h * head_dim, table.pairs, cos, sin);
                  } else {
                    RotateInterleaved(row + h * head_dim, table.pairs, cos, sin);
                  }
                }
              }
            });
}

}  // namespace clipglot
