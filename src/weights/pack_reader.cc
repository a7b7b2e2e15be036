// Reads a pack (docs/FORMAT.md): manifest.json, the tokenizer, then the shards of the wanted
// towers. Every byte is verified before it is looked at, 4 MiB at a time, and tensors go straight
// to where the part keeps them.

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "base/strings.h"
#include "container/pack_manifest.h"
#include "container/safetensors.h"
#include "weights/float_conversion.h"
#include "weights/model_layout.h"
#include "weights/step_reader.h"

namespace clipglot {
namespace {

constexpr std::string_view kManifestFile = "manifest.json";

// Numbers of a finished tensor, as the layers rely on them.
Status CheckNumbers(std::string_view file, const PackEntry& entry) {
  const auto corrupt = [&](std::string_view problem) {
    return Status(Code::kCorruptModel, StrCat(file, ": tensor ", entry.name, ": ", problem));
  };
  if (entry.dtype == DType::kI8) {
    // No early exit, so that the compiler vectorises the loop.
    uint8_t found = 0;
    for (const std::byte number : entry.bytes) found |= number == std::byte{0x80};
    return found == 0 ? OkStatus() : corrupt("holds -128; -127 ... 127 is expected");
  }
  if (entry.dtype == DType::kU8) return OkStatus();  // every byte is a pair of values
  if (entry.dtype == DType::kBF16) {
    // The memory is that of 16-bit words (ListPackEntries).
    const std::span scales(reinterpret_cast<const uint16_t*>(entry.bytes.data()),
                           entry.bytes.size() / sizeof(uint16_t));
    constexpr uint16_t kExponent = 0x7F80;
    if (!std::all_of(scales.begin(), scales.end(), [](uint16_t scale) {
          return (scale & kExponent) != 0 && (scale & kExponent) != kExponent;
        })) {
      return corrupt("holds a scale that is not a normal number");
    }
    return OkStatus();
  }
  // The memory is that of floats (ListPackEntries).
  const std::span numbers(reinterpret_cast<const float*>(entry.bytes.data()),
                          entry.bytes.size() / sizeof(float));
  if (!AllFinite(numbers)) return corrupt("holds NaN or infinity");
  if (entry.name.ends_with(".scale") &&
      !std::all_of(numbers.begin(), numbers.end(), [](float scale) { return scale >= FLT_MIN; })) {
    return corrupt("holds a scale that is not positive and normal");
  }
  return OkStatus();
}

class PackReader final : public StepReader {
 public:
  PackReader(std::vector<FileEntry> files, const ReadOptions& options, ModelSink* sink)
      : StepReader(std::move(files), options, sink) {}

 private:
  enum class Stage { kManifest, kTokenizer, kShards };

  Status Plan() override;
  Status OnManifest();
  Status PlanFile(const PackFile& file, bool counted,
                  const std::function<Status(std::span<const std::byte>)>& handle);
  Status PlanShard();
  Status Feed(std::span<const std::byte> bytes);
  Status FeedHeader(std::span<const std::byte>& bytes);
  Status BeginTensor(const Section& section);
  Status BeginPart();

  bool Wanted(const PackShard& shard) const {
    return shard.tower == "text" ? options_.text : options_.vision;
  }

  Stage stage_ = Stage::kManifest;
  PackManifest manifest_;
  ModelConfig config_;
  std::vector<std::byte> tokenizer_;
  uint64_t unread_bytes_ = 0;  // of the wanted shards' tensors and headers

  // The shard that is coming in.
  size_t next_shard_ = 0;
  std::string file_;
  uint64_t file_bytes_ = 0;
  std::string head_;           // prefix and header, until they are complete
  uint64_t header_bytes_ = 0;  // 0: prefix not complete
  bool has_table_ = false;
  SectionTable table_;
  size_t next_section_ = 0;

