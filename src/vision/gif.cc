// GIF: the first frame on its canvas, as PIL's GifImagePlugin loads it.
//
// Source: GIF89a specification; PIL for what the specification leaves open: where the frame does
// not reach, the canvas has the transparent index, or index 0; a frame that is larger than the
// canvas enlarges it.
#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "vision/byte_reader.h"
#include "vision/decoders.h"
#include "vision/exif.h"
#include "vision/rgb_writer.h"

namespace clipglot {
namespace {

constexpr uint32_t kMaxRootBits = 8;  // of the code for one pixel
constexpr uint32_t kMaxCodeBits = 12;
constexpr uint32_t kMaxCodes = 1u << kMaxCodeBits;
constexpr uint32_t kNone = ~0u;

Status Damaged(std::string_view what) {
  return {Code::kInvalidImage, StrCat("damaged GIF: ", what)};
}

// Codes out of the data sub-blocks.
class CodeReader {
 public:
  explicit CodeReader(ByteReader* in) : in_(in) {}

  // The next code of `bits` bits, or nothing at the end of the data.
  std::optional<uint32_t> Next(uint32_t bits) {
    while (count_ < bits) {
      if (block_ == 0) block_ = in_->U8();
      if (block_ == 0) return std::nullopt;  // terminator or end of the file
      const uint32_t byte = in_->U8();
      if (!in_->ok()) return std::nullopt;
      --block_;
      buffer_ |= byte << count_;
      count_ += 8;
    }
    const uint32_t code = buffer_ & ((1u << bits) - 1);
    buffer_ >>= bits;
    count_ -= bits;
    return code;
  }

 private:
  ByteReader* in_;
  uint32_t block_ = 0;   // bytes left in this sub-block
  uint32_t buffer_ = 0;  // at most 7 + 12 + 8 bits
  uint32_t count_ = 0;
};

struct Frame {
  uint32_t left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
};

// Puts one pixel index after another into the frame's rows.
class FramePainter {
 public:
  FramePainter(const Frame& frame, const Palette& palette, RgbWriter* out)
      : frame_(frame), palette_(palette), out_(out), step_(frame.interlaced ? 8 : 1) {}

  bool full() const { return painted_rows_ == frame_.height; }

  void Paint(uint32_t index) {
    if (full()) return;
    const uint8_t* rgb = palette_.rgb[index];
    out_->PutPixel(frame_.left + x_, frame_.top + y_, rgb[0], rgb[1], rgb[2]);
    if (++x_ < frame_.width) return;
    x_ = 0;
    ++painted_rows_;
    y_ += step_;
    // Interlaced rows come as 0 mod 8, 4 mod 8, 2 mod 4, 1 mod 2.
    while (y_ >= frame_.height && !full()) {
      if (pass_ > 0) step_ /= 2;
      ++pass_;
      y_ = step_ / 2;
    }
  }

