#include "weights/model_layout.h"

#include <algorithm>

#include "base/limits.h"
#include "base/overloaded.h"
#include "base/strings.h"

namespace clipglot {
namespace {

constexpr std::string_view kText = "text_model.transformer.roberta.";
constexpr std::string_view kVision = "vision_model.";

// Collects the slots of one part.
class SlotList {
 public:
  explicit SlotList(bool adapters) : adapters_(adapters) {}

  Slot& Vector(std::string name, size_t length, std::vector<float>& vector) {
    return slots_.emplace_back(Slot{std::move(name), 1, length, false, nullptr, &vector, {}});
  }
  Slot& Matrix(std::string name, size_t rows, size_t columns, bool quantised,
               clipglot::Matrix& matrix) {
    return slots_.emplace_back(
        Slot{std::move(name), rows, columns, quantised, &matrix, nullptr, {}});
  }
  // A vector that comes from one tensor of the same name.
  void PlainVector(const std::string& name, size_t length, std::vector<float>& vector) {
    Vector(name, length, vector).sources = {Source{name, {length}, 1, length, 0, "", ""}};
  }
  void Norm(const std::string& prefix, size_t length, NormWeights& norm) {
    PlainVector(prefix + ".bias", length, norm.bias);
    PlainVector(prefix + ".weight", length, norm.weight);
  }
  // A linear layer of the vision tower: plain names.
  void Linear(const std::string& prefix, size_t out, size_t in, LinearWeights& linear) {
    PlainVector(prefix + ".bias", out, linear.bias);
    const std::string name = prefix + ".weight";
    Matrix(name, out, in, true, linear.weight).sources = {
        Source{name, {out, in}, out, in, 0, "", ""}};
  }
  // A linear layer of the text tower: its weight may carry an adapter.
  void TextLinear(const std::string& prefix, size_t out, size_t in, LinearWeights& linear) {
    PlainVector(prefix + ".bias", out, linear.bias);
    Matrix(prefix + ".weight", out, in, true, linear.weight).sources = {
        Adapted(prefix, out, in, /*row_factor=*/"lora_B", /*column_factor=*/"lora_A")};
  }
  // Upstream parametrises the weight of every adapted layer (torch.nn.utils.parametrize); without
  // adapters it is plain.
  Source Adapted(const std::string& prefix, size_t rows, size_t columns,
                 std::string_view row_factor, std::string_view column_factor) const {
    if (!adapters_) return Source{prefix + ".weight", {rows, columns}, rows, columns, 0, "", ""};
    const std::string weight = prefix + ".parametrizations.weight.";
    return Source{weight + "original",
                  {rows, columns},
                  rows,
                  columns,
                  0,
                  StrCat(weight, "0.", row_factor),
                  StrCat(weight, "0.", column_factor)};
  }
  std::vector<Slot> Take() { return std::move(slots_); }