  // The part that is being filled, and its tensors to come.
  std::vector<PartId> parts_;
  size_t next_part_ = 0;
  std::optional<PartData> part_;
  std::vector<PackEntry> entries_;
  size_t next_entry_ = 0;
  size_t entry_bytes_ = 0;  // of entries_[next_entry_], already there
};

Status PackReader::Plan() {
  switch (stage_) {
    case Stage::kManifest:
      stage_ = Stage::kTokenizer;
      return AddWholeFile(
          kManifestFile, kMaxPackManifest, [this](std::span<const std::byte> bytes) -> Status {
            CLIPGLOT_ASSIGN_OR_RETURN(
                manifest_,
                ParsePackManifest(bytes, options_.hashes_optional ? PackHashes::kOptional
                                                                  : PackHashes::kRequired));
            return OkStatus();
          });
    case Stage::kTokenizer:
      stage_ = Stage::kShards;
      CLIPGLOT_RETURN_IF_ERROR(OnManifest());
      if (options_.text) {
        return PlanFile(manifest_.tokenizer, false,
                        [this](std::span<const std::byte> bytes) -> Status {
                          tokenizer_.insert(tokenizer_.end(), bytes.begin(), bytes.end());
                          if (tokenizer_.size() < manifest_.tokenizer.bytes) return OkStatus();
                          const std::vector<std::byte> whole = std::move(tokenizer_);
                          return sink_->OnTokenizer(manifest_.tokenizer.path, whole);
                        });
      }
      [[fallthrough]];
    case Stage::kShards:
      if (has_table_ &&
          next_section_ < table_.sections().size()) {  // only empty tensors can be left
        return Status(Code::kCorruptModel,
                      StrCat(file_, ": tensor ", Printable(table_.sections()[next_section_].name),
                             ": empty"));
      }
      while (next_shard_ < manifest_.shards.size() && !Wanted(manifest_.shards[next_shard_]))
        ++next_shard_;
      if (next_shard_ < manifest_.shards.size()) return PlanShard();
      if (next_entry_ < entries_.size()) {
        return Status(Code::kCorruptModel,
                      StrCat("tensor ", entries_[next_entry_].name, ": missing from the pack"));
      }
      if (next_part_ < parts_.size()) {
        CLIPGLOT_RETURN_IF_ERROR(BeginPart());
        return Status(Code::kCorruptModel,
                      StrCat("tensor ", entries_.front().name, ": missing from the pack"));
      }
      return OkStatus();
  }
  return Status(Code::kInternal, "unknown stage of reading");
}

Status PackReader::OnManifest() {
  CLIPGLOT_ASSIGN_OR_RETURN(config_, ParseModelConfig(manifest_.config, manifest_.preprocessor));
  const auto format = ParseWeightFormat(manifest_.dtype);
  if (!format.ok())
    return Status(Code::kUnsupportedModel, StrCat(kManifestFile, ": ", format.status().detail()));
  config_.format = *format;
  config_.model_id = manifest_.model_id;
  config_.revision = manifest_.revision;
  config_.license = manifest_.license;
  config_.self_test = manifest_.self_test;
  for (const bool text : {true, false}) {
    const std::string_view tower = text ? "text" : "vision";
    if (!(text ? options_.text : options_.vision)) continue;
    if (std::none_of(manifest_.shards.begin(), manifest_.shards.end(),
                     [&](const PackShard& shard) { return shard.tower == tower; })) {
      return Status(Code::kInvalidArgument, StrCat("towers: this pack has no ", tower, " tower"));
    }
  }
  if (options_.text && manifest_.tokenizer.path.empty()) {
    return Status(Code::kCorruptModel,
                  StrCat(kManifestFile, ": tokenizer: missing, but there is a text tower"));
  }
  // All files are looked for before the first byte is asked for.
  for (const PackShard& shard : manifest_.shards) {
    if (!Wanted(shard)) continue;
    CLIPGLOT_RETURN_IF_ERROR(FindFile(shard.path).status());
    total_bytes_ += shard.bytes;
  }
  unread_bytes_ = total_bytes_;
  parts_ = ListParts(config_, options_.text, options_.vision);
  return sink_->OnModel(config_);
}

// One step a chunk; neighbours are read at once.
Status PackReader::PlanFile(const PackFile& file, bool counted,
                            const std::function<Status(std::span<const std::byte>)>& handle) {
  CLIPGLOT_ASSIGN_OR_RETURN(const size_t place, FindFile(file.path));
  if (files_[place].bytes != file.bytes) {
    return Status(Code::kCorruptModel,
                  StrCat(file.path, ": ", files_[place].bytes, " bytes, but the manifest says ",
                         file.bytes, " (cut off?)"));
  }
  for (uint64_t offset = 0; offset < file.bytes; offset += kPackChunk) {
    const uint64_t length = std::min(kPackChunk, file.bytes - offset);
    Step step{{place, offset, length}, counted, handle};
    if (!file.sha256.empty()) {
      step.verify = [&file, offset](std::span<const std::byte> bytes, std::string_view sha256) {
        return VerifyPackChunk(file, offset, bytes, sha256);
      };
    }
    Add(std::move(step));
  }
  return OkStatus();
}

Status PackReader::PlanShard() {
  const PackShard& shard = manifest_.shards[next_shard_++];
  file_ = shard.path;
  file_bytes_ = shard.bytes;
  head_.clear();
  header_bytes_ = 0;
  has_table_ = false;
  next_section_ = 0;
  if (file_bytes_ <= kSafetensorsPrefix) {
    return Status(Code::kCorruptModel,
                  StrCat(file_, ": ", file_bytes_, " bytes are too few for a shard"));
  }
  return PlanFile(shard, true, [this](std::span<const std::byte> bytes) { return Feed(bytes); });
}

// The next bytes of the shard, cut anywhere.
Status PackReader::Feed(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (!has_table_) {
      CLIPGLOT_RETURN_IF_ERROR(FeedHeader(bytes));
      continue;
    }
    // The table covers the file to its last byte: there is a section for what is left.
    if (entry_bytes_ == 0) CLIPGLOT_RETURN_IF_ERROR(BeginTensor(table_.sections()[next_section_]));
    const PackEntry& entry = entries_[next_entry_];
    const size_t length = std::min(entry.bytes.size() - entry_bytes_, bytes.size());
    std::memcpy(entry.bytes.data() + entry_bytes_, bytes.data(), length);
    entry_bytes_ += length;
    unread_bytes_ -= length;
    bytes = bytes.subspan(length);
    if (entry_bytes_ < entry.bytes.size()) continue;
    CLIPGLOT_RETURN_IF_ERROR(CheckNumbers(file_, entry));
    ++next_section_;
    ++next_entry_;
    entry_bytes_ = 0;
    if (next_entry_ == entries_.size()) {
      CLIPGLOT_RETURN_IF_ERROR(sink_->OnPart(parts_[next_part_ - 1], std::move(*part_)));
      part_.reset();
    }
  }
  return OkStatus();
}

// Takes prefix and header off the front of `bytes`, as much as is there.
Status PackReader::FeedHeader(std::span<const std::byte>& bytes) {
  const uint64_t wanted = kSafetensorsPrefix + header_bytes_;
  const auto length = static_cast<size_t>(std::min<uint64_t>(wanted - head_.size(), bytes.size()));
  head_.append(reinterpret_cast<const char*>(bytes.data()), length);
  unread_bytes_ -= length;
  bytes = bytes.subspan(length);
  if (head_.size() < wanted) return OkStatus();
  if (header_bytes_ == 0) {
    CLIPGLOT_ASSIGN_OR_RETURN(
        header_bytes_, ParseSafetensorsPrefix(file_, std::as_bytes(std::span(head_)), file_bytes_));
    return OkStatus();
  }
  const std::string_view header = std::string_view(head_).substr(kSafetensorsPrefix);
  CLIPGLOT_ASSIGN_OR_RETURN(table_, SectionTable::Parse(file_, header, file_bytes_));
  has_table_ = true;
  return OkStatus();
}

// Checks that `section` is the next expected tensor.
Status PackReader::BeginTensor(const Section& section) {
  const auto corrupt = [&](const std::string& problem) {
    return Status(Code::kCorruptModel,
                  StrCat(file_, ": tensor ", Printable(section.name), ": ", problem));
  };
  if (next_entry_ == entries_.size()) {
    if (next_part_ == parts_.size()) return corrupt("not expected, the model is complete");
    CLIPGLOT_RETURN_IF_ERROR(BeginPart());
  }
  const PackEntry& entry = entries_[next_entry_];
  if (section.name != entry.name)
    return corrupt(StrCat("found where ", entry.name, " is expected"));
  if (section.dtype != entry.dtype || section.shape != entry.shape) {
    return corrupt(StrCat(DTypeName(section.dtype), " of ", section.bytes, " bytes, but ",
                          DTypeName(entry.dtype), " of ", entry.bytes.size(),
                          " bytes in another shape is expected by the configuration"));
  }
  return OkStatus();
}

Status PackReader::BeginPart() {
  const PartId id = parts_[next_part_++];
  part_ = MakePart(id);
  entries_.clear();
  next_entry_ = 0;
  const std::vector<Slot> slots = ListSlots(config_, id, *part_);
  // Nothing is allocated that the files cannot fill.
  uint64_t needed = 0;
  for (const Slot& slot : slots) needed += SlotBytes(slot, config_.format);
  if (needed > unread_bytes_) {
    return Status(Code::kCorruptModel,
                  StrCat("tensor ", slots.front().name, " and those with it: ", needed,
                         " bytes expected, but only ", unread_bytes_, " are left in the pack"));
  }
  for (const Slot& slot : slots) {
    CLIPGLOT_RETURN_IF_ERROR(AllocateSlot(slot, config_.format));
    for (PackEntry& entry : ListPackEntries(slot)) entries_.push_back(std::move(entry));
  }
  return OkStatus();
}

}  // namespace

std::unique_ptr<StepReader> NewPackReader(std::vector<FileEntry> files, const ReadOptions& options,
                                          ModelSink* sink) {
  return std::make_unique<PackReader>(std::move(files), options, sink);
}

}  // namespace clipglot
