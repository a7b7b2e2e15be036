#include "vision/png_reader.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/strings.h"

namespace clipglot {
namespace {

constexpr size_t kSignatureBytes = 8;
constexpr size_t kPieceBytes = 65536;  // PIL's MAXBLOCK

constexpr uint32_t Tag(const char (&name)[5]) {
  return static_cast<uint32_t>(name[0]) << 24 | static_cast<uint32_t>(name[1]) << 16 |
         static_cast<uint32_t>(name[2]) << 8 | static_cast<uint32_t>(name[3]);
}

Status Damaged(std::string_view what) {
  return {Code::kInvalidImage, StrCat("damaged PNG: ", what)};
}
Status Cut() { return Damaged("a chunk ends past the end of the file"); }

std::string Name(uint32_t tag) {
  const char name[] = {static_cast<char>(tag >> 24), static_cast<char>(tag >> 16),
                       static_cast<char>(tag >> 8), static_cast<char>(tag)};
  return std::string(name, sizeof(name));
}

bool IsWordByte(uint32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (0xedb88320u & (0u - (value & 1)));
    table[i] = value;
  }
  return table;
}();

bool KnownKind(uint32_t depth, uint32_t color) {
  const bool eight_or_sixteen = depth == 8 || depth == 16;
  const bool up_to_eight = depth == 1 || depth == 2 || depth == 4 || depth == 8;
  switch (color) {
    case kPngGray:
      return up_to_eight || depth == 16;
    case kPngIndexed:
      return up_to_eight;
    case kPngRgb:
    case kPngGrayAlpha:
    case kPngRgba:
      return eight_or_sixteen;
    default:
      return false;
  }
}

}  // namespace

PngReader::PngReader(std::span<const std::byte> file, StopCheck* stop)
    : file_(file), in_(file), stop_(stop) {
  in_.Skip(kSignatureBytes);
}

// False where the file ends, or where what follows is no chunk.
bool PngReader::NextChunk(Chunk* chunk) {
  if (pushed_) {
    *chunk = *pushed_;
    pushed_.reset();
    in_.Seek(chunk->body_at);
    return true;
  }
  if (in_.remaining() < 8) return false;
  chunk->length = in_.U32Be();
  chunk->tag = in_.U32Be();
  chunk->body_at = in_.position();
  for (int shift = 0; shift < 32; shift += 8) {
    if (!IsWordByte(chunk->tag >> shift & 255)) return false;
  }
  return true;
}

// The reader is past the chunk's contents, which are there.
bool PngReader::CheckChecksum(const Chunk& chunk, bool* stopped) {
  const auto covered = file_.subspan(chunk.body_at - 4, size_t{4} + chunk.length);
  uint32_t crc = 0xffffffffu;
  for (size_t at = 0; at < covered.size();) {
    const auto slice =
        covered.subspan(at, std::min<size_t>(covered.size() - at, StopCheck::kInterval));
    for (const std::byte byte : slice)
      crc = (crc >> 8) ^ kCrcTable[(crc ^ std::to_integer<uint32_t>(byte)) & 255];
    at += slice.size();
    *stopped = stop_->Spend(slice.size());
    if (*stopped) return false;
  }
  return in_.remaining() >= 4 && in_.U32Be() == ~crc;
}

Status PngReader::Open() {
  while (true) {
    Chunk chunk;
    if (!NextChunk(&chunk)) return Damaged("it ends before its pixels");
    if (chunk.tag == Tag("IEND")) return Damaged("no pixels");
    // Pixels before a header that makes sense of them are for PIL an unknown chunk.
    if (chunk.tag == Tag("IDAT") && header_.known) {
      StartPixels(chunk.length);
      break;
    }
    if (chunk.tag == Tag("fdAT") && header_.known) {
      if (chunk.length < 4) return Damaged("a frame without a number");
      CLIPGLOT_RETURN_IF_ERROR(ReadSequence());
      StartPixels(chunk.length - 4);
      break;
    }
    CLIPGLOT_RETURN_IF_ERROR(ReadChunk(chunk));
    bool stopped = false;
    const bool right = CheckChecksum(chunk, &stopped);
    if (stopped) return StopCheck::Stopped();
    if (!right) return Damaged(StrCat("checksum of its chunk ", Name(chunk.tag)));
  }
  if (palette_entries_ > 256) return Damaged(StrCat("a palette of ", palette_entries_, " colours"));
  return OkStatus();
}

