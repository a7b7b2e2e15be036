#include "vision/bmp_header.h"

#include <algorithm>
#include <bit>

#include "base/math.h"
#include "base/strings.h"
#include "vision/byte_reader.h"

namespace clipglot {
namespace {

constexpr size_t kFileHeaderBytes = 14;
constexpr uint32_t kOs2HeaderBytes = 12;
constexpr uint32_t kMaxColors = 65536;  // PIL's limit; more than 256 are refused once they are read
enum Compression : uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3 };

Status Damaged(std::string_view what) {
  return {Code::kInvalidImage, StrCat("damaged BMP: ", what)};
}
Status Unsupported(std::string_view what) {
  return {Code::kInvalidImage, StrCat("unsupported BMP: ", what)};
}

struct Masks {
  uint32_t red = 0, green = 0, blue = 0, alpha = 0;
  bool operator==(const Masks&) const = default;
};
constexpr Masks kMasks32 = {0xff0000, 0xff00, 0xff, 0};
constexpr Masks kMasks16 = {0x7c00, 0x3e0, 0x1f, 0};
constexpr Masks kMasks565 = {0xf800, 0x7e0, 0x1f, 0};

// The layouts that PIL takes. All zero means the usual one.
bool TakeLayout(uint32_t bits, Masks* masks) {
  constexpr Masks kKnown32[] = {
      kMasks32,
      {0xff000000, 0xff0000, 0xff00, 0},
      {0xff000000, 0xff00, 0xff, 0},
      {0xff000000, 0xff0000, 0xff00, 0xff},
      {0xff, 0xff00, 0xff0000, 0xff000000},
      {0xff0000, 0xff00, 0xff, 0xff000000},
      {0xff000000, 0xff00, 0xff, 0xff0000},
  };
  if (bits == 32) {
    if (*masks == Masks()) *masks = kMasks32;
    return std::find(std::begin(kKnown32), std::end(kKnown32), *masks) != std::end(kKnown32);
  }
  masks->alpha = 0;
  return bits == 24 ? *masks == kMasks32 : *masks == kMasks16 || *masks == kMasks565;
}

// The palette, and what PIL makes of one that holds nothing but grays: pixels of 8 bits, or of 1
// bit if it has two colours, whatever the header says.
Status ReadPalette(ByteReader* in, size_t entry_bytes, uint32_t colors, BmpHeader* bmp,
                   bool* bilevel) {
  if (colors > kMaxColors) return Unsupported(StrCat("a palette of ", colors, " colours"));
  const auto table = in->Take(entry_bytes * colors);
  bool grays = true;
  for (size_t i = 0; i < colors && grays; ++i) {
    const auto value = static_cast<uint8_t>(colors == 2 ? 255 * i : i);
    for (size_t c = 0; c < 3; ++c) {
      const size_t at = i * entry_bytes + c;
      grays = grays && at < table.size() && std::to_integer<uint8_t>(table[at]) == value;
    }
  }
  if (grays) {
    *bilevel = colors == 2;
    bmp->pixel_bits = *bilevel ? 1 : 8;
    if (*bilevel) bmp->palette.rgb[1][0] = bmp->palette.rgb[1][1] = bmp->palette.rgb[1][2] = 255;
    return OkStatus();
  }
  const size_t entries = table.size() / entry_bytes;
  if (entries > 256) return Damaged(StrCat("a palette of ", entries, " colours"));
  for (size_t i = 0; i < entries; ++i) {
    for (size_t c = 0; c < 3; ++c) {
      bmp->palette.rgb[i][c] = std::to_integer<uint8_t>(table[i * entry_bytes + 2 - c]);
    }
  }
  return OkStatus();
}

}  // namespace

void BmpChannel::Set(uint32_t bits) {
  mask = bits;
  if (mask == 0) return;  // always 0; also in headers that are refused further on
  shift = static_cast<uint32_t>(std::countr_zero(mask));
  max = mask >> shift;
}

