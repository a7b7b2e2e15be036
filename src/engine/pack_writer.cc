#include "engine/pack_writer.h"

#include <utility>

#include "weights/model_layout.h"
#include "weights/model_reader.h"

namespace clipglot {
namespace {

class PackWriterImpl final : public PackWriter, private ModelSink {
 public:
  explicit PackWriterImpl(const ReadOptions& options) : options_(options) {}

  Status Begin(std::vector<FileEntry> files) override {
    Forget();
    tokenizer_.clear();
    started_ = false;
    CLIPGLOT_ASSIGN_OR_RETURN(reader_, ModelReader::Create(std::move(files), options_, this));
    started_ = true;
    return OkStatus();
  }
  std::optional<ByteRange> Want() const override {
    return reader_ ? reader_->Want() : std::nullopt;
  }
  Result<std::span<std::byte>> Reserve() override {
    if (!reader_) return Status(Code::kInvalidArgument, "Reserve before Begin");
    return reader_->Reserve();
  }
  Status Commit() override {
    Forget();
    if (!reader_) return Status(Code::kInvalidArgument, "Commit before Begin");
    const Status status = reader_->Commit();
    if (!status.ok()) {
      Forget();
      started_ = false;
    }
    return status;
  }
  uint64_t total_bytes() const override { return reader_ ? reader_->total_bytes() : 0; }
  uint64_t read_bytes() const override { return reader_ ? reader_->read_bytes() : 0; }
  std::span<const PackTensor> tensors() const override { return tensors_; }
  bool done() const override { return started_ && !reader_->Want(); }
  std::string tokenizer_file() const override { return tokenizer_; }

 private:
  // The parts and tensors of the last Commit.
  void Forget() {
    tensors_.clear();
    parts_.clear();
  }

  Status OnModel(const ModelConfig& config) override {
    config_ = config;
    return OkStatus();
  }
  Status OnTokenizer(std::string_view name, std::span<const std::byte>) override {
    tokenizer_ = name;
    return OkStatus();
  }
  Status OnTextEmbeddings(TextEmbeddings part) override {
    return Keep({PartKind::kTextEmbeddings, 0}, std::move(part));
  }
  Status OnTextLayer(size_t index, TextLayer part) override {
    return Keep({PartKind::kTextLayer, index}, std::move(part));
  }
  Status OnVisionStem(VisionStem part) override {
    return Keep({PartKind::kVisionStem, 0}, std::move(part));
  }
  Status OnVisionLayer(size_t index, VisionLayer part) override {
    return Keep({PartKind::kVisionLayer, index}, std::move(part));
  }
  Status OnVisionNorm(NormWeights part) override {
    return Keep({PartKind::kVisionNorm, 0}, std::move(part));
  }

  Status Keep(PartId id, PartData part) {
    PartData& kept = *parts_.emplace_back(std::make_unique<PartData>(std::move(part)));
    for (const Slot& slot : ListSlots(config_, id, kept)) {
      for (PackEntry& entry : ListPackEntries(slot)) {
        tensors_.push_back({std::move(entry.name), entry.dtype, std::move(entry.shape),
                            std::string(PartGroup(id)), entry.bytes});
      }
    }
    return OkStatus();
  }

  const ReadOptions options_;
  std::unique_ptr<ModelReader> reader_;
  bool started_ = false;
  ModelConfig config_;
  std::string tokenizer_;
  std::vector<std::unique_ptr<PartData>> parts_;  // what tensors_ points into
  std::vector<PackTensor> tensors_;
};

}  // namespace

Result<std::unique_ptr<PackWriter>> PackWriter::Create(const PackOptions& options) {
  if (!options.text && !options.vision)
    return Status(Code::kInvalidArgument, "towers: none asked for");
  CLIPGLOT_ASSIGN_OR_RETURN(const ModelDType dtype, ParseModelDType(options.dtype));
  return std::unique_ptr<PackWriter>(
      std::make_unique<PackWriterImpl>(ReadOptions{options.text, options.vision, dtype}));
}

}  // namespace clipglot
