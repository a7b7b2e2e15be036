// BMP: OS/2 and Windows headers; palettes, bit fields and run lengths, as PIL's BmpImagePlugin
// reads them.
//
// Source: Microsoft's documentation of BITMAPINFOHEADER and its successors; PIL's Unpack.c for the
// width of channels (v · 255 / (2^bits - 1), rounded down).
#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "base/strings.h"
#include "vision/byte_reader.h"
#include "vision/decoders.h"
#include "vision/exif.h"
#include "vision/rgb_writer.h"

namespace clipglot {
namespace {

constexpr size_t kFileHeaderBytes = 14;
constexpr uint32_t kOs2HeaderBytes = 12;
enum Compression : uint32_t {
  kPlain = 0,
  kRle8 = 1,
  kRle4 = 2,
  kBitFields = 3,
  kAlphaBitFields = 6
};

// Where a channel sits in a pixel.
struct Channel {
  uint32_t mask = 0, shift = 0, max = 0;

  bool Set(uint32_t bits) {
    mask = bits;
    if (mask == 0) return false;
    shift = static_cast<uint32_t>(std::countr_zero(mask));
    max = mask >> shift;
    return (max & (max + 1)) == 0;  // one run of ones
  }
  uint8_t Of(uint32_t pixel) const {
    return static_cast<uint8_t>(uint64_t{(pixel & mask) >> shift} * 255 / max);
  }
};

struct BmpFile {
  uint32_t width = 0, height = 0;
  bool bottom_up = true;
  uint32_t bits = 0, compression = kPlain;
  Palette palette;
  Channel red, green, blue;
  size_t offset = 0;  // of the pixels
};

Status Damaged(std::string_view what) {
  return {Code::kInvalidImage, StrCat("damaged BMP: ", what)};
}

// Masks of the 16- and 32-bit kinds. `given`: as the file says, all zero if it says nothing.
Status SetChannels(const uint32_t (&given)[3], BmpFile* bmp) {
  uint32_t masks[3] = {given[0], given[1], given[2]};
  if (masks[0] == 0 && masks[1] == 0 && masks[2] == 0) {
    if (bmp->bits == 16) {
      masks[0] = 0x7c00, masks[1] = 0x03e0, masks[2] = 0x001f;
    } else {
      masks[0] = 0xff0000, masks[1] = 0xff00, masks[2] = 0xff;
    }
  }
  if (!bmp->red.Set(masks[0]) || !bmp->green.Set(masks[1]) || !bmp->blue.Set(masks[2])) {
    return Damaged("bit fields");
  }
  return OkStatus();
}

Status ReadHeader(std::span<const std::byte> file, BmpFile* bmp) {
  ByteReader in(file);
  in.Skip(10);
  bmp->offset = in.U32Le();
  const uint32_t header = in.U32Le();
  uint32_t colors = 0;
  const bool os2 = header == kOs2HeaderBytes;
  if (os2) {
    bmp->width = in.U16Le();
    bmp->height = in.U16Le();
    in.Skip(2);  // planes
    bmp->bits = in.U16Le();
  } else if (header == 40 || header == 52 || header == 56 || header == 64 || header == 108 ||
             header == 124) {
    bmp->width = in.U32Le();
    const uint32_t height = in.U32Le();
    bmp->bottom_up = height <= 0x7fffffffu;  // negative: top row first
    bmp->height = bmp->bottom_up ? height : 0u - height;
    in.Skip(2);  // planes
    bmp->bits = in.U16Le();
    bmp->compression = in.U32Le();
    in.Skip(12);  // bytes of the pixels, pixels a metre
    colors = in.U32Le();
    in.Skip(4);  // important colours
  } else {
    return Damaged(StrCat("header of ", header, " bytes"));
  }
  if (!in.ok()) return Damaged("truncated header");
  const uint32_t bits = bmp->bits;
  const bool indexed = bits == 1 || bits == 4 || bits == 8;
  if (!indexed && bits != 16 && bits != 24 && bits != 32)
    return Damaged(StrCat(bits, " bits a pixel"));

  uint32_t masks[3] = {};
  size_t table_at = kFileHeaderBytes + header;
  switch (bmp->compression) {
    case kPlain:
      break;
    case kRle8:
    case kRle4:
      if (bits != (bmp->compression == kRle8 ? 8u : 4u)) return Damaged("run lengths");
      break;
    case kBitFields:
    case kAlphaBitFields:
      // The masks follow the 40 bytes, inside the header or, if it has only these, behind it.
      if (indexed) return Damaged("bit fields of an indexed picture");
      for (uint32_t& mask : masks) mask = in.U32Le();
      if (header == 40) table_at += bmp->compression == kBitFields ? 12 : 16;
      break;
    default:
      return Damaged(StrCat("compression ", bmp->compression, " is not supported"));
  }
  if (bits == 16 || bits == 32) CLIPGLOT_RETURN_IF_ERROR(SetChannels(masks, bmp));
  in.Seek(table_at);
  if (indexed) {
    if (colors == 0) colors = 1u << bits;
    const size_t entry = os2 ? 3 : 4;
    // PIL's rule for files that forget to count the palette.
    if (bmp->offset == table_at) bmp->offset += size_t{4} * std::min(colors, 65536u);
    if (bmp->offset == 0) bmp->offset = table_at + entry * std::min(colors, 65536u);
    const uint32_t kept = std::min(colors, 256u);
    for (uint32_t i = 0; i < kept; ++i) {
      const auto bgr = in.Take(entry);
      if (bgr.size() < 3) break;
      for (size_t c = 0; c < 3; ++c) bmp->palette.rgb[i][c] = std::to_integer<uint8_t>(bgr[2 - c]);
    }
  } else if (bmp->offset == 0) {
    bmp->offset = table_at;
  }
  if (bmp->offset >= file.size()) return Damaged("no pixels");
  return OkStatus();
}

uint32_t Byte(std::byte byte) { return std::to_integer<uint32_t>(byte); }

// One row as it stands in the file to RGB.
void RowToRgb(const BmpFile& bmp, const std::byte* in, uint8_t* out) {
  const uint32_t bits = bmp.bits;
  for (size_t x = 0; x < bmp.width; ++x, out += 3) {
    if (bits <= 8) {
      const size_t bit = x * bits;
      const uint32_t index = (Byte(in[bit / 8]) >> (8 - bits - bit % 8)) & ((1u << bits) - 1);
      std::memcpy(out, bmp.palette.rgb[index], 3);
    } else if (bits == 24) {
      for (size_t c = 0; c < 3; ++c) out[c] = std::to_integer<uint8_t>(in[3 * x + 2 - c]);
    } else {
      uint32_t pixel = 0;
      for (size_t i = 0; i < bits / 8; ++i) pixel |= Byte(in[x * (bits / 8) + i]) << (8 * i);
      out[0] = bmp.red.Of(pixel);
      out[1] = bmp.green.Of(pixel);
      out[2] = bmp.blue.Of(pixel);
    }
  }
}

// Run lengths to one index a pixel, in the file's order of rows. What the file leaves out has index
// 0.
void ExpandRuns(const BmpFile& bmp, std::span<const std::byte> data, std::span<uint8_t> out) {
  const bool nibbles = bmp.compression == kRle4;
  const size_t width = bmp.width, height = bmp.height;
  ByteReader in(data);
  size_t x = 0, y = 0;
  const auto put = [&](uint32_t index) {
    if (x < width && y < height) out[y * width + x] = static_cast<uint8_t>(index);
    ++x;
  };
  while (y < height) {
    const uint32_t count = in.U8(), value = in.U8();
    if (!in.ok()) return;
    if (count > 0) {
      for (uint32_t i = 0; i < count; ++i) {
        put(!nibbles ? value : i % 2 == 0 ? value >> 4 : value & 15);
      }
    } else if (value == 0) {  // end of the row
      x = 0;
      ++y;
    } else if (value == 1) {  // end of the picture
      return;
    } else if (value == 2) {  // move
      x += in.U8();
      y += in.U8();
    } else {  // `value` pixels as they are, padded to 16 bits
      const size_t bytes = nibbles ? (value + 1) / 2 : value;
      const auto raw = in.Take(bytes);
      if (raw.size() < bytes) return;
      for (uint32_t i = 0; i < value; ++i) {
        put(!nibbles ? Byte(raw[i]) : (Byte(raw[i / 2]) >> (i % 2 == 0 ? 4 : 0)) & 15);
      }
      in.Skip(bytes % 2);
    }
  }
}

}  // namespace

bool IsBmp(std::span<const std::byte> file) {
  return file.size() >= 2 && file[0] == std::byte{'B'} && file[1] == std::byte{'M'};
}

Result<RgbImage> DecodeBmp(std::span<const std::byte> file, const DecodeOptions& options) {
  BmpFile bmp;
  CLIPGLOT_RETURN_IF_ERROR(ReadHeader(file, &bmp));
  CLIPGLOT_RETURN_IF_ERROR(CheckImageSize(bmp.width, bmp.height, options.max_pixels));
  const size_t width = bmp.width, height = bmp.height;
  std::span<const std::byte> data = file.subspan(bmp.offset);
  AlignedBuffer expanded;
  uint64_t stride = (uint64_t{width} * bmp.bits + 31) / 32 * 4;
  if (bmp.compression == kRle8 || bmp.compression == kRle4) {
    CLIPGLOT_ASSIGN_OR_RETURN(expanded,
                              AlignedBuffer::TryAllocate(uint64_t{width} * height, "BMP pixels"));
    std::memset(expanded.data(), 0, expanded.size());
    ExpandRuns(bmp, data, expanded.as<uint8_t>());
    data = expanded.bytes();
    stride = width;
    bmp.bits = 8;
  }
  const uint64_t row_bytes = (uint64_t{width} * bmp.bits + 7) / 8;
  // The last row may come without its padding.
  const auto needed = CheckedMul(stride, height - 1);
  if (!needed || *needed > data.size() || row_bytes > data.size() - *needed) {
    return Damaged(StrCat("truncated: ", width, " x ", height, " pixels need more than ",
                          data.size(), " bytes"));
  }
  CLIPGLOT_ASSIGN_OR_RETURN(RgbWriter writer,
                            RgbWriter::Create(width, height, kOrientationUpright));
  for (size_t y = 0; y < height; ++y) {
    const size_t row = bmp.bottom_up ? height - 1 - y : y;
    RowToRgb(bmp, data.data() + row * static_cast<size_t>(stride), writer.NextRow());
    writer.CommitRow();
  }
  return std::move(writer).Finish();
}

}  // namespace clipglot
