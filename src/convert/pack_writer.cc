#include "convert/pack_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "base/math.h"
#include "base/strings.h"
#include "convert/self_test_content.h"
#include "convert/self_test_maker.h"
#include "weights/model_layout.h"
#include "weights/model_reader.h"
#include "weights/store_row.h"

namespace clipglot {
namespace {

constexpr uint64_t kStateMagic = 0x3154535F4C474C43;  // "CLGL_ST1"

// A saved state: magic, parts emitted, word rows emitted, number of lists, then each list's
// length and its floats.
struct SavedState {
  size_t parts = 0, word_rows = 0;
  std::vector<std::vector<float>> numbers;
};

Result<SavedState> ParseState(std::span<const std::byte> bytes) {
  const Status wrong(Code::kInvalidArgument, "the saved state is damaged");
  const auto word = [&](uint64_t& out) {
    if (bytes.size() < sizeof(out)) return false;
    std::memcpy(&out, bytes.data(), sizeof(out));
    bytes = bytes.subspan(sizeof(out));
    return true;
  };
  SavedState state;
  uint64_t magic = 0, parts = 0, rows = 0, lists = 0;
  if (!word(magic) || magic != kStateMagic || !word(parts) || !word(rows) || !word(lists))
    return wrong;
  if (parts > 4096 || rows > SIZE_MAX / 2 || lists > 4096) return wrong;
  state.parts = static_cast<size_t>(parts);
  state.word_rows = static_cast<size_t>(rows);
  for (uint64_t i = 0; i < lists; ++i) {
    uint64_t count = 0;
    if (!word(count) || count > bytes.size() / sizeof(float)) return wrong;
    std::vector<float>& list = state.numbers.emplace_back(static_cast<size_t>(count));
    if (count > 0) std::memcpy(list.data(), bytes.data(), list.size() * sizeof(float));
    bytes = bytes.subspan(list.size() * sizeof(float));
  }
  if (!bytes.empty()) return wrong;
  return state;
}

class PackWriterImpl final : public PackWriter, private ModelSink {
 public:
  explicit PackWriterImpl(const PackOptions& options) : options_(options) {}

  Status Begin(std::vector<FileEntry> files, std::span<const std::byte> state) override;
  std::optional<ByteRange> Want() const override {
    return reader_ ? reader_->Want() : std::nullopt;
  }
  Result<std::span<std::byte>> Reserve() override {
    if (!reader_) return Status(Code::kInvalidArgument, "Reserve before Begin");
    return reader_->Reserve();
  }
  Status Commit() override;
  uint64_t total_bytes() const override { return reader_ ? reader_->total_bytes() : 0; }
  uint64_t read_bytes() const override { return reader_ ? reader_->read_bytes() : 0; }
  std::span<const PackTensor> plan() const override { return plan_; }
  std::span<const PackTensor> tensors() const override { return tensors_; }
  bool done() const override { return started_ && !reader_->Want(); }
  std::span<const std::byte> SaveState() override;
  std::string tokenizer_file() const override { return tokenizer_; }
  Result<std::string> SelfTestJson() const override {
    if (!done())
      return Status(Code::kInvalidArgument, "the self-test is known when everything was read");
    CLIPGLOT_ASSIGN_OR_RETURN(const SelfTest test, maker_->Finish());
    return clipglot::SelfTestJson(test);
  }

 private:
  // The tensors of the last Commit.
  void Forget() {
    tensors_.clear();
    part_.reset();
    block_.reset();
  }

  Status OnModel(const ModelConfig& config) override;
  Status OnTokenizer(std::string_view name, std::span<const std::byte> file) override;
  size_t WordRowsAtOnce() const override { return block_rows_; }
  Status OnWordRow(size_t row, std::span<const float> numbers) override;
  // `exact`: in float32. Emits it in the pack's format and advances the self-test.
  Status OnPart(PartId id, PartData exact) override;

  Status MakePlan();
  // Appends the pack's tensors of `slots` to `out`.
  void Emit(const std::vector<Slot>& slots, std::string_view group, size_t unit,
            std::vector<PackTensor>& out) const;
  // One block of the word embedding's rows as a slot of its own.
  Slot BlockSlot(size_t first_row, Matrix& matrix) const;
  bool IsWords(PartId id, const Slot& slot) const {
    return id.kind == PartKind::kTextEmbeddings && slot.matrix != nullptr;
  }

  const PackOptions options_;
  std::unique_ptr<ModelReader> reader_;
  bool started_ = false;
  ModelConfig config_;  // its format is the pack's
  std::string tokenizer_;
  std::unique_ptr<SelfTestMaker> maker_;
  SavedState restored_;
  size_t parts_done_ = 0, words_done_ = 0;
  std::vector<PackTensor> plan_;