void PngReader::StartPixels(uint64_t length) {
  pixels_ = true;
  left_ = length;
  default_image_ = frames_ && !has_frame_;
  if (!has_frame_) {
    header_.frame_width = header_.width;
    header_.frame_height = header_.height;
  }
}

Result<std::span<const std::byte>> PngReader::NextPiece() {
  while (left_ == 0) {
    if (stop_->Spend(12)) return StopCheck::Stopped();
    in_.Skip(4);  // checksum: PIL does not look at those of pixels
    Chunk chunk;
    if (!NextChunk(&chunk)) return std::span<const std::byte>();
    left_ = chunk.length;
    if (chunk.tag == Tag("fdAT")) {
      if (chunk.length < 4) return Damaged("a frame without a number");
      CLIPGLOT_RETURN_IF_ERROR(ReadSequence());
      left_ -= 4;
    } else if (chunk.tag != Tag("IDAT") && chunk.tag != Tag("DDAT")) {
      left_ = 0;
      pushed_ = chunk;
      return std::span<const std::byte>();
    }
  }
  const auto bytes = static_cast<size_t>(std::min<uint64_t>(left_, kPieceBytes));
  left_ -= bytes;
  return in_.Take(bytes);
}

Status PngReader::Finish() {
  in_.Skip(static_cast<size_t>(std::min<uint64_t>(left_, SIZE_MAX)));
  left_ = 0;
  const bool animated = frames_ && uint64_t{*frames_} + (default_image_ ? 1 : 0) > 1;
  while (true) {
    in_.Skip(4);
    Chunk chunk;
    if (!NextChunk(&chunk) || chunk.tag == Tag("IEND")) return OkStatus();
    if (chunk.tag == Tag("fcTL") && animated) return OkStatus();
    if (chunk.tag == Tag("fdAT")) {
      if (chunk.length < 4) return Damaged("a frame without a number");
      CLIPGLOT_RETURN_IF_ERROR(ReadSequence());
      chunk.length -= 4;
      if (in_.Take(chunk.length).size() < chunk.length) return Cut();
    } else {
      CLIPGLOT_RETURN_IF_ERROR(ReadChunk(chunk));
    }
  }
}

Result<int> PngReader::Orientation() const {
  PngReader ahead = *this;
  const Status status = ahead.Finish();
  if (status.code() == Code::kCancelled || status.code() == Code::kOutOfMemory) return status;
  return ahead.text_.orientation();
}

// Any chunk but pixels and the end; unknown ones only have to be whole.
Status PngReader::ReadChunk(const Chunk& chunk) {
  const auto body = in_.Take(chunk.length);
  if (body.size() < chunk.length) return Cut();
  if (stop_->Spend(64)) return StopCheck::Stopped();
  const auto at_least = [&](size_t bytes) {
    return body.size() < bytes ? Damaged(StrCat("its chunk ", Name(chunk.tag), " is too short"))
                               : OkStatus();
  };
  switch (chunk.tag) {
    case Tag("IHDR"):
      return ReadHeader(body);
    case Tag("PLTE"):
      return ReadPalette(body);
    case Tag("tRNS"):
      return CheckTransparency(body);
    case Tag("gAMA"):
      return at_least(4);
    case Tag("cHRM"):
      return body.size() % 4 == 0 ? OkStatus() : Damaged("its chunk cHRM holds no whole numbers");
    case Tag("sRGB"):
      return at_least(1);
    case Tag("pHYs"):
      return at_least(9);
    case Tag("iCCP"):
      return text_.ColorProfile(body, stop_);
    case Tag("tEXt"):
      return text_.Plain(body);
    case Tag("zTXt"):
      return text_.Packed(body, stop_);
    case Tag("iTXt"):
      return text_.International(body, stop_);
    case Tag("eXIf"):
      return text_.Exif(body);
    case Tag("acTL"):
      return ReadFrameCount(body);
    case Tag("fcTL"):
      return ReadFrameControl(body);
    default:
      return OkStatus();
  }
}

