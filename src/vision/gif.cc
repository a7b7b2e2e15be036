// GIF: the first frame on its canvas, as PIL's GifImagePlugin loads it.
//
// Source: GIF89a specification; PIL (GifImagePlugin, GifDecode.c) for what the specification leaves
// open: where the frame does not reach, the canvas has the transparent index, or index 0; a frame
// that is larger than the canvas enlarges it; what a damaged file still gives and what makes it an
// error.
#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "vision/byte_reader.h"
#include "vision/decoders.h"
#include "vision/exif.h"
#include "vision/rgb_writer.h"
#include "vision/stop_check.h"

namespace clipglot {
namespace {

constexpr uint32_t kMaxCodeBits = 12;  // of the table, and PIL's limit for the code of one pixel
constexpr uint32_t kMaxCodes = 1u << kMaxCodeBits;
constexpr uint32_t kNone = ~0u;
constexpr size_t kReadBytes = 65536;  // PIL's MAXBLOCK

Status Damaged(std::string_view what) {
  return {Code::kInvalidImage, StrCat("damaged GIF: ", what)};
}
Status EndsEarly() { return Damaged("its pixels end early"); }

// Codes out of the data sub-blocks. A sub-block that is not whole is not begun, and the block that
// ends the data is for PIL an empty one.
class CodeReader {
 public:
  explicit CodeReader(ByteReader* in) : in_(in), read_end_(in->position() + kReadBytes) {}

  // The next code of `bits` bits, or nothing at the end of the data.
  std::optional<uint32_t> Next(uint32_t bits) {
    while (count_ < bits) {
      if (block_ == 0) {
        if (in_->remaining() == 0) return std::nullopt;
        block_ = in_->U8();
        if (block_ > in_->remaining()) return std::nullopt;
        while (in_->position() + block_ > read_end_) read_end_ += kReadBytes;
        continue;
      }
      buffer_ |= in_->U8() << count_;
      --block_;
      count_ += 8;
    }
    const uint32_t code = buffer_ & ((1u << bits) - 1);
    buffer_ >>= bits;
    count_ -= bits;
    return code;
  }

  // The code for the end came before the frame was full. PIL then reads on as if nothing had been,
  // if the file holds more than the piece it has read so far. False: it does not.
  bool GoOnAfterEnd() {
    if (read_end_ >= in_->position() + in_->remaining()) return false;
    read_end_ += kReadBytes;
    return true;
  }

