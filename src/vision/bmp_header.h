// The header of a BMP: OS/2 and Windows kinds, their palettes and bit fields, taken and refused as
// PIL does.
//
// Source: Microsoft's documentation of BITMAPINFOHEADER and its successors; PIL's BmpImagePlugin
// (_bitmap).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/math.h"
#include "base/status.h"
#include "vision/decoders.h"

namespace clipglot {

// How a pixel is packed in a row.
enum class BmpPixels : uint8_t {
  kIndexed,  // `pixel_bits` bits, an entry of the palette
  kFields,   // two or four bytes with the channels at their masks
  kBgr,      // three bytes
};

// Where a channel sits in a pixel.
struct BmpChannel {
  uint32_t mask = 0, shift = 0, max = 1;
  void Set(uint32_t bits);
  uint8_t Of(uint32_t pixel) const {
    return static_cast<uint8_t>(uint64_t{(pixel & mask) >> shift} * 255 / max);
  }
};

struct BmpHeader {
  uint64_t width = 0, height = 0;
  bool bottom_up = true;
  BmpPixels pixels = BmpPixels::kBgr;
  uint32_t pixel_bits = 24;            // what a pixel takes in a row
  uint64_t stride = 0;                 // bytes from row to row, of the plain kinds
  bool runs = false, nibbles = false;  // run lengths of bytes or of half bytes
  Palette palette;
  BmpChannel red, green, blue;
  size_t offset = 0;  // of the pixels; may be past the end of the file

  uint64_t RowBytes() const { return CeilDiv(width * pixel_bits, 8); }
};

// Errors: kInvalidImage.
Status ReadBmpHeader(std::span<const std::byte> file, BmpHeader* bmp);

}  // namespace clipglot