 private:
  bool adapters_;
  std::vector<Slot> slots_;
};

void ListEmbeddings(const TextConfig& config, SlotList& slots, TextEmbeddings& part) {
  const std::string prefix(kText);
  const size_t hidden = config.hidden_size;
  slots.Norm(prefix + "emb_ln", hidden, part.norm);
  const std::string types = prefix + "embeddings.token_type_embeddings",
                    words = prefix + "embeddings.word_embeddings";
  slots.Vector(types + ".weight", hidden, part.token_type).sources = {
      slots.Adapted(types, 1, hidden, "lora_A", "lora_B")};
  slots.Matrix(words + ".weight", config.vocab_size, hidden, true, part.words).sources = {
      slots.Adapted(words, config.vocab_size, hidden, "lora_A", "lora_B")};
}

void ListTextLayer(const TextConfig& config, size_t index, SlotList& slots, TextLayer& part) {
  const std::string prefix = StrCat(kText, "encoder.layers.", index, ".");
  const size_t hidden = config.hidden_size, inner = config.intermediate_size;
  slots.TextLinear(prefix + "mixer.Wqkv", 3 * hidden, hidden, part.qkv);
  slots.TextLinear(prefix + "mixer.out_proj", hidden, hidden, part.out_proj);
  slots.TextLinear(prefix + "mlp.fc1", inner, hidden, part.fc1);
  slots.TextLinear(prefix + "mlp.fc2", hidden, inner, part.fc2);
  slots.Norm(prefix + "norm1", hidden, part.norm1);
  slots.Norm(prefix + "norm2", hidden, part.norm2);
}

void ListVisionStem(const VisionConfig& config, SlotList& slots, VisionStem& part) {
  const std::string prefix(kVision);
  const size_t width = config.width, patch = config.patch_size, inputs = 3 * patch * patch,
               tokens = config.tokens();
  slots.Vector(prefix + "cls_token", width, part.cls_token).sources = {
      Source{prefix + "cls_token", {1, 1, width}, 1, width, 0, "", ""}};
  slots.PlainVector(prefix + "patch_embed.proj.bias", width, part.patch.bias);
  const std::string proj = prefix + "patch_embed.proj.weight";
  slots.Matrix(proj, width, inputs, false, part.patch.weight).sources = {
      Source{proj, {width, 3, patch, patch}, width, inputs, 0, "", ""}};
  slots.Matrix(prefix + "pos_embed", tokens, width, false, part.positions).sources = {
      Source{prefix + "pos_embed", {1, tokens, width}, tokens, width, 0, "", ""}};
}

void ListVisionLayer(const VisionConfig& config, size_t index, SlotList& slots, VisionLayer& part) {
  const std::string prefix = StrCat(kVision, "blocks.", index, ".");
  const std::string attn = prefix + "attn.", mlp = prefix + "mlp.";
  const size_t width = config.width, hidden = config.mlp_hidden;
  slots.Norm(attn + "inner_attn_ln", width, part.inner_attn_norm);
  slots.Linear(attn + "proj", width, width, part.proj);
  // q, k, v in one matrix; upstream's k has no bias, which is a bias of zero.
  slots.Vector(attn + "qkv_proj.bias", 3 * width, part.qkv.bias).sources = {
      Source{attn + "q_bias", {width}, 1, width, 0, "", ""},
      Source{attn + "v_bias", {width}, 1, width, 2 * width, "", ""}};
  Slot& qkv = slots.Matrix(attn + "qkv_proj.weight", 3 * width, width, true, part.qkv.weight);
  for (size_t i = 0; i < 3; ++i) {
    constexpr const char* kNames[] = {"q_proj.weight", "k_proj.weight", "v_proj.weight"};
    qkv.sources.push_back(
        Source{attn + kNames[i], {width, width}, width, width, i * width * width, "", ""});
  }
  slots.Norm(mlp + "ffn_ln", hidden, part.ffn_norm);
  slots.Vector(mlp + "w12.bias", 2 * hidden, part.w12.bias).sources = {
      Source{mlp + "w1.bias", {hidden}, 1, hidden, 0, "", ""},
      Source{mlp + "w2.bias", {hidden}, 1, hidden, hidden, "", ""}};
  slots.Matrix(mlp + "w12.weight", 2 * hidden, width, true, part.w12.weight).sources = {
      Source{mlp + "w1.weight", {hidden, width}, hidden, width, 0, "", ""},
      Source{mlp + "w2.weight", {hidden, width}, hidden, width, hidden * width, "", ""}};
  slots.Linear(mlp + "w3", width, hidden, part.w3);
  slots.Norm(prefix + "norm1", width, part.norm1);
  slots.Norm(prefix + "norm2", width, part.norm2);
}

// Of the slot's own numbers in a model of `format`.
WeightFormat FormatOf(const Slot& slot, WeightFormat format) {
  return slot.quantised ? format : WeightFormat::kF32;
}

}  // namespace

std::vector<PartId> ListParts(const ModelConfig& config, bool text, bool vision) {
  std::vector<PartId> parts;
  if (text) {
    parts.push_back({PartKind::kTextEmbeddings, 0});
    for (size_t i = 0; i < config.text.layers; ++i) parts.push_back({PartKind::kTextLayer, i});
  }
  if (vision) {
    parts.push_back({PartKind::kVisionStem, 0});
    for (size_t i = 0; i < config.vision.layers; ++i) parts.push_back({PartKind::kVisionLayer, i});
    parts.push_back({PartKind::kVisionNorm, 0});
  }
  return parts;
}

std::string_view PartTower(PartId id) {
  return id.kind == PartKind::kTextEmbeddings || id.kind == PartKind::kTextLayer ? "text"
                                                                                 : "vision";
}

std::string_view PartGroup(PartId id) {
  if (id.kind == PartKind::kTextEmbeddings) return "text-embeddings";
  return id.kind == PartKind::kTextLayer ? "text-layers" : "vision";
}

PartData MakePart(PartId id) {
  switch (id.kind) {
    case PartKind::kTextEmbeddings:
      return TextEmbeddings();
    case PartKind::kTextLayer:
      return TextLayer();
    case PartKind::kVisionStem:
      return VisionStem();
    case PartKind::kVisionLayer:
      return VisionLayer();
    case PartKind::kVisionNorm:
      return VisionNorm();
  }
  return VisionNorm();
}

std::vector<Slot> ListSlots(const ModelConfig& config, PartId id, PartData& part) {
  SlotList slots(config.text.lora_rank > 0);
  std::visit(
      Overloaded{
          [&](TextEmbeddings& embeddings) { ListEmbeddings(config.text, slots, embeddings); },
          [&](TextLayer& layer) { ListTextLayer(config.text, id.index, slots, layer); },
          [&](VisionStem& stem) { ListVisionStem(config.vision, slots, stem); },
          [&](VisionLayer& layer) { ListVisionLayer(config.vision, id.index, slots, layer); },
          [&](VisionNorm& last) {
            slots.Norm(StrCat(kVision, "norm"), config.vision.width, last.norm);
          }},
      part);
  return slots.Take();
}

uint64_t SlotBytes(const Slot& slot, WeightFormat format) {
  // Sizes are bounded by ParseModelConfig: the product fits.
  const WeightFormatTraits& traits = TraitsOf(FormatOf(slot, format));
  return slot.rows * (traits.row_bytes(slot.columns) + traits.scale_bytes(slot.columns));
}

Status AllocateSlot(const Slot& slot, WeightFormat format) {
  if (slot.vector != nullptr) {
    slot.vector->assign(slot.columns, 0.0f);
    return OkStatus();
  }
  Matrix& matrix = *slot.matrix;
  matrix.format = FormatOf(slot, format);
  matrix.rows = slot.rows;
  matrix.columns = slot.columns;
  const WeightFormatTraits& traits = TraitsOf(matrix.format);
  const uint64_t rows = slot.rows;
  CLIPGLOT_ASSIGN_OR_RETURN(
      matrix.values,
      AlignedBuffer::TryAllocate(rows * traits.row_bytes(slot.columns), slot.name.c_str()));
  if (matrix.format == WeightFormat::kInt8PerRow) matrix.scales.assign(slot.rows, 1.0f);
  if (matrix.format == WeightFormat::kInt4Block32) {
    CLIPGLOT_ASSIGN_OR_RETURN(
        matrix.block_scales,
        AlignedBuffer::TryAllocate(rows * traits.scale_bytes(slot.columns), slot.name.c_str()));
  }
  return OkStatus();
}

std::vector<uint64_t> RowFactorShape(const TextConfig& config, const Source& source) {
  return {config.lora_adapters, source.rows, config.lora_rank};
}

std::vector<uint64_t> ColumnFactorShape(const TextConfig& config, const Source& source) {
  return {config.lora_adapters, config.lora_rank, source.columns};
}

std::vector<ExpectedTensor> ListCheckpointTensors(const ModelConfig& config) {
  std::vector<ExpectedTensor> tensors;
  for (const PartId id : ListParts(config, true, true)) {
    PartData part = MakePart(id);
    for (const Slot& slot : ListSlots(config, id, part)) {
      for (const Source& source : slot.sources) {
        tensors.push_back({source.name, source.shape});
        if (source.row_factor.empty()) continue;
        tensors.push_back({source.column_factor, ColumnFactorShape(config.text, source)});
        tensors.push_back({source.row_factor, RowFactorShape(config.text, source)});
      }
    }
  }
  return tensors;
}

bool IsIgnoredTensor(std::string_view name) {
  if (name == "logit_scale") return true;
  // Rotary tables, which some checkpoints store: vision_model.[blocks.N.attn.]rope.freqs_cos and
  // freqs_sin.
  if (!name.starts_with(kVision)) return false;
  name.remove_prefix(kVision.size());
  constexpr std::string_view kBlocks = "blocks.", kAttn = ".attn.";
  if (name.starts_with(kBlocks)) {
    name.remove_prefix(kBlocks.size());
    name.remove_prefix(std::min(name.find_first_not_of("0123456789"), name.size()));
    if (!name.starts_with(kAttn)) return false;
    name.remove_prefix(kAttn.size());
  }
  return name == "rope.freqs_cos" || name == "rope.freqs_sin";
}

std::vector<PackEntry> ListPackEntries(const Slot& slot) {
  if (slot.vector != nullptr) {
    return {PackEntry{
        slot.name, DType::kF32, {slot.columns}, std::as_writable_bytes(std::span(*slot.vector))}};
  }
  Matrix& matrix = *slot.matrix;
  const WeightFormatTraits& traits = TraitsOf(matrix.format);
  const auto row_bytes = static_cast<size_t>(traits.row_bytes(slot.columns));
  const size_t whole = static_cast<size_t>(kMaxPackTensor) /
                       row_bytes;  // at least 1: a row is at most 768 KiB (ParseModelConfig)
  const bool blocks = slot.rows > whole;
  std::vector<PackEntry> entries;
  for (size_t row = 0; row < slot.rows; row += whole) {
    const size_t rows = std::min(whole, slot.rows - row);
    const std::string name = blocks ? StrCat(slot.name, ".rows.", row) : slot.name;
    const auto bytes = matrix.values.bytes().subspan(row * row_bytes, rows * row_bytes);
    const std::string suffix = matrix.format == WeightFormat::kF32 ? "" : StrCat(".", traits.name);
    entries.push_back(
        {name + suffix, traits.values, {rows, row_bytes / DTypeSize(traits.values)}, bytes});
    if (matrix.format == WeightFormat::kInt8PerRow) {
      entries.push_back({name + ".scale",
                         DType::kF32,
                         {rows},
                         std::as_writable_bytes(std::span(matrix.scales).subspan(row, rows))});
    } else if (matrix.format == WeightFormat::kInt4Block32) {
      const auto scale_bytes = static_cast<size_t>(traits.scale_bytes(slot.columns));
      entries.push_back(
          {name + ".scale",
           DType::kBF16,
           {rows, Q4RowBlocks(slot.columns)},
           matrix.block_scales.bytes().subspan(row * scale_bytes, rows * scale_bytes)});
    }
  }
  return entries;
}

}  // namespace clipglot
