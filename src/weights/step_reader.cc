#include "weights/step_reader.h"

#include "base/strings.h"

namespace clipglot {
namespace {

// Adjacent ranges are read together up to this length: small compared with a layer, so that little
// memory stays allocated after reading; large compared with the cost of a request.
constexpr uint64_t kNeighbourBytes = uint64_t{4} << 20;

}  // namespace

std::optional<ByteRange> StepReader::Want() const { return wanted_; }

Result<std::span<std::byte>> StepReader::Reserve() {
  if (!wanted_) return Status(Code::kInvalidArgument, "nothing is wanted");
  if (buffer_.size() < wanted_->length) {
    buffer_ = AlignedBuffer();  // free the old buffer before allocating the new one
    CLIPGLOT_ASSIGN_OR_RETURN(
        buffer_, AlignedBuffer::TryAllocate(wanted_->length, "the next piece of the model"));
  }
  reserved_ = true;
  return buffer_.bytes().first(static_cast<size_t>(wanted_->length));
}

Status StepReader::Commit(std::string_view sha256) {
  if (!wanted_ || !reserved_) return Status(Code::kInvalidArgument, "Commit without Reserve");
  reserved_ = false;
  size_t offset = 0;
  for (size_t i = 0; i < batch_; ++i) {
    const auto length = static_cast<size_t>(steps_[i].range.length);
    if (steps_[i].verify) {
      const std::string_view known =
          batch_ == 1 ? sha256 : std::string_view();  // it is of the whole range
      CLIPGLOT_RETURN_IF_ERROR(steps_[i].verify(buffer_.bytes().subspan(offset, length), known));
    }
    offset += length;
  }
  wanted_.reset();  // stays so after an error: the reader delivers nothing more
  offset = 0;
  for (; batch_ > 0; --batch_) {
    const Step step = std::move(steps_.front());
    steps_.pop_front();
    const auto length = static_cast<size_t>(step.range.length);
    CLIPGLOT_RETURN_IF_ERROR(step.handle(buffer_.bytes().subspan(offset, length)));
    offset += length;
    if (step.counted) read_bytes_ += length;
  }
  return Advance();
}

Status StepReader::Advance() {
  if (steps_.empty()) CLIPGLOT_RETURN_IF_ERROR(Plan());
  if (steps_.empty()) {
    buffer_ = AlignedBuffer();
    return OkStatus();
  }
  ByteRange range = steps_.front().range;
  for (batch_ = 1; batch_ < steps_.size(); ++batch_) {
    const ByteRange& next = steps_[batch_].range;
    if (steps_[batch_ - 1].ends_commit || next.file != range.file ||
        next.offset != range.offset + range.length ||
        range.length + next.length > kNeighbourBytes) {
      break;
    }
    range.length += next.length;
  }
  range.hashed = batch_ == 1 && steps_.front().verify != nullptr;
  wanted_ = range;
  return OkStatus();
}

Result<size_t> StepReader::FindFile(std::string_view path) const {
  for (size_t i = 0; i < files_.size(); ++i) {
    if (files_[i].path == path) return i;
  }
  return Status(Code::kCorruptModel, StrCat(Printable(path), ": missing from the model's folder"));
}

Status StepReader::AddWholeFile(std::string_view path, uint64_t max_bytes,
                                std::function<Status(std::span<const std::byte>)> handle) {
  CLIPGLOT_ASSIGN_OR_RETURN(const size_t file, FindFile(path));
  const uint64_t bytes = files_[file].bytes;
  if (bytes == 0 || bytes > max_bytes) {
    return Status(Code::kCorruptModel, StrCat(Printable(path), ": ", bytes, " bytes; 1 to ",
                                              max_bytes, " are expected"));
  }
  Add({{file, 0, bytes}, false, std::move(handle)});
  return OkStatus();
}

}  // namespace clipglot
