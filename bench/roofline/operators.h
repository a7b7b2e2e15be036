// The layers of the full model at its shapes, ready to be run again and again.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/strings.h"
#include "nn/nn.h"

namespace clipglot::roofline {

// `operations`: multiplications and additions of one run (0: none that count); `bytes`: that one
// run must move from or to memory at least, weights once a run and activations once; `working_set`:
// that repeated runs touch.
struct Operator {
  std::string name,
      limit;  // limit: "q8", "q4" or "f32", the arithmetic that bounds it, or "memory"
  double operations = 0, bytes = 0, working_set = 0;
  std::function<Status()> run;
};

inline constexpr size_t kHidden = 1024, kHeads = 16, kHeadDim = 64, kImageTokens = 1297,
                        kGated = 2730, kIntermediate = 4096;
// Weights of few rows come from memory in a tower of 24 layers; here too, by taking turns among
// copies of so many bytes in all.
inline constexpr size_t kColdBytes = size_t{96} << 20;
inline constexpr size_t kFewRows = 32;

inline Result<AlignedBuffer> RandomFloats(size_t count) {
  CLIPGLOT_ASSIGN_OR_RETURN(AlignedBuffer buffer,
                            AlignedBuffer::TryAllocateArray<float>(count, "bench"));
  std::mt19937 random(static_cast<uint32_t>(count));
  for (float& v : buffer.as<float>()) v = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
  return buffer;
}

inline Result<Matrix> RandomWeights(WeightFormat format, size_t out, size_t in) {
  Matrix m;
  m.format = format;
  m.rows = out;
  m.columns = in;
  std::mt19937 random(1);
  CLIPGLOT_ASSIGN_OR_RETURN(
      m.values, AlignedBuffer::TryAllocate(out * TraitsOf(format).row_bytes(in), "bench"));
  if (format == WeightFormat::kInt8PerRow) {
    // Normal, as trained weights nearly are, a row's largest at 127: speed may depend on it
    // (src/nn/int8/acc16_weights.h).
    std::normal_distribution<float> normal;
    std::vector<float> row(in);
    for (size_t o = 0; o < out; ++o) {
      float largest = 0;
      for (float& v : row) largest = std::max(largest, std::abs(v = normal(random)));
      for (size_t i = 0; i < in; ++i)
        m.values.as<int8_t>()[o * in + i] =
            static_cast<int8_t>(std::lround(row[i] * 127 / largest));
    }
    m.scales.assign(out, 0.001f);
    return m;
  }
  for (uint8_t& v : m.values.as<uint8_t>()) v = static_cast<uint8_t>(random());
  CLIPGLOT_ASSIGN_OR_RETURN(
      m.block_scales, AlignedBuffer::TryAllocateArray<uint16_t>(out * Q4RowBlocks(in), "bench"));
  for (uint16_t& v : m.block_scales.as<uint16_t>())
    v = static_cast<uint16_t>(0x3A80 + random() % 128);  // 2^-10 ... 2^-9
  return m;
}

// What a run needs, kept alive by the function.
struct Buffers {
  AlignedBuffer x, y, weight;
  RotaryTable table;
  size_t turn = 0;
};

inline Result<std::shared_ptr<Buffers>> MakeBuffers(size_t x, size_t y, size_t weight = 0) {
  auto buffers = std::make_shared<Buffers>();
  CLIPGLOT_ASSIGN_OR_RETURN(buffers->x, RandomFloats(x));
  CLIPGLOT_ASSIGN_OR_RETURN(buffers->y, RandomFloats(y));
  CLIPGLOT_ASSIGN_OR_RETURN(buffers->weight, RandomFloats(weight));
  return buffers;
}

// Copies of one layer, kColdBytes in all.
using Layers = std::vector<Linear>;
inline Result<std::shared_ptr<Layers>> MakeLayers(WeightFormat format, size_t in, size_t out) {
  CLIPGLOT_ASSIGN_OR_RETURN(const Matrix weights, RandomWeights(format, out, in));
  auto layers = std::make_shared<Layers>();
  for (size_t packed = 0; packed < kColdBytes; packed += layers->back().packed_bytes()) {
    CLIPGLOT_ASSIGN_OR_RETURN(Linear layer, Linear::Create(weights, {}));
    layers->push_back(std::move(layer));
  }
  return layers;
}

inline Result<Operator> MakeLinear(const char* dtype, std::shared_ptr<Layers> layers, size_t rows,
                                   Workspace& workspace) {
  const size_t in = layers->front().in(), out = layers->front().out(),
               copies = rows <= kFewRows ? layers->size() : 1;
  CLIPGLOT_ASSIGN_OR_RETURN(const auto b, MakeBuffers(rows * in, rows * out));
  const double one = static_cast<double>(layers->front().packed_bytes()),
               activations = 4.0 * static_cast<double>(rows * (in + out));
  Operator op{StrCat("linear ", dtype, " ", rows, " x ", in, " -> ", out),
              dtype,
              2.0 * static_cast<double>(rows * in * out),
              one + activations,
              one * static_cast<double>(copies) + activations,
              {}};
  op.run = [b, layers, rows, copies, &workspace] {
    return (*layers)[b->turn++ % copies].Run(b->x.as<float>(), rows, b->y.as<float>(), workspace);
  };
  return op;
}

inline Result<Operator> MakeAttention(size_t rows, AttentionArithmetic arithmetic,
                                      Workspace& workspace) {
  CLIPGLOT_ASSIGN_OR_RETURN(const auto b, MakeBuffers(rows * 3 * kHidden, rows * kHidden));
  const double bytes = 16.0 * static_cast<double>(rows * kHidden);
  const bool whole = arithmetic == AttentionArithmetic::kInt16;
  Operator op{StrCat("attention ", whole ? "int16 " : "f32 ", rows),
              whole ? "int16" : "f32",
              4.0 * static_cast<double>(rows * rows * kHidden),
              bytes,
              bytes,
              {}};
  op.run = [b, rows, arithmetic, &workspace] {
    return Attention(b->x.as<float>(), rows, kHeads, kHeadDim, {}, arithmetic, b->y.as<float>(),
                     workspace);
  };
  return op;
}

// Elementwise work on `reads` + `writes` floats.
inline Operator Elementwise(std::string name, size_t reads, size_t writes,
                            std::function<Status()> run) {
  const double bytes = 4.0 * static_cast<double>(reads + writes);
  return {std::move(name), "memory", 0, bytes, bytes, std::move(run)};
}

inline Result<std::vector<Operator>> MakeElementwise(Workspace& workspace) {
  std::vector<Operator> list;
  const size_t rows = 512, n = rows * kHidden;
  CLIPGLOT_ASSIGN_OR_RETURN(const auto norm, MakeBuffers(2 * n, n, kHidden));
  list.push_back(Elementwise("layer norm with residual 512 x 1024", 2 * n, n, [norm, &workspace] {
    const auto x = norm->x.as<float>(), weight = norm->weight.as<float>();
    LayerNorm(x.first(n), x.last(n), rows, weight, weight, 1e-5, norm->y.as<float>(), workspace);
    return OkStatus();
  }));
  const size_t wide = rows * kIntermediate;
  CLIPGLOT_ASSIGN_OR_RETURN(const auto gelu, MakeBuffers(0, wide));
  list.push_back(Elementwise("gelu 512 x 4096", wide, wide, [gelu, &workspace] {
    Gelu(gelu->y.as<float>(), workspace);
    return OkStatus();
  }));
  const size_t gated = kImageTokens * kGated;
  CLIPGLOT_ASSIGN_OR_RETURN(const auto swiglu, MakeBuffers(2 * gated, gated));
  list.push_back(Elementwise("swiglu 1297 x 2730", 2 * gated, gated, [swiglu, &workspace] {
    SwiGlu(swiglu->x.as<float>(), kImageTokens, kGated, swiglu->y.as<float>(), workspace);
    return OkStatus();
  }));
  CLIPGLOT_ASSIGN_OR_RETURN(const auto rotary, MakeBuffers(0, rows * 3 * kHidden));
  rotary->table = TextRotary(rows, kHeadDim, 20000);
  list.push_back(Elementwise("rotary 512 x 2048", 2 * n, 2 * n, [rotary, &workspace] {
    Rotate(rotary->y.as<float>(), rows, kHeads, kHeadDim, rotary->table, RotaryPairing::kHalfSplit,
           0, workspace);
    return OkStatus();
  }));
  return list;
}

}  // namespace clipglot::roofline