Status ReadBmpHeader(std::span<const std::byte> file, BmpHeader* bmp) {
  ByteReader in(file);
  in.Skip(10);
  uint64_t offset = in.U32Le();
  const uint32_t header = in.U32Le();
  uint32_t bits = 0, compression = kPlain, colors = 0;
  const bool os2 = header == kOs2HeaderBytes;
  if (os2) {
    bmp->width = in.U16Le();
    bmp->height = in.U16Le();
    in.Skip(2);  // planes
    bits = in.U16Le();
  } else if (header == 40 || header == 52 || header == 56 || header == 64 || header == 108 ||
             header == 124) {
    bmp->width = in.U32Le();
    const uint32_t height = in.U32Le();
    bmp->bottom_up = height >> 24 != 0xff;  // PIL's way to see that it is negative: top row first
    bmp->height = bmp->bottom_up ? height : 0x100000000u - uint64_t{height};
    in.Skip(2);  // planes
    bits = in.U16Le();
    compression = in.U32Le();
    in.Skip(12);  // bytes of the pixels, pixels a metre
    colors = in.U32Le();
    in.Skip(4);  // important colours
  } else {
    return Unsupported(StrCat("a header of ", header, " bytes"));
  }
  Masks masks;
  size_t table_at = kFileHeaderBytes + header;
  if (compression == kBitFields) {
    // The masks follow the 40 bytes, inside the header or, if it has only these, after it.
    masks = {in.U32Le(), in.U32Le(), in.U32Le(), 0};
    if (header >= 56) masks.alpha = in.U32Le();
    if (header == 40) table_at += 12;
  }
  if (!in.ok()) return Damaged("truncated header");
  in.Seek(table_at);
  if (!in.ok()) return Damaged("truncated header");

  const bool indexed = bits == 1 || bits == 4 || bits == 8;
  if (!indexed && bits != 16 && bits != 24 && bits != 32)
    return Unsupported(StrCat(bits, " bits a pixel"));
  if (colors == 0 && indexed) colors = 1u << bits;
  const size_t entry_bytes = os2 ? 3 : 4;
  // PIL's rule for files that forget to count the palette.
  if (indexed && offset == uint64_t{kFileHeaderBytes} + header)
    offset += uint64_t{entry_bytes} * colors;
  bmp->pixel_bits = bits;
  bmp->stride = CeilDiv(bmp->width * bits, 32) * 4;
  switch (compression) {
    case kPlain:
      if (bits == 16) masks = kMasks16;
      if (bits == 32) masks = kMasks32;
      break;
    case kRle8:
    case kRle4:
      bmp->runs = true;
      bmp->nibbles = compression == kRle4;
      break;
    case kBitFields:
      if (indexed || !TakeLayout(bits, &masks)) return Unsupported("its layout of bit fields");
      break;
    default:
      return Unsupported(StrCat("compression ", compression));
  }
  bool bilevel = false;  // black and white, for PIL another kind of picture
  if (indexed) {
    bmp->pixels = BmpPixels::kIndexed;
    CLIPGLOT_RETURN_IF_ERROR(ReadPalette(&in, entry_bytes, colors, bmp, &bilevel));
  } else if (bits == 24) {
    bmp->pixels = BmpPixels::kBgr;
  } else {
    bmp->pixels = BmpPixels::kFields;
    bmp->red.Set(masks.red);
    bmp->green.Set(masks.green);
    bmp->blue.Set(masks.blue);
  }
  if (bmp->runs) {
    if (!indexed || bilevel) return Unsupported("run lengths of this kind of pixel");
    bmp->pixel_bits = 8;
  }
  if (offset == 0) offset = in.position();
  bmp->offset = static_cast<size_t>(std::min<uint64_t>(offset, file.size()));
  return OkStatus();
}

}  // namespace clipglot
