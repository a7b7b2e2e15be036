// PNG: filters, interlacing and pixel formats. The chunks are png_reader's, the inflating is
// zlib's.
//
// Source: PNG specification, third edition (filters 9, interlacing 8); what becomes of each kind of
// pixel: PIL's PngImagePlugin (_MODES) followed by convert("RGB"); when damaged or missing data is
// an error: PIL's ZipDecode.c.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "base/math.h"
#include "base/strings.h"
#include "vision/decoders.h"
#include "vision/exif.h"
#include "vision/inflate.h"
#include "vision/png_reader.h"
#include "vision/rgb_writer.h"
#include "vision/stop_check.h"

namespace clipglot {
namespace {

constexpr uint8_t kSignature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
// Deflate never expands its input by more than this factor.
constexpr uint64_t kMaxDeflateRatio = 1032;

// One pass of the interlacing; a picture that is not interlaced has one pass of step 1.
struct Pass {
  uint32_t x0, y0, step_x, step_y;
  uint32_t Width(uint32_t width) const { return CeilDiv(width - std::min(width, x0), step_x); }
  uint32_t Height(uint32_t height) const { return CeilDiv(height - std::min(height, y0), step_y); }
};
constexpr Pass kWhole[] = {{0, 0, 1, 1}};
constexpr Pass kAdam7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                           {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

Status Damaged(std::string_view what) {
  return {Code::kInvalidImage, StrCat("damaged PNG: ", what)};
}

inline int Paeth(int left, int up, int corner) {
  const int to_left = std::abs(up - corner), to_up = std::abs(left - corner);
  const int to_corner = std::abs(left + up - 2 * corner);
  if (to_left <= to_up && to_left <= to_corner) return left;
  return to_up <= to_corner ? up : corner;
}

constexpr int kLastFilter = 4;

// Undoes the filter of bytes `begin`…`end` of a row in place; those before are done. `above`: the
// row before, unfiltered, or zeros. `step`: bytes of a pixel, at least 1. `filter`: 0…kLastFilter.
void Unfilter(int filter, uint8_t* row, const uint8_t* above, size_t begin, size_t end,
              size_t step) {
  const size_t head =
      std::min(std::max(step, begin), end);  // bytes before have no pixel to their left
  switch (filter) {
    case 1:
      for (size_t i = head; i < end; ++i) row[i] = static_cast<uint8_t>(row[i] + row[i - step]);
      break;
    case 2:
      for (size_t i = begin; i < end; ++i) row[i] = static_cast<uint8_t>(row[i] + above[i]);
      break;
    case 3:
      for (size_t i = begin; i < head; ++i) row[i] = static_cast<uint8_t>(row[i] + above[i] / 2);
      for (size_t i = head; i < end; ++i) {
        row[i] = static_cast<uint8_t>(row[i] + (row[i - step] + above[i]) / 2);
      }
      break;
    case 4:
      for (size_t i = begin; i < head; ++i) row[i] = static_cast<uint8_t>(row[i] + above[i]);
      for (size_t i = head; i < end; ++i) {
        row[i] = static_cast<uint8_t>(row[i] + Paeth(row[i - step], above[i], above[i - step]));
      }
      break;
    default:
      break;
  }
}

// `width` unfiltered pixels, the first of which begins a byte, to RGB.
void ToRgb(const PngHeader& png, Gray16 gray16, const uint8_t* in, size_t width, uint8_t* out) {
  const bool wide = png.depth == 16;
  switch (png.color) {
    case kPngGray:
    case kPngIndexed: {
      if (wide) {
        const bool clip = gray16 == Gray16::kClip;
        for (size_t x = 0; x < width; ++x) {
          const uint8_t high = in[2 * x];
          std::memset(out + 3 * x, !clip ? high : high != 0 ? 255 : in[2 * x + 1], 3);
        }
        break;
      }
      const uint32_t mask = (1u << png.depth) - 1;
      const uint32_t scale = png.color == kPngGray ? 255 / mask : 1;
      for (size_t x = 0; x < width; ++x) {
        const size_t bit = x * png.depth;
        const uint32_t value = (in[bit / 8] >> (8 - png.depth - bit % 8)) & mask;
        if (png.color == kPngIndexed) {
          std::memcpy(out + 3 * x, png.palette.rgb[value], 3);
        } else {
          std::memset(out + 3 * x, static_cast<int>(value * scale), 3);
        }
      }
      break;
    }
    case kPngGrayAlpha:
      for (size_t x = 0; x < width; ++x) std::memset(out + 3 * x, in[x * (wide ? 4 : 2)], 3);
      break;
    default: {  // RGB with and without alpha; of 16 bits the high byte
      const size_t sample = wide ? 2 : 1, pixel = png.samples() * sample;
      for (size_t x = 0; x < width; ++x) {
        for (size_t c = 0; c < 3; ++c) out[3 * x + c] = in[x * pixel + c * sample];
      }
      break;
    }
  }
}

// Takes unfiltered rows in the file's order and puts them into the picture.
class Painter {
 public:
  Painter(const PngHeader& png, const DecodeOptions& options, int turn, StopCheck* stop)
      : png_(png),
        gray16_(options.gray16),
        turn_(turn),
        stop_(stop),
        passes_(png.interlaced ? std::span<const Pass>(kAdam7) : std::span<const Pass>(kWhole)) {}

  size_t row_bytes() const {
    return static_cast<size_t>(png_.RowBytes(passes_[pass_].Width(png_.frame_width)));
  }
  bool first_of_pass() const { return y_ == 0; }
  bool done() const { return pass_ == passes_.size(); }

  // Memory for the picture is asked for with the first row: a file that has none gets none.
  Status Paint(const uint8_t* row) {
    if (!writer_) CLIPGLOT_RETURN_IF_ERROR(Start());
    const Pass& pass = passes_[pass_];
    const uint32_t width = pass.Width(png_.frame_width);
    if (by_rows_) {
      uint8_t* out = writer_->NextRow();
      CLIPGLOT_RETURN_IF_ERROR(stop_->InPieces(width, 3, [&](size_t begin, size_t end) {
        ToRgb(png_, gray16_, row + png_.RowBytes(begin), end - begin, out + 3 * begin);
      }));
      CLIPGLOT_RETURN_IF_ERROR(writer_->CommitRow());
    } else {
      // PIL puts an interlaced frame that is smaller than its picture into the corner.
      const uint32_t left = png_.interlaced ? 0 : png_.left, top = png_.interlaced ? 0 : png_.top;
      CLIPGLOT_RETURN_IF_ERROR(stop_->InPieces(width, 6, [&](size_t begin, size_t end) {
        uint8_t* rgb = line_.as<uint8_t>().data() + 3 * begin;
        ToRgb(png_, gray16_, row + png_.RowBytes(begin), end - begin, rgb);
        for (size_t x = begin; x < end; ++x, rgb += 3) {
          writer_->PutPixel(left + pass.x0 + x * pass.step_x, top + pass.y0 + y_ * pass.step_y,
                            rgb[0], rgb[1], rgb[2]);
        }
      }));
    }
    ++rows_;
    ++y_;
    while (pass_ < passes_.size() && (y_ >= passes_[pass_].Height(png_.frame_height) ||
                                      passes_[pass_].Width(png_.frame_width) == 0)) {
      y_ = 0;
      ++pass_;
    }
    return OkStatus();
  }

  // The picture; rows that never came are as PIL's new image has them. Errors: kCancelled.
  Result<RgbImage> Finish() {
    uint64_t missing = 0;
    for (size_t pass = pass_; pass < passes_.size(); ++pass) {
      if (passes_[pass].Width(png_.frame_width) > 0)
        missing += passes_[pass].Height(png_.frame_height);
    }
    missing -= y_;
    if (by_rows_) {
      for (uint32_t y = rows_; y < png_.height; ++y) {
        uint8_t* out = writer_->NextRow();
        CLIPGLOT_RETURN_IF_ERROR(stop_->InPieces(png_.width, 3, [&](size_t begin, size_t end) {
          for (size_t x = begin; x < end; ++x) std::memcpy(out + 3 * x, Background(), 3);
        }));
        CLIPGLOT_RETURN_IF_ERROR(writer_->CommitRow());
      }
    }
    RgbImage image = std::move(*writer_).Finish();
    if (png_.color == kPngIndexed && !png_.has_palette) {
      image.warnings.push_back("the PNG has no palette: its colour numbers are shown as grays");
    }
    if (missing > 0) {
      image.warnings.push_back(StrCat("the PNG ends early: ", missing, " of ", missing + rows_,
                                      " rows of pixels are missing"));
    }
    return image;
  }

 private:
  Status Start() {
    CLIPGLOT_ASSIGN_OR_RETURN(RgbWriter writer,
                              RgbWriter::Create(png_.width, png_.height, turn_, stop_));
    writer_.emplace(std::move(writer));
    by_rows_ = !png_.interlaced && png_.whole();
    if (by_rows_) return OkStatus();
    CLIPGLOT_ASSIGN_OR_RETURN(line_,
                              AlignedBuffer::TryAllocate(uint64_t{png_.width} * 3, "PNG row"));
    return writer_->Fill(Background());
  }
  const uint8_t* Background() const {
    static constexpr uint8_t kBlack[3] = {0, 0, 0};
    return png_.color == kPngIndexed ? png_.palette.rgb[0] : kBlack;
  }

  const PngHeader& png_;
  const Gray16 gray16_;
  const int turn_;
  StopCheck* stop_;
  const std::span<const Pass> passes_;
  std::optional<RgbWriter> writer_;
  AlignedBuffer line_;  // not by rows: one row of a pass as RGB
  bool by_rows_ = false;
  size_t pass_ = 0;
  uint32_t y_ = 0;     // row of the pass that comes next
  uint32_t rows_ = 0;  // painted so far, of all passes
};

// Unpacks row after row. Ends when the picture is full or, at the end of a row, when the stream
// ends.
Status UnpackRows(PngReader* reader, const PngHeader& png, size_t file_bytes, StopCheck* stop,
                  Painter* painter) {
  const uint64_t longest = png.RowBytes(png.frame_width) + 1;  // with the filter byte
  if (longest / kMaxDeflateRatio > file_bytes) {
    return Damaged(
        StrCat("a row of ", png.frame_width, " pixels cannot come from ", file_bytes, " bytes"));
  }
  CLIPGLOT_ASSIGN_OR_RETURN(AlignedBuffer first, AlignedBuffer::TryAllocate(longest, "PNG row"));
  CLIPGLOT_ASSIGN_OR_RETURN(AlignedBuffer second, AlignedBuffer::TryAllocate(longest, "PNG row"));
  uint8_t* row = first.as<uint8_t>().data();
  uint8_t* above = second.as<uint8_t>().data();
  const auto clear_above = [&] {
    return stop->InPieces(second.size(), 1, [&](size_t begin, size_t end) {
      std::memset(above + begin, 0, end - begin);
    });
  };
  CLIPGLOT_RETURN_IF_ERROR(clear_above());
  Inflater inflater;
  CLIPGLOT_RETURN_IF_ERROR(inflater.Init());
  const size_t step = std::max(1u, png.pixel_bits() / 8);
  size_t filled = 0;
  while (true) {
    CLIPGLOT_ASSIGN_OR_RETURN(const auto piece, reader->NextPiece());
    if (piece.empty()) return Damaged("its pixels end early, in the middle of a row");
    inflater.Feed(piece);
    while (inflater.left() > 0) {
      const size_t bytes = painter->row_bytes();
      CLIPGLOT_ASSIGN_OR_RETURN(const Inflater::Step unpacked,
                                inflater.Unpack({row + filled, bytes + 1 - filled}, stop));
      if (unpacked.state == Inflater::State::kDamaged)
        return Damaged("its packed pixels or their checksum");
      filled += unpacked.written;
      if (filled < bytes + 1) break;
      filled = 0;
      if (row[0] > kLastFilter) return Damaged("unknown filter");
      CLIPGLOT_RETURN_IF_ERROR(stop->InPieces(bytes, 1, [&](size_t begin, size_t end) {
        Unfilter(row[0], row + 1, above + 1, begin, end, step);
      }));
      CLIPGLOT_RETURN_IF_ERROR(painter->Paint(row + 1));
      if (painter->done() || unpacked.state == Inflater::State::kEnd) return OkStatus();
      std::swap(row, above);
      if (painter->first_of_pass()) CLIPGLOT_RETURN_IF_ERROR(clear_above());
    }
  }
}

}  // namespace

bool IsPng(std::span<const std::byte> file) {
  return file.size() >= sizeof(kSignature) &&
         std::memcmp(file.data(), kSignature, sizeof(kSignature)) == 0;
}

Result<RgbImage> DecodePng(std::span<const std::byte> file, const DecodeOptions& options) {
  StopCheck stop(options.observer);
  PngReader reader(file, &stop);
  CLIPGLOT_RETURN_IF_ERROR(reader.Open());
  const PngHeader png = reader.header();
  CLIPGLOT_RETURN_IF_ERROR(CheckImageSize(png.width, png.height, options.max_pixels));
  if (png.frame_width == 0 || png.frame_height == 0) return Damaged("empty frame");
  int turn = kOrientationUpright;
  if (options.orientation == Orientation::kApply) {
    CLIPGLOT_ASSIGN_OR_RETURN(turn, reader.Orientation());
  }
  Painter painter(png, options, turn, &stop);
  CLIPGLOT_RETURN_IF_ERROR(UnpackRows(&reader, png, file.size(), &stop, &painter));
  CLIPGLOT_RETURN_IF_ERROR(reader.Finish());
  return painter.Finish();
}

}  // namespace clipglot
