#include "vision/inflate.h"

#include <algorithm>
#include <climits>

#include "base/math.h"
#include "zlib.h"

namespace clipglot {
namespace {

// zlib asks for its state (about 7 KiB) and its window (32 KiB), once each.
constexpr size_t kMemory = size_t{48} * 1024;
// Output between two questions whether to stop.
constexpr size_t kSlice = StopCheck::kInterval;
// Deflate never expands its input by more than this factor.
constexpr uint64_t kMaxRatio = 1032;

}  // namespace

struct Inflater::Stream {
  z_stream z = {};
  AlignedBuffer memory;
  size_t used = 0;

  static voidpf Allocate(voidpf opaque, uInt items, uInt size) {
    auto* stream = static_cast<Stream*>(opaque);
    constexpr uint64_t kAlign = AlignedBuffer::kAlignment;
    const uint64_t bytes = RoundUp(uint64_t{items} * size, kAlign);
    if (bytes > stream->memory.size() - stream->used) return nullptr;
    void* out = stream->memory.data() + stream->used;
    stream->used += static_cast<size_t>(bytes);
    return out;
  }
  static void Free(voidpf, voidpf) {}
};

Inflater::Inflater() = default;
Inflater::~Inflater() = default;  // all of zlib's memory is the stream's

Status Inflater::Init() {
  stream_ = std::make_unique<Stream>();
  CLIPGLOT_ASSIGN_OR_RETURN(stream_->memory, AlignedBuffer::TryAllocate(kMemory, "unpacking"));
  stream_->z.zalloc = Stream::Allocate;
  stream_->z.zfree = Stream::Free;
  stream_->z.opaque = stream_.get();
  if (inflateInit(&stream_->z) != Z_OK) return {Code::kOutOfMemory, "unpacking"};
  return OkStatus();
}

void Inflater::Feed(std::span<const std::byte> piece) {
  // zlib does not write to its input, though its pointer is not const, and counts in 32 bits;
  // nobody feeds more than a chunk of a file.
  piece = piece.first(std::min<size_t>(piece.size(), UINT_MAX));
  stream_->z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(piece.data()));
  stream_->z.avail_in = static_cast<uInt>(piece.size());
}

size_t Inflater::left() const { return stream_->z.avail_in; }

Result<Inflater::Step> Inflater::Unpack(std::span<uint8_t> out, StopCheck* stop) {
  z_stream& z = stream_->z;
  Step step;
  while (step.written < out.size()) {
    const size_t wanted = std::min(out.size() - step.written, kSlice);
    z.next_out = out.data() + step.written;
    z.avail_out = static_cast<uInt>(wanted);
    const int code = inflate(&z, Z_NO_FLUSH);
    const size_t written = wanted - z.avail_out;
    step.written += written;
    if (stop->Spend(written + 1)) return StopCheck::Stopped();
    if (code == Z_STREAM_END) {
      step.state = State::kEnd;
      break;
    }
    // Z_BUF_ERROR is a call that could do nothing: the piece was used up by the slice before.
    if (code < 0 && code != Z_BUF_ERROR) {
      step.state = State::kDamaged;
      break;
    }
    if (z.avail_out > 0) break;
  }
  return step;
}

Result<UnpackedText> UnpackText(std::span<const std::byte> packed, StopCheck* stop) {
  UnpackedText text;
  const uint64_t most = std::min<uint64_t>(kMaxPackedText, packed.size() * kMaxRatio + 1);
  CLIPGLOT_ASSIGN_OR_RETURN(text.buffer, AlignedBuffer::TryAllocate(most, "text of an image file"));
  Inflater inflater;
  CLIPGLOT_RETURN_IF_ERROR(inflater.Init());
  inflater.Feed(packed);
  CLIPGLOT_ASSIGN_OR_RETURN(const Inflater::Step step,
                            inflater.Unpack(text.buffer.as<uint8_t>(), stop));
  text.size = step.written;
  if (step.state == Inflater::State::kDamaged) return text;
  const bool full = step.written == kMaxPackedText && step.state != Inflater::State::kEnd;
  text.state = full && inflater.left() > 0 ? TextState::kTooLong : TextState::kWhole;
  return text;
}

}  // namespace clipglot