Status PngReader::ReadHeader(std::span<const std::byte> body) {
  if (body.size() < 13) return Damaged("header of a wrong length");
  ByteReader in(body);
  const uint32_t width = in.U32Be(), height = in.U32Be();
  const uint32_t depth = in.U8(), color = in.U8();
  in.Skip(1);  // way of packing: PIL takes it for the only one there is
  const uint32_t filter = in.U8(), interlace = in.U8();
  if (pixels_ && filter == 0) return OkStatus();  // a second header after the pixels is too late
  header_.width = width;
  header_.height = height;
  if (!KnownKind(depth, color) || filter != 0) {
    return Damaged(StrCat("unknown kind (bit depth ", depth, ", colour type ", color, ", filter ",
                          filter, ")"));
  }
  header_.known = true;
  header_.depth = depth;
  header_.color = color;
  header_.interlaced = header_.interlaced || interlace != 0;
  return OkStatus();
}

// An entry that is cut off does not count; entries that are missing stay gray.
Status PngReader::ReadPalette(std::span<const std::byte> body) {
  if (!header_.known || header_.color != kPngIndexed) return OkStatus();
  header_.palette = Palette();
  header_.has_palette = true;
  palette_entries_ = body.size() / 3;
  const size_t kept = std::min<size_t>(palette_entries_, 256) * 3;
  if (kept > 0) std::memcpy(header_.palette.rgb, body.data(), kept);
  return OkStatus();
}

// The pixels do not change, but PIL refuses what it cannot read.
Status PngReader::CheckTransparency(std::span<const std::byte> body) const {
  if (!header_.known) return OkStatus();
  const size_t needed = header_.color == kPngGray ? 2 : header_.color == kPngRgb ? 6 : 0;
  if (body.size() < needed) return Damaged("transparency of a wrong length");
  return OkStatus();
}

Status PngReader::ReadFrameCount(std::span<const std::byte> body) {
  if (body.size() < 8) return Damaged("its number of frames is too short");
  ByteReader in(body);
  const uint32_t frames = in.U32Be();
  if (frames_) {
    frames_.reset();  // PIL: not an animation then
  } else if (frames != 0 && frames <= 0x80000000u) {
    frames_ = frames;
  }
  return OkStatus();
}

Status PngReader::ReadFrameControl(std::span<const std::byte> body) {
  if (body.size() < 26) return Damaged("a frame's description is too short");
  ByteReader in(body);
  const uint32_t number = in.U32Be();
  if (sequence_ ? number == 0 || number - 1 != *sequence_ : number != 0)
    return Damaged("its frames are out of order");
  sequence_ = number;
  const uint32_t width = in.U32Be(), height = in.U32Be(), left = in.U32Be(), top = in.U32Be();
  if (uint64_t{left} + width > header_.width || uint64_t{top} + height > header_.height) {
    return Damaged("a frame is larger than the picture");
  }
  has_frame_ = true;
  header_.left = left;
  header_.top = top;
  header_.frame_width = width;
  header_.frame_height = height;
  return OkStatus();
}

Status PngReader::ReadSequence() {
  if (in_.remaining() < 4) return Cut();
  const uint32_t number = in_.U32Be();
  if (!sequence_ || number == 0 || number - 1 != *sequence_)
    return Damaged("its frames are out of order");
  sequence_ = number;
  return OkStatus();
}

}  // namespace clipglot
