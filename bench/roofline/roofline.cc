// What this wasm engine on this machine can do at most, and layers to hold against it; measured
// from outside (measure.mjs). A few C functions: an index names a peak or a layer, a text in JSON
// tells what it is.
#include <emscripten.h>

#include <string>

#include "operators.h"
#include "peaks.h"

namespace clipglot::roofline {
namespace {

std::string g_text;  // what the last describing call gave
std::unique_ptr<Workspace> g_workspace;
Operator g_operator;
std::shared_ptr<Layers> g_layers;  // of the shape at hand
AlignedBuffer g_memory;

struct LinearShape {
  size_t in, out;
};
// The text tower's: qkv, out_proj, fc1, fc2; the image tower's: w1 and w2 together, w3.
constexpr LinearShape kShapes[] = {{1024, 3072}, {1024, 1024}, {1024, 4096},
                                   {4096, 1024}, {1024, 5460}, {2730, 1024}};
constexpr size_t kRows[] = {1, 8, 128};
constexpr size_t kAttentionRows[] = {32, 128, 512, kImageTokens};
constexpr size_t kAttentions = 2 * std::size(kAttentionRows);
constexpr size_t kLinears = std::size(kShapes) * std::size(kRows) * 2;
constexpr size_t kElementwise = 4;

Result<Operator> Make(size_t index) {
  if (!g_workspace) {
    CLIPGLOT_ASSIGN_OR_RETURN(g_workspace, Workspace::Create(1));
  }
  if (index < kLinears) {
    const LinearShape shape = kShapes[index / std::size(kRows) % std::size(kShapes)];
    const bool q8 = index < kLinears / 2;
    if (index % std::size(kRows) == 0 || !g_layers) {
      g_layers.reset();  // let go before taking
      CLIPGLOT_ASSIGN_OR_RETURN(
          g_layers, MakeLayers(q8 ? WeightFormat::kInt8PerRow : WeightFormat::kInt4Block32,
                               shape.in, shape.out));
    }
    return MakeLinear(q8 ? "q8" : "q4", g_layers, kRows[index % std::size(kRows)], *g_workspace);
  }
  g_layers.reset();
  index -= kLinears;
  if (index < kAttentions) {
    const AttentionArithmetic arithmetic =
        index % 2 == 0 ? AttentionArithmetic::kFloat32 : AttentionArithmetic::kInt16;
    return MakeAttention(kAttentionRows[index / 2], arithmetic, *g_workspace);
  }
  CLIPGLOT_ASSIGN_OR_RETURN(std::vector<Operator> all, MakeElementwise(*g_workspace));
  return all.at(index - kAttentions);
}

}  // namespace
}  // namespace clipglot::roofline

using namespace clipglot;
using namespace clipglot::roofline;

extern "C" {

EMSCRIPTEN_KEEPALIVE int peak_count() { return std::size(kPeaks); }
EMSCRIPTEN_KEEPALIVE const char* peak_describe(int index) {
  const Peak& peak = kPeaks[index];
  g_text = StrCat("{\"name\":\"", peak.name, "\",\"unit\":\"", peak.unit,
                  "\",\"operations\":", static_cast<int64_t>(peak.operations), "}");
  return g_text.c_str();
}
EMSCRIPTEN_KEEPALIVE int peak_run(int index, int iterations) {
  return kPeaks[index].run(static_cast<size_t>(iterations));
}

// One pass over `bytes` (a multiple of 64); 0 bytes gives the memory back.
EMSCRIPTEN_KEEPALIVE int memory_read(int bytes) {
  const size_t size = static_cast<size_t>(bytes);
  if (g_memory.size() != size) {
    g_memory = AlignedBuffer();
    Result<AlignedBuffer> memory = AlignedBuffer::TryAllocate(size, "memory");
    if (!memory.ok()) return 0;
    g_memory = *std::move(memory);
    for (uint8_t& byte : g_memory.as<uint8_t>()) byte = 1;
  }
  return ReadMemory(g_memory.as<const uint8_t>().data(), size);
}

EMSCRIPTEN_KEEPALIVE int operator_count() { return kLinears + kAttentions + kElementwise; }
// Makes the layer that operator_run runs, and gives the one before back.
EMSCRIPTEN_KEEPALIVE const char* operator_make(int index) {
  g_operator = {};
  Result<Operator> made = Make(static_cast<size_t>(index));
  if (!made.ok()) {
    g_text = StrCat("{\"error\":", "\"", made.status().detail(), "\"}");
    return g_text.c_str();
  }
  g_operator = *std::move(made);
  g_text = StrCat("{\"name\":\"", g_operator.name, "\",\"limit\":\"", g_operator.limit,
                  "\",\"operations\":", static_cast<int64_t>(g_operator.operations),
                  ",\"bytes\":", static_cast<int64_t>(g_operator.bytes),
                  ",\"workingSet\":", static_cast<int64_t>(g_operator.working_set), "}");
  return g_text.c_str();
}
EMSCRIPTEN_KEEPALIVE int operator_run() { return static_cast<int>(g_operator.run().code()); }

}  // extern "C"
