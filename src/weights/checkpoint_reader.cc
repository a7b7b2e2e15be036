// Reads an upstream checkpoint: config.json, preprocessor_config.json, the tokenizer, then
// model.safetensors part by part. Adapters are folded in, fused matrices assembled, and linears
// quantised row by row while the bytes pass.

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "base/strings.h"
#include "container/safetensors.h"
#include "weights/float_conversion.h"
#include "weights/model_layout.h"
#include "weights/step_reader.h"
#include "weights/store_row.h"

namespace clipglot {
namespace {

constexpr std::string_view kConfigFile = "config.json";
constexpr std::string_view kPreprocessorFile = "preprocessor_config.json";
constexpr std::string_view kTensorFile = "model.safetensors";
// The same tokenizer in two formats; the first that is there is read.
constexpr std::string_view kTokenizerFiles[] = {"tokenizer.json", "sentencepiece.bpe.model"};
constexpr uint64_t kMaxConfigFile = uint64_t{1} << 20;

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string ShapeText(std::span<const uint64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += StrCat(i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

Status TensorError(std::string_view name, std::string_view problem) {
  return Status(Code::kCorruptModel,
                StrCat(kTensorFile, ": tensor ", Printable(name), ": ", problem));
}

// The applied adapter's factors for the rows that are read next.
struct Factors {
  std::vector<float> rows;     // [rows of the block, rank]
  std::vector<float> columns;  // [rank, columns]
};

class CheckpointReader final : public StepReader {
 public:
  CheckpointReader(std::vector<FileEntry> files, const ReadOptions& options, ModelSink* sink)
      : StepReader(std::move(files), options, sink),
        next_part_(options.first_part),
        next_word_row_(options.first_word_row) {}

 private:
  enum class Stage { kConfig, kTokenizer, kPrefix, kHeader, kTensors };

  Status Plan() override;
  Status PlanConfig();
  Status PlanTokenizer();
  Status PlanPrefix();
  Status ParseHeader(std::string_view header);
  Status CheckPosition();
  Status PlanPart();
  Status PlanWords();
  void PlanSource(const Slot& slot, const Source& source, size_t first_row, size_t rows_at_once,
                  std::vector<Step>& steps);
  Step FactorStep(const std::string& name, uint64_t first, size_t count, std::vector<float>* out);
  Status StoreRows(const Slot& slot, const Source& source, DType dtype, size_t first_row,
                   const Factors* factors, std::span<const std::byte> bytes);

  ByteRange TensorRange(const Section& section, uint64_t first, uint64_t count) const {
    const uint64_t size = DTypeSize(section.dtype);
    return {tensor_file_, section.offset + first * size, count * size};
  }

  Stage stage_ = Stage::kConfig;
  Json config_json_, preprocessor_json_;
  ModelConfig config_;
  size_t tensor_file_ = 0;
  uint64_t header_bytes_ = 0;
  SectionTable table_;
  std::vector<PartId> parts_;
  size_t next_part_;
  // The word embedding goes to the sink row by row, after the first part.
  size_t word_rows_at_once_ = 0;  // 0: it is in the part like everything else
  size_t next_word_row_;          // first row that is not planned yet
  std::optional<Slot> words_;
  // The part that is being read; parts_[next_part_ - 1].
  std::optional<PartData> part_;
  std::vector<Slot> slots_;
  std::vector<float> row_, delta_;  // scratch of one row
};

Status CheckpointReader::Plan() {
  switch (stage_) {
    case Stage::kConfig:
      stage_ = Stage::kTokenizer;
      return PlanConfig();
    case Stage::kTokenizer: {
      CLIPGLOT_ASSIGN_OR_RETURN(config_, ParseModelConfig(config_json_, preprocessor_json_));
      config_.format = options_.format;
      parts_ = ListParts(config_, options_.text, options_.vision);
      CLIPGLOT_RETURN_IF_ERROR(sink_->OnModel(config_));
      word_rows_at_once_ = options_.text ? sink_->WordRowsAtOnce() : 0;
      CLIPGLOT_RETURN_IF_ERROR(CheckPosition());
      stage_ = Stage::kPrefix;
      if (options_.text) return PlanTokenizer();
      [[fallthrough]];
    }
    case Stage::kPrefix:
      stage_ = Stage::kHeader;
      return PlanPrefix();
    case Stage::kHeader:
      stage_ = Stage::kTensors;
      Add({{tensor_file_, kSafetensorsPrefix, header_bytes_},
           false,
           [this](std::span<const std::byte> bytes) { return ParseHeader(AsText(bytes)); }});
      return OkStatus();
    case Stage::kTensors:
      if (part_) {
        CLIPGLOT_RETURN_IF_ERROR(sink_->OnPart(parts_[next_part_ - 1], std::move(*part_)));
        part_.reset();
      }
      if (word_rows_at_once_ > 0 && next_part_ == 1 && next_word_row_ < config_.text.vocab_size)
        return PlanWords();
      return next_part_ < parts_.size() ? PlanPart() : OkStatus();
  }
  return Status(Code::kInternal, "unknown stage of reading");
}

Status CheckpointReader::PlanConfig() {
  // All files are looked for before the first byte is asked for.
  CLIPGLOT_ASSIGN_OR_RETURN(tensor_file_, FindFile(kTensorFile));
  const auto parse = [](Json& out, std::string_view file) {
    return [&out, file](std::span<const std::byte> bytes) -> Status {
      CLIPGLOT_ASSIGN_OR_RETURN(out, Json::Parse(AsText(bytes), std::string(file)));
      return OkStatus();
    };
  };
  CLIPGLOT_RETURN_IF_ERROR(
      AddWholeFile(kConfigFile, kMaxConfigFile, parse(config_json_, kConfigFile)));
  return AddWholeFile(kPreprocessorFile, kMaxConfigFile,
                      parse(preprocessor_json_, kPreprocessorFile));
}

Status CheckpointReader::PlanTokenizer() {
  for (const std::string_view name : kTokenizerFiles) {
    if (!HasFile(name)) continue;
    return AddWholeFile(name, kMaxSmallFile, [this, name](std::span<const std::byte> bytes) {
      return sink_->OnTokenizer(name, bytes);
    });
  }
  return Status(Code::kCorruptModel,
                "neither tokenizer.json nor sentencepiece.bpe.model is in the model's folder");
}

Status CheckpointReader::PlanPrefix() {
  const uint64_t file_bytes = files_[tensor_file_].bytes;
  if (file_bytes < kSafetensorsPrefix) {
    return Status(Code::kCorruptModel, StrCat(kTensorFile, ": ", file_bytes,
                                              " bytes are too few for a safetensors file"));
  }
  Add({{tensor_file_, 0, kSafetensorsPrefix},
       false,
       [this, file_bytes](std::span<const std::byte> bytes) -> Status {
         CLIPGLOT_ASSIGN_OR_RETURN(header_bytes_,
                                   ParseSafetensorsPrefix(kTensorFile, bytes, file_bytes));
         return OkStatus();
       }});
  return OkStatus();
}

// The table must hold exactly the tensors that the configuration asks for, whichever tower is read.
Status CheckpointReader::ParseHeader(std::string_view header) {
  CLIPGLOT_ASSIGN_OR_RETURN(table_,
                            SectionTable::Parse(kTensorFile, header, files_[tensor_file_].bytes));
  std::set<std::string_view> known;
  const std::vector<ExpectedTensor> expected = ListCheckpointTensors(config_);
  for (const ExpectedTensor& tensor : expected) {
    known.insert(tensor.name);
    const Section* section = table_.Find(tensor.name);
    if (section == nullptr)
      return TensorError(tensor.name,
                         StrCat("missing, shape ", ShapeText(tensor.shape), " expected"));
    if (section->shape != tensor.shape) {
      return TensorError(tensor.name,
                         StrCat("shape ", ShapeText(section->shape), ", but ",
                                ShapeText(tensor.shape), " expected by ", kConfigFile));
    }
    if (!IsFloat(section->dtype)) {
      return TensorError(tensor.name, StrCat("number format ", DTypeName(section->dtype),
                                             ", but F32, F16 or BF16 expected"));
    }
  }
  for (const Section& section : table_.sections()) {
    if (!known.contains(section.name) && !IsIgnoredTensor(section.name)) {
      return TensorError(section.name, StrCat("not expected by ", kConfigFile));
    }
  }
  // Progress: what the parts will read.
  for (size_t i = 0; i < parts_.size(); ++i) {
    PartData part = MakePart(parts_[i]);
    for (const Slot& slot : ListSlots(config_, parts_[i], part)) {
      uint64_t by_row = 0, shared = 0;
      for (const Source& source : slot.sources) {
        by_row += table_.Find(source.name)->bytes;
        if (source.row_factor.empty()) continue;
        by_row += table_.Find(source.row_factor)->bytes / config_.text.lora_adapters;
        shared += table_.Find(source.column_factor)->bytes / config_.text.lora_adapters;
      }
      total_bytes_ += by_row + shared;
      if (i >= options_.first_part) continue;
      const bool cut = i == 0 && word_rows_at_once_ > 0 && slot.matrix != nullptr &&
                       options_.first_word_row < slot.rows;
      CountAsRead(cut ? by_row / slot.rows * options_.first_word_row : by_row + shared);
    }
  }
  return OkStatus();
}

// Where a resumed reading begins: within the parts; within the word embedding only after part 0.
Status CheckpointReader::CheckPosition() {
  const size_t row = options_.first_word_row, rows = config_.text.vocab_size;
  const bool by_rows = word_rows_at_once_ > 0;
  const bool possible =
      options_.first_part <= parts_.size() &&
      (by_rows ? options_.first_part == 0 ? row == 0
                 : options_.first_part == 1
                     ? row <= rows && (row % word_rows_at_once_ == 0 || row == rows)
                     : row == rows
               : row == 0);
  if (possible) return OkStatus();
  return Status(Code::kInvalidArgument, StrCat("no reading of this model stops at part ",
                                               options_.first_part, ", word row ", row));
}

Status CheckpointReader::PlanPart() {
  const PartId id = parts_[next_part_++];
  part_ = MakePart(id);
  slots_ = ListSlots(config_, id, *part_);
  // Sources in the order of the file, so that neighbours are read at once. The steps of one source
  // keep their order.
  std::multimap<uint64_t, std::vector<Step>> by_offset;
  for (const Slot& slot : slots_) {
    if (id.kind == PartKind::kTextEmbeddings && word_rows_at_once_ > 0 && slot.matrix != nullptr) {
      continue;  // PlanWords
    }
    CLIPGLOT_RETURN_IF_ERROR(AllocateSlot(slot, config_.format));
    for (const Source& source : slot.sources) {
      std::vector<Step> steps;
      PlanSource(slot, source, 0, 0, steps);
      const uint64_t offset = steps.front().range.offset;
      by_offset.emplace(offset, std::move(steps));
    }
  }
  for (auto& [offset, steps] : by_offset) {
    for (Step& step : steps) Add(std::move(step));
  }
  return OkStatus();
}

// The rows of the word embedding, for a sink that takes them one by one.
Status CheckpointReader::PlanWords() {
  PartData part = MakePart(parts_[0]);
  for (Slot& slot : ListSlots(config_, parts_[0], part)) {
    if (slot.matrix == nullptr) continue;
    words_ = std::move(slot);
    words_->matrix = nullptr;  // there is no such matrix
  }
  std::vector<Step> steps;
  PlanSource(*words_, words_->sources.front(), next_word_row_, word_rows_at_once_, steps);
  for (Step& step : steps) Add(std::move(step));
  next_word_row_ = words_->rows;
  return OkStatus();
}

// Row blocks of at most kReadBytes; with an adapter, the factor that all rows share comes first,
// and the factor of a block's rows before the block. With `rows_at_once`, no block and no commit
// crosses a multiple of it.
void CheckpointReader::PlanSource(const Slot& slot, const Source& source, size_t first_row,
                                  size_t rows_at_once, std::vector<Step>& steps) {
  const Section& section = *table_.Find(source.name);
  const bool adapted = !source.row_factor.empty();
  const size_t rank = config_.text.lora_rank;
  const uint64_t index = config_.text.lora_index;
  size_t block = static_cast<size_t>(kReadBytes) / (source.columns * DTypeSize(section.dtype));
  std::shared_ptr<Factors> factors;
  if (adapted) {
    factors = std::make_shared<Factors>();
    block = std::min(block, static_cast<size_t>(kReadBytes) / (rank * sizeof(float)));
    steps.push_back(FactorStep(source.column_factor, index * rank * source.columns,
                               rank * source.columns, &factors->columns));
  }
  for (size_t row = first_row, rows = 0; row < source.rows; row += rows) {
    rows = std::min(block, source.rows - row);
    if (rows_at_once > 0) rows = std::min(rows, rows_at_once - row % rows_at_once);
    if (adapted) {
      steps.push_back(FactorStep(source.row_factor, (index * source.rows + row) * rank, rows * rank,
                                 &factors->rows));
      if (row == first_row && steps[1].range.offset < steps[0].range.offset)
        std::swap(steps[0], steps[1]);
    }
    steps.push_back(
        {TensorRange(section, uint64_t{row} * source.columns, uint64_t{rows} * source.columns),
         true,
         [this, &slot, &source, dtype = section.dtype, row,
          factors](std::span<const std::byte> bytes) {
           return StoreRows(slot, source, dtype, row, factors.get(), bytes);
         },
         rows_at_once > 0 && (row + rows) % rows_at_once == 0});
  }
}

// Reads `count` elements of an adapter's factor, from element `first` on.
CheckpointReader::Step CheckpointReader::FactorStep(const std::string& name, uint64_t first,
                                                    size_t count, std::vector<float>* out) {
  const Section& section = *table_.Find(name);
  return {TensorRange(section, first, count), true,
          [&section, count, out](std::span<const std::byte> bytes) {
            out->resize(count);
            DecodeFloats(section.dtype, bytes, *out);
            return AllFinite(*out) ? OkStatus()
                                   : TensorError(section.name, "holds NaN or infinity");
          }};
}

Status CheckpointReader::StoreRows(const Slot& slot, const Source& source, DType dtype,
                                   size_t first_row, const Factors* factors,
                                   std::span<const std::byte> bytes) {
  const size_t columns = source.columns, row_bytes = columns * DTypeSize(dtype),
               rows = bytes.size() / row_bytes;
  const size_t rank = config_.text.lora_rank;
  const auto scale = static_cast<float>(config_.text.lora_scale);
  row_.resize(columns);
  for (size_t r = 0; r < rows; ++r) {
    DecodeFloats(dtype, bytes.subspan(r * row_bytes, row_bytes), row_);
    if (factors != nullptr) {
      delta_.assign(columns, 0.0f);
      for (size_t k = 0; k < rank; ++k) {
        const float factor = factors->rows[r * rank + k];
        const float* column = factors->columns.data() + k * columns;
        for (size_t c = 0; c < columns; ++c) delta_[c] += factor * column[c];
      }
      for (size_t c = 0; c < columns; ++c) row_[c] += scale * delta_[c];
    }
    const size_t row = first_row + r, offset = source.offset + row * columns;
    if (!AllFinite(row_)) {
      return TensorError(source.name, StrCat("row ", row, " holds NaN or infinity",
                                             factors != nullptr ? " (adapter included)" : ""));
    }
    if (slot.vector == nullptr && slot.matrix == nullptr) {
      CLIPGLOT_RETURN_IF_ERROR(sink_->OnWordRow(row, row_));
    } else {
      StoreRow(slot, offset, row_);
    }
  }
  return OkStatus();
}

}  // namespace

std::unique_ptr<StepReader> NewCheckpointReader(std::vector<FileEntry> files,
                                                const ReadOptions& options, ModelSink* sink) {
  return std::make_unique<CheckpointReader>(std::move(files), options, sink);
}

}  // namespace clipglot