 private:
  ByteReader* in_;
  size_t read_end_;      // how far PIL has read the file
  uint32_t block_ = 0;   // bytes left in this sub-block
  uint32_t buffer_ = 0;  // at most 12 + 13 bits
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

// LZW with a code size that grows, into `painter`. Codes for one pixel may have up to 12 bits; of
// the pixel the low 8 count.
Status Unpack(ByteReader* in, uint32_t root_bits, StopCheck* stop, FramePainter* painter) {
  if (root_bits > kMaxCodeBits) return Damaged(StrCat("a code size of ", root_bits));
  const uint32_t clear = 1u << root_bits, end = clear + 1;
  uint16_t prefix[kMaxCodes];
  uint8_t last[kMaxCodes], stack[kMaxCodes];

  CodeReader codes(in);
  uint32_t bits = root_bits + 1, next = clear + 2;
  uint32_t before = kNone;  // the code before this one
  uint8_t first = 0;        // first pixel of that code
  while (!painter->full()) {
    const std::optional<uint32_t> code = codes.Next(bits);
    if (!code) return EndsEarly();
    if (stop->Spend(4)) return StopCheck::Stopped();
    if (*code == clear) {
      bits = root_bits + 1;
      next = clear + 2;
      before = kNone;
      continue;
    }
    if (*code == end) {
      if (!codes.GoOnAfterEnd()) return EndsEarly();
      continue;
    }
    if (before == kNone) {
      if (*code > clear) return Damaged("a code without its beginning");
      first = static_cast<uint8_t>(*code);
      painter->Paint(first);
      before = *code;
      continue;
    }
    if (*code > next) return Damaged("unknown code");
    // The chain of pixels, last one first. The code that is just being made ends as it begins.
    size_t depth = 0;
    uint32_t walk = *code;
    if (walk == next) {
      stack[depth++] = first;
      walk = before;
    }
    while (walk >= clear) {  // entries refer to smaller codes only, so this ends
      if (walk >= kMaxCodes || depth == kMaxCodes) return Damaged("unknown code");
      stack[depth++] = last[walk];
      walk = prefix[walk];
    }
    first = static_cast<uint8_t>(walk);
    painter->Paint(first);
    if (stop->Spend(depth * 4)) return StopCheck::Stopped();
    while (depth > 0) painter->Paint(stack[--depth]);
    if (next < kMaxCodes) {
      prefix[next] = static_cast<uint16_t>(before);
      last[next] = first;
      if (next == (1u << bits) - 1 && bits < kMaxCodeBits) ++bits;
      ++next;
    }
    before = *code;
  }
  return OkStatus();
}

// False: the palette is the grays that stand there without one, which PIL then takes for none.
bool ReadPalette(ByteReader* in, uint32_t flags, Palette* palette) {
  const auto bytes = in->Take(size_t{3} << ((flags & 7) + 1));
  const Palette grays;
  if (bytes.empty() || std::memcmp(grays.rgb, bytes.data(), bytes.size()) == 0) return false;
  *palette = grays;
  std::memcpy(palette->rgb, bytes.data(), bytes.size());
  return true;
}

// The sub-blocks that are left of an extension.
Status SkipBlocks(ByteReader* in, StopCheck* stop) {
  while (const uint32_t length = in->U8()) {
    if (in->Take(length).empty()) break;
    if (stop->Spend(8)) return StopCheck::Stopped();
  }
  return OkStatus();
}

// One extension. `*transparent`: the index that a graphic control extension names, if it does.
Status ReadExtension(ByteReader* in, StopCheck* stop, std::optional<uint32_t>* transparent) {
  const uint32_t label = in->U8();
  if (!in->ok()) return Damaged("no frame");
  const uint32_t length = in->U8();
  const auto block = in->Take(length);
  const bool there = length > 0;
  if (label == 0xf9 && there) {
    if (block.size() < 3) return Damaged("a control block is too short");
    if ((std::to_integer<uint32_t>(block[0]) & 1) != 0) {
      if (block.size() < 4) return Damaged("a control block is too short");
      *transparent = std::to_integer<uint32_t>(block[3]);
    }
  }
  if (label == 0xfe && !there) return OkStatus();
  constexpr char kLoop[] = "NETSCAPE2.0";
  if (label == 0xff && block.size() >= sizeof(kLoop) - 1 &&
      std::memcmp(block.data(), kLoop, sizeof(kLoop) - 1) == 0) {
    in->Skip(in->U8());  // PIL reads this block before it looks for the end, which may be it
  }
  // Also after an empty first block, but for comments: PIL looks for the end once more.
  return SkipBlocks(in, stop);
}

}  // namespace

bool IsGif(std::span<const std::byte> file) {
  return file.size() >= 6 &&
         (std::memcmp(file.data(), "GIF87a", 6) == 0 || std::memcmp(file.data(), "GIF89a", 6) == 0);
}

Result<RgbImage> DecodeGif(std::span<const std::byte> file, const DecodeOptions& options) {
  StopCheck stop(options.observer);
  ByteReader in(file);
  in.Skip(6);
  uint32_t width = in.U16Le(), height = in.U16Le();
  const uint32_t flags = in.U8();
  in.Skip(2);  // background colour, which PIL does not use, and aspect ratio
  Palette palette;
  bool has_table = (flags & 0x80) != 0;
  if (has_table) ReadPalette(&in, flags, &palette);

  // Up to the first frame.
  std::optional<uint32_t> transparent;
  while (true) {
    const uint32_t tag = in.U8();
    if (!in.ok() || tag == ';') return Damaged("no frame");
    if (stop.Spend(1)) return StopCheck::Stopped();
    if (tag == ',') break;
    if (tag == '!') CLIPGLOT_RETURN_IF_ERROR(ReadExtension(&in, &stop, &transparent));
    // PIL skips what it does not know.
  }
  Frame frame;
  frame.left = in.U16Le();
  frame.top = in.U16Le();
  frame.width = in.U16Le();
  frame.height = in.U16Le();
  const uint32_t frame_flags = in.U8();
  frame.interlaced = (frame_flags & 0x40) != 0;
  if (frame_flags & 0x80) {
    has_table = true;
    // A table of plain grays is none for PIL, and the file's own table, if there is one, stays.
    ReadPalette(&in, frame_flags, &palette);
  }
  const uint32_t root_bits = in.U8();
  if (!in.ok()) return Damaged("truncated header");
  width = std::max(width, frame.left + frame.width);
  height = std::max(height, frame.top + frame.height);
  CLIPGLOT_RETURN_IF_ERROR(CheckImageSize(width, height, options.max_pixels));
  if (frame.width == 0 || frame.height == 0) return Damaged("empty frame");

  CLIPGLOT_ASSIGN_OR_RETURN(RgbWriter writer,
                            RgbWriter::Create(width, height, kOrientationUpright, &stop));
  CLIPGLOT_RETURN_IF_ERROR(writer.Fill(palette.rgb[transparent.value_or(0)]));
  FramePainter painter(frame, palette, &writer);
  CLIPGLOT_RETURN_IF_ERROR(Unpack(&in, root_bits, &stop, &painter));
  RgbImage image = std::move(writer).Finish();
  if (!has_table)
    image.warnings.push_back("the GIF has no colours: its colour numbers are shown as grays");
  return image;
}

}  // namespace clipglot
