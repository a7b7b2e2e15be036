// PNG: chunks, filters, interlacing and pixel formats; the inflating is stb_image's.
//
// Source: PNG specification, third edition (filters 9, interlacing 8, chunks 11); what becomes of
// each kind of pixel: PIL's PngImagePlugin (_MODES) followed by convert("RGB").
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "vision/byte_reader.h"
#include "vision/decoders.h"
#include "vision/exif.h"
#include "vision/rgb_writer.h"
#include "vision/stb_codec.h"

namespace clipglot {
namespace {

constexpr uint8_t kSignature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr uint32_t kMaxSide = 1u << 30;
// Deflate never expands its input by more than this factor.
constexpr uint64_t kMaxDeflateRatio = 1032;

constexpr uint32_t Tag(const char (&name)[5]) {
  return static_cast<uint32_t>(name[0]) << 24 | static_cast<uint32_t>(name[1]) << 16 |
         static_cast<uint32_t>(name[2]) << 8 | static_cast<uint32_t>(name[3]);
}

enum ColorType : uint32_t { kGray = 0, kRgb = 2, kIndexed = 3, kGrayAlpha = 4, kRgba = 6 };

struct PngFile {
  uint32_t width = 0, height = 0;
  uint32_t depth = 0, color = 0;
  bool interlaced = false;
  Palette palette;
  bool has_palette = false;
  std::vector<std::span<const std::byte>> data;  // contents of the IDAT chunks
  uint64_t data_bytes = 0;
  int orientation = kOrientationUpright;