 private:
  const Frame& frame_;
  const Palette& palette_;
  RgbWriter* out_;
  uint32_t x_ = 0, y_ = 0, step_, pass_ = 0, painted_rows_ = 0;
};

// LZW with a code size that grows, into `painter`.
Status Unpack(ByteReader* in, FramePainter* painter) {
  const uint32_t root_bits = in->U8();
  if (!in->ok() || root_bits == 0 || root_bits > kMaxRootBits) return Damaged("code size");
  const uint32_t clear = 1u << root_bits, end = clear + 1;
  uint16_t prefix[kMaxCodes];
  uint8_t last[kMaxCodes], stack[kMaxCodes];
  for (uint32_t i = 0; i < clear; ++i) last[i] = static_cast<uint8_t>(i);

  CodeReader codes(in);
  uint32_t bits = root_bits + 1, next = clear + 2;
  uint32_t before = kNone;  // the code before this one
  uint8_t first = 0;        // first pixel of that code
  while (!painter->full()) {
    const std::optional<uint32_t> code = codes.Next(bits);
    if (!code) return Damaged("its pixels end early");
    if (*code == end) break;
    if (*code == clear) {
      bits = root_bits + 1;
      next = clear + 2;
      before = kNone;
      continue;
    }
    if (before == kNone) {
      if (*code >= clear) return Damaged("a code without its beginning");
      first = static_cast<uint8_t>(*code);
      painter->Paint(*code);
      before = *code;
      continue;
    }
    if (*code > next || (*code == next && next == kMaxCodes)) return Damaged("unknown code");
    // The chain of pixels, last one first. The code that is just being made ends as it begins.
    size_t depth = 0;
    uint32_t walk = *code;
    if (walk == next) {
      stack[depth++] = first;
      walk = before;
    }
    while (walk >= clear) {  // entries refer to smaller codes only, so this ends
      stack[depth++] = last[walk];
      walk = prefix[walk];
    }
    first = last[walk];
    painter->Paint(first);
    while (depth > 0) painter->Paint(stack[--depth]);
    if (next < kMaxCodes) {
      prefix[next] = static_cast<uint16_t>(before);
      last[next] = first;
      ++next;
      if (next == 1u << bits && bits < kMaxCodeBits) ++bits;
    }
    before = *code;
  }
  return OkStatus();
}

void ReadPalette(ByteReader* in, uint32_t flags, Palette* palette) {
  const auto bytes = in->Take(size_t{3} << ((flags & 7) + 1));
  if (!bytes.empty()) std::memcpy(palette->rgb, bytes.data(), bytes.size());
}

}  // namespace

bool IsGif(std::span<const std::byte> file) {
  return file.size() >= 6 &&
         (std::memcmp(file.data(), "GIF87a", 6) == 0 || std::memcmp(file.data(), "GIF89a", 6) == 0);
}

Result<RgbImage> DecodeGif(std::span<const std::byte> file, const DecodeOptions& options) {
  ByteReader in(file);
  in.Skip(6);
  uint32_t width = in.U16Le(), height = in.U16Le();
  const uint32_t flags = in.U8();
  in.Skip(2);  // background colour, which PIL does not use, and aspect ratio
  Palette palette;
  if (flags & 0x80) ReadPalette(&in, flags, &palette);

  // Up to the first frame.
  uint32_t fill = 0;
  while (true) {
    const uint32_t tag = in.U8();
    if (!in.ok() || tag == ';') return Damaged("no frame");
    if (tag == ',') break;
    if (tag != '!') continue;  // PIL skips what it does not know
    const uint32_t label = in.U8();
    bool first_block = true;
    while (const uint32_t length = in.U8()) {
      const auto block = in.Take(length);
      if (first_block && label == 0xf9 && block.size() >= 4 &&
          (std::to_integer<uint32_t>(block[0]) & 1) != 0) {
        fill = std::to_integer<uint32_t>(block[3]);  // transparent index
      }
      first_block = false;
    }
  }
  Frame frame;
  frame.left = in.U16Le();
  frame.top = in.U16Le();
  frame.width = in.U16Le();
  frame.height = in.U16Le();
  const uint32_t frame_flags = in.U8();
  frame.interlaced = (frame_flags & 0x40) != 0;
  if (frame_flags & 0x80) {
    palette = Palette();
    ReadPalette(&in, frame_flags, &palette);
  }
  if (!in.ok()) return Damaged("truncated header");
  width = std::max(width, frame.left + frame.width);
  height = std::max(height, frame.top + frame.height);
  CLIPGLOT_RETURN_IF_ERROR(CheckImageSize(width, height, options.max_pixels));
  if (frame.width == 0 || frame.height == 0) return Damaged("empty frame");

  CLIPGLOT_ASSIGN_OR_RETURN(RgbWriter writer,
                            RgbWriter::Create(width, height, kOrientationUpright));
  const uint8_t* background = palette.rgb[fill];
  for (uint32_t y = 0; y < height; ++y) {
    for (uint32_t x = 0; x < width; ++x) {
      writer.PutPixel(x, y, background[0], background[1], background[2]);
    }
  }
  FramePainter painter(frame, palette, &writer);
  CLIPGLOT_RETURN_IF_ERROR(Unpack(&in, &painter));
  return std::move(writer).Finish();
}

}  // namespace clipglot