  Slot words_;                   // of the word embedding; its pointers are never used
  size_t block_rows_ = 0;        // of it in one tensor; 0 without a text tower
  std::optional<Matrix> rows_;   // the block that is being filled
  std::optional<Matrix> block_;  // what tensors_ points into
  std::unique_ptr<PartData> part_;
  std::vector<PackTensor> tensors_;
  std::vector<std::byte> saved_;
};

Status PackWriterImpl::Begin(std::vector<FileEntry> files, std::span<const std::byte> state) {
  Forget();
  rows_.reset();
  tokenizer_.clear();
  plan_.clear();
  maker_.reset();
  block_rows_ = 0;
  restored_ = {};
  started_ = false;
  if (std::any_of(files.begin(), files.end(),
                  [](const FileEntry& file) { return file.path == "manifest.json"; })) {
    return Status(Code::kInvalidArgument,
                  "the source is a pack already (manifest.json); a checkpoint is expected");
  }
  if (!state.empty()) {
    CLIPGLOT_ASSIGN_OR_RETURN(restored_, ParseState(state));
  }
  parts_done_ = restored_.parts;
  words_done_ = restored_.word_rows;
  // The parts come in float32 for the self-test, and become the pack's format here.
  const ReadOptions read{options_.text, options_.vision, WeightFormat::kF32, parts_done_,
                         words_done_};
  CLIPGLOT_ASSIGN_OR_RETURN(reader_, ModelReader::Create(std::move(files), read, this));
  started_ = true;
  return OkStatus();
}

Status PackWriterImpl::Commit() {
  Forget();
  if (!reader_) return Status(Code::kInvalidArgument, "Commit before Begin");
  const Status status = reader_->Commit();
  if (!status.ok()) {
    Forget();
    started_ = false;
  }
  return status;
}

Status PackWriterImpl::OnModel(const ModelConfig& config) {
  config_ = config;
  config_.format = options_.format;
  if (options_.text) {
    PartData part = TextEmbeddings();
    for (Slot& slot : ListSlots(config_, {PartKind::kTextEmbeddings, 0}, part)) {
      if (slot.matrix != nullptr) words_ = std::move(slot);
    }
    // Bytes of a row as the pack counts them, scales apart.
    Matrix row;
    words_.matrix = &row;
    words_.rows = 1;
    CLIPGLOT_RETURN_IF_ERROR(AllocateSlot(words_, options_.format));
    block_rows_ =
        static_cast<size_t>(kMaxPackTensor / ListPackEntries(words_).front().bytes.size());
    words_.rows = config_.text.vocab_size;
    words_.matrix = nullptr;
  }
  CLIPGLOT_ASSIGN_OR_RETURN(
      maker_, SelfTestMaker::Create(config_, options_.text, options_.vision, options_.threads));
  CLIPGLOT_RETURN_IF_ERROR(MakePlan());
  if (!options_.text && !restored_.numbers.empty())
    return maker_->Restore(std::exchange(restored_.numbers, {}));
  return OkStatus();
}

Status PackWriterImpl::OnTokenizer(std::string_view name, std::span<const std::byte> file) {
  tokenizer_ = name;
  CLIPGLOT_RETURN_IF_ERROR(maker_->OnTokenizer(name, file));
  return restored_.numbers.empty() ? OkStatus()
                                   : maker_->Restore(std::exchange(restored_.numbers, {}));
}

// The tensors' names and shapes are those of empty parts, one after another.
Status PackWriterImpl::MakePlan() {
  size_t unit = 0;
  for (const PartId id : ListParts(config_, options_.text, options_.vision)) {
    PartData part = MakePart(id);
    std::vector<Slot> slots;
    for (Slot& slot : ListSlots(config_, id, part)) {
      if (IsWords(id, slot)) continue;
      CLIPGLOT_RETURN_IF_ERROR(AllocateSlot(slot, options_.format));
      slots.push_back(std::move(slot));
    }
    Emit(slots, PartGroup(id), unit++, plan_);
    if (id.kind != PartKind::kTextEmbeddings) continue;
    for (size_t row = 0; row < words_.rows; row += block_rows_) {
      Matrix matrix;
      const Slot slot = BlockSlot(row, matrix);
      CLIPGLOT_RETURN_IF_ERROR(AllocateSlot(slot, options_.format));
      Emit({slot}, PartGroup(id), unit++, plan_);
    }
  }
  for (PackTensor& tensor : plan_) tensor.bytes = {};
  return OkStatus();
}

Slot PackWriterImpl::BlockSlot(size_t first_row, Matrix& matrix) const {
  Slot slot = words_;
  slot.rows = std::min(block_rows_, words_.rows - first_row);
  if (words_.rows > block_rows_) slot.name = StrCat(words_.name, ".rows.", first_row);
  slot.matrix = &matrix;
  return slot;
}

void PackWriterImpl::Emit(const std::vector<Slot>& slots, std::string_view group, size_t unit,
                          std::vector<PackTensor>& out) const {
  for (const Slot& slot : slots) {
    for (PackEntry& entry : ListPackEntries(slot)) {
      out.push_back({std::move(entry.name), entry.dtype, std::move(entry.shape), std::string(group),
                     unit, entry.bytes});
    }
  }
}

Status PackWriterImpl::OnWordRow(size_t row, std::span<const float> numbers) {
  maker_->OnWordRow(row, numbers);
  const size_t first = row - row % block_rows_;
  if (!rows_) rows_.emplace();
  const Slot slot = BlockSlot(first, *rows_);
  if (row == first) CLIPGLOT_RETURN_IF_ERROR(AllocateSlot(slot, options_.format));
  StoreRow(slot, (row - first) * numbers.size(), numbers);
  if (row + 1 < first + slot.rows) return OkStatus();
  block_ = std::exchange(rows_, std::nullopt);
  words_done_ = row + 1;
  if (words_done_ == words_.rows) CLIPGLOT_RETURN_IF_ERROR(maker_->OnWordsEnd());
  Emit({BlockSlot(first, *block_)}, "text-embeddings", 1 + first / block_rows_, tensors_);
  return OkStatus();
}

Status PackWriterImpl::OnPart(PartId id, PartData exact) {
  part_ = std::make_unique<PartData>(MakePart(id));
  const std::vector<Slot> from = ListSlots(config_, id, exact);
  const std::vector<Slot> to = ListSlots(config_, id, *part_);
  std::vector<Slot> slots;
  for (size_t i = 0; i < from.size(); ++i) {
    if (IsWords(id, from[i])) continue;
    slots.push_back(to[i]);
    if (options_.format == WeightFormat::kF32) continue;
    CLIPGLOT_RETURN_IF_ERROR(AllocateSlot(to[i], options_.format));
    if (from[i].vector != nullptr) {
      StoreRow(to[i], 0, *from[i].vector);
      continue;
    }
    const size_t columns = from[i].columns;
    for (size_t row = 0; row < from[i].rows; ++row) {
      StoreRow(to[i], row * columns, from[i].matrix->f32().subspan(row * columns, columns));
    }
  }
  const PartData* in_float32 = &exact;
  if (options_.format == WeightFormat::kF32) {
    *part_ = std::move(exact);  // the slots of `to` point into it still
    in_float32 = part_.get();
  }
  CLIPGLOT_RETURN_IF_ERROR(maker_->OnPart(id, *in_float32, *part_));
  const size_t part = parts_done_++;
  const size_t blocks = options_.text ? CeilDiv(words_.rows, block_rows_) : 0;
  Emit(slots, PartGroup(id), part == 0 ? 0 : part + blocks, tensors_);
  return OkStatus();
}

std::span<const std::byte> PackWriterImpl::SaveState() {
  saved_.clear();
  const auto add = [&](const void* data, size_t bytes) {
    const auto* begin = static_cast<const std::byte*>(data);
    saved_.insert(saved_.end(), begin, begin + bytes);
  };
  const auto word = [&](uint64_t value) { add(&value, sizeof(value)); };
  const std::vector<std::span<const float>> numbers =
      maker_ ? maker_->Save() : std::vector<std::span<const float>>();
  word(kStateMagic);
  word(parts_done_);
  word(words_done_);
  word(numbers.size());
  for (const std::span<const float> list : numbers) {
    word(list.size());
    add(list.data(), list.size_bytes());
  }
  return saved_;
}

}  // namespace

Result<std::unique_ptr<PackWriter>> PackWriter::Create(const PackOptions& options) {
  if (!options.text && !options.vision)
    return Status(Code::kInvalidArgument, "towers: none asked for");
  if (options.threads == 0 || options.threads > kMaxThreads)
    return Status(Code::kInvalidArgument,
                  StrCat("threads ", options.threads, ": 1 to ", kMaxThreads));
  return std::unique_ptr<PackWriter>(std::make_unique<PackWriterImpl>(options));
}

}  // namespace clipglot