  uint32_t samples() const {
    return color == kRgb ? 3 : color == kGrayAlpha ? 2 : color == kRgba ? 4 : 1;
  }
  // Bytes of one row of `pixels` pixels, without the filter byte.
  uint64_t RowBytes(uint64_t pixels) const { return (pixels * samples() * depth + 7) / 8; }
};

// One pass of the interlacing; a picture that is not interlaced has one pass of step 1.
struct Pass {
  uint32_t x0, y0, step_x, step_y;
  uint32_t Width(uint32_t width) const {
    return (width - std::min(width, x0) + step_x - 1) / step_x;
  }
  uint32_t Height(uint32_t height) const {
    return (height - std::min(height, y0) + step_y - 1) / step_y;
  }
};
constexpr Pass kWhole[] = {{0, 0, 1, 1}};
constexpr Pass kAdam7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                           {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
std::span<const Pass> Passes(const PngFile& png) {
  return png.interlaced ? std::span<const Pass>(kAdam7) : std::span<const Pass>(kWhole);
}

Status Damaged(std::string_view what) {
  return {Code::kInvalidImage, StrCat("damaged PNG: ", what)};
}

uint32_t Crc32(std::span<const std::byte> bytes) {
  uint32_t crc = 0xffffffffu;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<uint32_t>(byte);
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

Status ReadHeader(std::span<const std::byte> body, PngFile* png) {
  if (body.size() != 13) return Damaged("header of a wrong length");
  ByteReader in(body);
  png->width = in.U32Be();
  png->height = in.U32Be();
  png->depth = in.U8();
  png->color = in.U8();
  const uint32_t compression = in.U8(), filter = in.U8(), interlace = in.U8();
  png->interlaced = interlace == 1;
  const uint32_t depth = png->depth;
  const bool eight_or_sixteen = depth == 8 || depth == 16;
  const bool up_to_eight = depth == 1 || depth == 2 || depth == 4 || depth == 8;
  bool known = false;
  switch (png->color) {
    case kGray:
      known = up_to_eight || depth == 16;
      break;
    case kIndexed:
      known = up_to_eight;
      break;
    case kRgb:
    case kGrayAlpha:
    case kRgba:
      known = eight_or_sixteen;
      break;
    default:
      break;
  }
  if (!known || compression != 0 || filter != 0 || interlace > 1) {
    return Damaged(StrCat("unknown kind (bit depth ", depth, ", colour type ", png->color, ")"));
  }
  if (png->width > kMaxSide || png->height > kMaxSide) {
    return {Code::kInvalidImage,
            StrCat("the image is ", png->width, " x ", png->height, " pixels")};
  }
  return OkStatus();
}

// All chunks up to IEND. What is missing at the end shows when the pixels are unpacked.
Status ReadChunks(std::span<const std::byte> file, PngFile* png) {
  ByteReader in(file);
  in.Skip(sizeof(kSignature));
  bool first = true;
  while (in.remaining() >= 8) {
    const uint32_t length = in.U32Be();
    const size_t tag_at = in.position();
    const uint32_t tag = in.U32Be();
    const std::span<const std::byte> body = in.Take(length);
    if (first != (tag == Tag("IHDR"))) return Damaged("its header is not the first chunk");
    first = false;
    if (tag == Tag("IHDR") || tag == Tag("PLTE")) {
      if (!in.ok() || in.U32Be() != Crc32(file.subspan(tag_at, 4 + body.size()))) {
        return Damaged("checksum of its header or palette");
      }
    } else {
      in.Skip(4);  // checksum: PIL ignores it for the pixels, and the other chunks cannot do harm
    }
    if (tag == Tag("IHDR")) {
      CLIPGLOT_RETURN_IF_ERROR(ReadHeader(body, png));
    } else if (tag == Tag("PLTE")) {
      if (body.size() % 3 != 0 || body.size() > sizeof(png->palette.rgb)) return Damaged("palette");
      std::memcpy(png->palette.rgb, body.data(), body.size());
      png->has_palette = true;
    } else if (tag == Tag("IDAT")) {
      if (!body.empty()) png->data.push_back(body);
      png->data_bytes += body.size();
    } else if (tag == Tag("eXIf")) {
      png->orientation = TiffOrientation(body);
    } else if (tag == Tag("IEND")) {
      break;
    }
  }
  if (first) return Damaged("no header");
  if (png->color == kIndexed && !png->has_palette) return Damaged("no palette");
  if (png->data.empty()) return Damaged("no pixels");
  return OkStatus();
}

// Bytes of the filtered rows of all passes; sizes are checked, so this cannot overflow 64 bits.
uint64_t FilteredBytes(const PngFile& png) {
  uint64_t bytes = 0;
  for (const Pass& pass : Passes(png)) {
    const uint64_t width = pass.Width(png.width);
    if (width > 0) bytes += (png.RowBytes(width) + 1) * pass.Height(png.height);
  }
  return bytes;
}

// The filtered rows, inflated.
Result<AlignedBuffer> Unpack(const PngFile& png) {
  const uint64_t needed = FilteredBytes(png);
  if (needed / kMaxDeflateRatio > png.data_bytes) {
    return Damaged(StrCat(png.width, " x ", png.height, " pixels cannot come from ", png.data_bytes,
                          " bytes"));
  }
  // Several chunks are put together, since the inflater wants its input in one piece.
  AlignedBuffer joined;
  std::span<const std::byte> packed = png.data.front();
  if (png.data.size() > 1) {
    CLIPGLOT_ASSIGN_OR_RETURN(joined, AlignedBuffer::TryAllocate(png.data_bytes, "PNG data"));
    size_t at = 0;
    for (const auto& part : png.data) {
      std::memcpy(joined.data() + at, part.data(), part.size());
      at += part.size();
    }
    packed = joined.bytes();
  }
  CLIPGLOT_ASSIGN_OR_RETURN(AlignedBuffer rows,
                            AlignedBuffer::TryAllocate(needed + kInflateSlack, "PNG rows"));
  CLIPGLOT_RETURN_IF_ERROR(InflateZlib(packed, rows.as<uint8_t>(), static_cast<size_t>(needed)));
  return rows;
}

inline int Paeth(int left, int up, int corner) {
  const int to_left = std::abs(up - corner), to_up = std::abs(left - corner);
  const int to_corner = std::abs(left + up - 2 * corner);
  if (to_left <= to_up && to_left <= to_corner) return left;
  return to_up <= to_corner ? up : corner;
}

// Undoes the filter of one row in place. `above`: the row before, unfiltered, or null. `step`:
// bytes of a pixel, at least 1.
bool Unfilter(int filter, uint8_t* row, const uint8_t* above, size_t bytes, size_t step) {
  const size_t head = std::min(step, bytes);
  switch (filter) {
    case 0:
      return true;
    case 1:
      for (size_t i = head; i < bytes; ++i) row[i] = static_cast<uint8_t>(row[i] + row[i - step]);
      return true;
    case 2:
      if (above == nullptr) return true;
      for (size_t i = 0; i < bytes; ++i) row[i] = static_cast<uint8_t>(row[i] + above[i]);
      return true;
    case 3:
      for (size_t i = 0; i < bytes; ++i) {
        const int left = i < head ? 0 : row[i - step], up = above == nullptr ? 0 : above[i];
        row[i] = static_cast<uint8_t>(row[i] + (left + up) / 2);
      }
      return true;
    case 4:
      // Without a row above, the prediction is the pixel to the left.
      if (above == nullptr) return Unfilter(1, row, above, bytes, step);
      for (size_t i = 0; i < head; ++i) row[i] = static_cast<uint8_t>(row[i] + above[i]);
      for (size_t i = head; i < bytes; ++i) {
        row[i] = static_cast<uint8_t>(row[i] + Paeth(row[i - step], above[i], above[i - step]));
      }
      return true;
    default:
      return false;
  }
}

// One unfiltered row to RGB.
void RowToRgb(const PngFile& png, const uint8_t* in, size_t width, uint8_t* out) {
  const bool wide = png.depth == 16;
  switch (png.color) {
    case kGray:
    case kIndexed: {
      if (wide) {
        for (size_t x = 0; x < width; ++x) {
          const uint8_t value = in[2 * x] != 0 ? 255 : in[2 * x + 1];  // clipped, as PIL does
          std::memset(out + 3 * x, value, 3);
        }
        break;
      }
      const uint32_t mask = (1u << png.depth) - 1;
      const uint32_t scale = png.color == kGray ? 255 / mask : 1;
      for (size_t x = 0; x < width; ++x) {
        const size_t bit = x * png.depth;
        const uint32_t value = (in[bit / 8] >> (8 - png.depth - bit % 8)) & mask;
        if (png.color == kIndexed) {
          std::memcpy(out + 3 * x, png.palette.rgb[value], 3);
        } else {
          std::memset(out + 3 * x, static_cast<int>(value * scale), 3);
        }
      }
      break;
    }
    case kGrayAlpha:
      for (size_t x = 0; x < width; ++x) std::memset(out + 3 * x, in[x * (wide ? 4 : 2)], 3);
      break;
    default: {  // kRgb, kRgba; of 16 bits the high byte
      const size_t sample = wide ? 2 : 1, pixel = png.samples() * sample;
      for (size_t x = 0; x < width; ++x) {
        for (size_t c = 0; c < 3; ++c) out[3 * x + c] = in[x * pixel + c * sample];
      }
      break;
    }
  }
}

}  // namespace

bool IsPng(std::span<const std::byte> file) {
  return file.size() >= sizeof(kSignature) &&
         std::memcmp(file.data(), kSignature, sizeof(kSignature)) == 0;
}

Result<RgbImage> DecodePng(std::span<const std::byte> file, const DecodeOptions& options) {
  PngFile png;
  CLIPGLOT_RETURN_IF_ERROR(ReadChunks(file, &png));
  CLIPGLOT_RETURN_IF_ERROR(CheckImageSize(png.width, png.height, options.max_pixels));
  CLIPGLOT_ASSIGN_OR_RETURN(AlignedBuffer rows, Unpack(png));
  const int turn = options.orientation == Orientation::kApply ? png.orientation : kOrientationUpright;
  CLIPGLOT_ASSIGN_OR_RETURN(RgbWriter writer, RgbWriter::Create(png.width, png.height, turn));
  AlignedBuffer line;  // interlaced: one row of a pass as RGB
  if (png.interlaced) {
    CLIPGLOT_ASSIGN_OR_RETURN(line, AlignedBuffer::TryAllocate(uint64_t{png.width} * 3, "PNG row"));
  }
  const size_t step = std::max(1u, png.samples() * png.depth / 8);
  uint8_t* row = rows.as<uint8_t>().data();
  for (const Pass& pass : Passes(png)) {
    const uint32_t width = pass.Width(png.width), height = pass.Height(png.height);
    if (width == 0) continue;
    const size_t bytes = static_cast<size_t>(png.RowBytes(width));
    const uint8_t* above = nullptr;
    for (uint32_t y = 0; y < height; ++y) {
      if (!Unfilter(row[0], row + 1, above, bytes, step)) return Damaged("unknown filter");
      above = row + 1;
      row += bytes + 1;
      if (!png.interlaced) {
        RowToRgb(png, above, width, writer.NextRow());
        writer.CommitRow();
        continue;
      }
      uint8_t* rgb = line.as<uint8_t>().data();
      RowToRgb(png, above, width, rgb);
      for (uint32_t x = 0; x < width; ++x) {
        writer.PutPixel(pass.x0 + x * pass.step_x, pass.y0 + y * pass.step_y, rgb[3 * x],
                        rgb[3 * x + 1], rgb[3 * x + 2]);
      }
    }
  }
  return std::move(writer).Finish();
}

}  // namespace clipglot
