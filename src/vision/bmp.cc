// BMP: rows of pixels and run lengths, as PIL reads them. The header is bmp_header's.
//
// Source: Microsoft's documentation of BITMAPINFOHEADER; PIL's BmpRleDecoder and RawDecode.c for
// what a damaged file still gives, its Unpack.c for the width of channels (v · 255 / (2^bits - 1),
// rounded down).
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "base/math.h"
#include "base/strings.h"
#include "vision/bmp_header.h"
#include "vision/byte_reader.h"
#include "vision/decoders.h"
#include "vision/exif.h"
#include "vision/rgb_writer.h"
#include "vision/stop_check.h"

namespace clipglot {
namespace {

Status Damaged(std::string_view what) {
  return {Code::kInvalidImage, StrCat("damaged BMP: ", what)};
}

uint32_t Byte(std::byte byte) { return std::to_integer<uint32_t>(byte); }

// Pixels `begin`…`end` of a row as it stands in the file to RGB.
void RowToRgb(const BmpHeader& bmp, const std::byte* in, size_t begin, size_t end, uint8_t* out) {
  const uint32_t bits = bmp.pixel_bits;
  out += 3 * begin;
  for (size_t x = begin; x < end; ++x, out += 3) {
    if (bmp.pixels == BmpPixels::kIndexed) {
      const size_t bit = x * bits;
      const uint32_t index = (Byte(in[bit / 8]) >> (8 - bits - bit % 8)) & ((1u << bits) - 1);
      std::memcpy(out, bmp.palette.rgb[index], 3);
    } else if (bmp.pixels == BmpPixels::kBgr) {
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

// Run lengths to one index a pixel, in the file's order of rows, as PIL does it: one long line of
// pixels that end-of-row codes fill up to a multiple of the width. `in` stands at the first code.
// Gives how many pixels came.
Result<uint64_t> ExpandRuns(const BmpHeader& bmp, ByteReader in, std::span<uint8_t> out,
                            StopCheck* stop) {
  const size_t width = static_cast<size_t>(bmp.width);
  uint64_t at = 0;  // may run past the end by one move
  uint64_t x = 0;
  const auto put = [&](uint32_t index) {
    if (at < out.size()) out[static_cast<size_t>(at)] = static_cast<uint8_t>(index);
    ++at;
  };
  const auto half = [](uint32_t byte, size_t i) { return i % 2 == 0 ? byte >> 4 : byte & 15; };
  while (at < out.size()) {
    const uint32_t count = in.U8(), value = in.U8();
    if (!in.ok()) break;
    if (stop->Spend(uint64_t{count} + 8)) return StopCheck::Stopped();
    if (count > 0) {
      // What does not fit the row is dropped.
      const uint64_t kept = x >= width ? 0 : std::min<uint64_t>(count, width - x);
      for (size_t i = 0; i < kept; ++i) put(bmp.nibbles ? half(value, i) : value);
      x += kept;
    } else if (value == 0) {  // end of the row
      at = RoundUp(at, width);
      x = 0;
    } else if (value == 1) {  // end of the picture
      break;
    } else if (value == 2) {  // move
      const uint64_t right = in.U8(), up = in.U8();
      if (!in.ok()) break;
      at += right + up * width;
      x = at % width;
    } else {  // `value` pixels as they are, padded to an even place in the file
      const auto pixels = static_cast<size_t>(std::min<uint64_t>(out.size() - at, value));
      const size_t bytes = bmp.nibbles ? (pixels + 1) / 2 : pixels;
      const auto raw = in.Take(bytes);
      for (size_t i = 0; i < pixels && i < raw.size() * (bmp.nibbles ? 2 : 1); ++i) {
        put(bmp.nibbles ? half(Byte(raw[i / 2]), i) : Byte(raw[i]));
      }
      if (raw.size() < bytes) break;
      x += value;
      if (in.position() % 2 != 0) in.Skip(std::min<size_t>(1, in.remaining()));
    }
  }
  return at;
}

}  // namespace

bool IsBmp(std::span<const std::byte> file) {
  return file.size() >= 2 && file[0] == std::byte{'B'} && file[1] == std::byte{'M'};
}

Result<RgbImage> DecodeBmp(std::span<const std::byte> file, const DecodeOptions& options) {
  StopCheck stop(options.observer);
  BmpHeader bmp;
  CLIPGLOT_RETURN_IF_ERROR(ReadBmpHeader(file, &bmp));
  CLIPGLOT_RETURN_IF_ERROR(CheckImageSize(bmp.width, bmp.height, options.max_pixels));
  const auto width = static_cast<size_t>(bmp.width), height = static_cast<size_t>(bmp.height);
  std::span<const std::byte> data = file.subspan(bmp.offset);
  AlignedBuffer expanded;
  uint64_t stride = bmp.stride;
  if (bmp.runs) {
    // Two bytes move by at most 255 rows and 255 pixels, so a short file cannot fill a large
    // picture.
    const uint64_t pixels = uint64_t{width} * height;
    const uint64_t most = 255 * (uint64_t{width} + 1);
    if (pixels / most > data.size()) return Damaged("not enough image data");
    CLIPGLOT_ASSIGN_OR_RETURN(expanded, AlignedBuffer::TryAllocate(pixels, "BMP pixels"));
    CLIPGLOT_RETURN_IF_ERROR(stop.InPieces(expanded.size(), 1, [&](size_t begin, size_t end) {
      std::memset(expanded.data() + begin, 0, end - begin);
    }));
    ByteReader in(file);
    in.Seek(bmp.offset);
    CLIPGLOT_ASSIGN_OR_RETURN(const uint64_t came,
                              ExpandRuns(bmp, in, expanded.as<uint8_t>(), &stop));
    if (came < pixels) {
      return Damaged(StrCat("not enough image data: ", came, " of ", pixels, " pixels"));
    }
    data = expanded.bytes();
    stride = width;
  }
  const uint64_t row_bytes = bmp.RowBytes();
  if (row_bytes > stride) return Damaged("its palette does not fit its pixels");
  // The last row may come without its padding.
  const auto needed = CheckedMul(stride, height - 1);
  if (!needed || *needed > data.size() || row_bytes > data.size() - *needed) {
    return Damaged(StrCat("truncated: ", width, " x ", height, " pixels need more than ",
                          data.size(), " bytes"));
  }
  CLIPGLOT_ASSIGN_OR_RETURN(RgbWriter writer,
                            RgbWriter::Create(width, height, kOrientationUpright, &stop));
  for (size_t y = 0; y < height; ++y) {
    const size_t row = bmp.bottom_up ? height - 1 - y : y;
    const std::byte* in = data.data() + row * static_cast<size_t>(stride);
    uint8_t* out = writer.NextRow();
    CLIPGLOT_RETURN_IF_ERROR(stop.InPieces(
        width, 3, [&](size_t begin, size_t end) { RowToRgb(bmp, in, begin, end, out); }));
    CLIPGLOT_RETURN_IF_ERROR(writer.CommitRow());
  }
  return std::move(writer).Finish();
}

}  // namespace clipglot
