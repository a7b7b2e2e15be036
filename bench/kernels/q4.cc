// What 4-bit weights cost in error and bytes. Prints one JSON line for each figure:
//   {"what":"error","weights":"gaussian","way":"q4","relative":0.0719}       √(Σ(w' - w)² / Σw²)
//   {"what":"search","weights":"gaussian","ratio":0.697,"per_second":3.1e7}  squared error over
//   that of
//                         largest / 7 rounded to nearest in the same blocks; weights quantised a
//                         second
//   {"what":"bytes","tower":"text","dtype":"q4","bytes":314000000}           tensors of a full-size
//   tower
// Ways: "q4" ours; "nearest" the same blocks, largest / 7; "channel" one scale a row of 1024,
// largest / 7 (what XNNPACK's qc4w takes); "q4 as q8" ours once more rounded to 8 bits with one
// scale a row.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <random>
#include <vector>

#include "weights/float_conversion.h"
#include "weights/model_layout.h"
#include "weights/quantize_q4.h"

namespace clipglot {
namespace {

using Row = std::vector<float>;

Row OurWay(const Row& row) {
  std::vector<uint8_t> values(Q4RowBytes(row.size()));
  std::vector<uint16_t> scales(Q4RowBlocks(row.size()));
  Row out(row.size());
  QuantizeRowQ4(row, values, scales);
  DequantizeQ4Row(values, scales, out);
  return out;
}

Row Nearest(const Row& row, size_t block, float levels) {
  Row out(row.size());
  for (size_t b = 0; b < row.size(); b += block) {
    const size_t end = std::min(row.size(), b + block);
    float largest = 0;
    for (size_t i = b; i < end; ++i) largest = std::max(largest, std::abs(row[i]));
    const float scale = largest > 0 ? largest / levels : 1;
    for (size_t i = b; i < end; ++i) out[i] = scale * std::nearbyint(row[i] / scale);
  }
  return out;
}

double SquaredError(const Row& a, const Row& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

void Errors() {
  constexpr size_t kRows = 1024, kColumns = 1024;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Row gains(kColumns);
  for (float& gain : gains) gain = std::exp(0.3f * normal(random));
  for (size_t i = 0; i < 6; ++i) gains[i * 170 + 7] *= 20;
  const std::pair<const char*, std::function<float(size_t)>> kinds[] = {
      {"gaussian", [&](size_t) { return normal(random); }},
      {"six columns of 20", [&](size_t c) { return normal(random) * gains[c]; }},
      {"heavy tails", [&](size_t) { return normal(random) * std::exp(normal(random)); }}};
  const std::pair<const char*, std::function<Row(const Row&)>> ways[] = {
      {"q4", OurWay},
      {"nearest", [](const Row& row) { return Nearest(row, kQ4Block, 7); }},
      {"channel", [](const Row& row) { return Nearest(row, row.size(), 7); }},
      {"q4 as q8", [](const Row& row) { return Nearest(OurWay(row), row.size(), 127); }}};
  for (const auto& [kind, draw] : kinds) {
    std::vector<Row> rows(kRows, Row(kColumns));
    double size = 0, errors[std::size(ways)] = {}, seconds = 0;
    for (Row& row : rows) {
      for (size_t c = 0; c < kColumns; ++c) row[c] = draw(c);
      size += SquaredError(row, Row(kColumns));
      for (size_t w = 0; w < std::size(ways); ++w) {
        const std::clock_t start = std::clock();
        errors[w] += SquaredError(row, ways[w].second(row));
        if (w == 0) seconds += static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      }
    }
    for (size_t w = 0; w < std::size(ways); ++w) {
      std::printf("{\"what\":\"error\",\"weights\":\"%s\",\"way\":\"%s\",\"relative\":%.4f}\n",
                  kind, ways[w].first, std::sqrt(errors[w] / size));
    }
    std::printf("{\"what\":\"search\",\"weights\":\"%s\",\"ratio\":%.3f,\"per_second\":%.2g}\n",
                kind, errors[0] / errors[1], kRows * kColumns / seconds);
  }
}

// Defaults of ModelConfig are those of the full model.
void Bytes() {
  const ModelConfig config;
  for (const bool text : {true, false}) {
    for (const WeightFormatTraits& traits : AllWeightFormats()) {
      uint64_t bytes = 0;
      for (const PartId id : ListParts(config, text, !text)) {
        PartData part = MakePart(id);
        for (const Slot& slot : ListSlots(config, id, part))
          bytes += SlotBytes(slot, traits.format);
      }
      std::printf("{\"what\":\"bytes\",\"tower\":\"%s\",\"dtype\":\"%s\",\"bytes\":%llu}\n",
                  text ? "text" : "vision", std::string(traits.name).c_str(),
                  static_cast<unsigned long long>(bytes));
    }
  }
}

}  // namespace
}  // namespace clipglot

int main() {
  clipglot::Errors();
  clipglot::Bytes();
}
