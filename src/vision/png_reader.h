// The chunks of a PNG, walked as PIL walks them: strictly up to the pixels, leniently after them.
//
// Takes: the whole file. Gives: the header, the packed pixels piece by piece, the orientation. What
// PIL refuses is an error here, what it passes over is passed over. Not thread-safe; `file` and
// `stop` must outlive it.
//
// Source: PNG specification, third edition; PIL's PngImagePlugin (_open, load_read, load_end).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/math.h"
#include "base/status.h"
#include "vision/byte_reader.h"
#include "vision/decoders.h"
#include "vision/png_text.h"
#include "vision/stop_check.h"

namespace clipglot {

enum PngColor : uint32_t {
  kPngGray = 0,
  kPngRgb = 2,
  kPngIndexed = 3,
  kPngGrayAlpha = 4,
  kPngRgba = 6
};

struct PngHeader {
  uint32_t width = 0, height = 0;
  uint32_t depth = 0, color = 0;  // valid only together with `known`
  bool known = false;
  bool interlaced = false;
  bool has_palette = false;
  Palette palette;
  // Where the pixels go: the whole picture, but for a file whose first frame is smaller.
  uint32_t left = 0, top = 0, frame_width = 0, frame_height = 0;

  uint32_t samples() const {
    return color == kPngRgb ? 3 : color == kPngGrayAlpha ? 2 : color == kPngRgba ? 4 : 1;
  }
  uint32_t pixel_bits() const { return samples() * depth; }
  // Bytes of one row of `pixels` pixels, without the filter byte.
  uint64_t RowBytes(uint64_t pixels) const { return CeilDiv(pixels * pixel_bits(), 8); }
  bool whole() const {
    return left == 0 && top == 0 && frame_width == width && frame_height == height;
  }
};

class PngReader {
 public:
  PngReader(std::span<const std::byte> file, StopCheck* stop);

  // Reads up to the first pixels. Errors: kInvalidImage, kOutOfMemory, kCancelled; so for all
  // below.
  Status Open();
  const PngHeader& header() const { return header_; }

  // Packed pixels, at most 64 KiB at a time; empty where they end.
  Result<std::span<const std::byte>> NextPiece();
  // Looks at what follows the pixels. To be called once they are complete.
  Status Finish();

  // 1…8; also looks at what stands after the pixels, whose faults do not matter here. Call after
  // Open.
  Result<int> Orientation() const;

 private:
  struct Chunk {
    uint32_t length = 0, tag = 0;
    size_t body_at = 0;
  };
  bool NextChunk(Chunk* chunk);
  bool CheckChecksum(const Chunk& chunk, bool* stopped);
  Status ReadChunk(const Chunk& chunk);
  Status ReadHeader(std::span<const std::byte> body);
  Status ReadPalette(std::span<const std::byte> body);
  Status CheckTransparency(std::span<const std::byte> body) const;
  Status ReadFrameCount(std::span<const std::byte> body);
  Status ReadFrameControl(std::span<const std::byte> body);
  Status ReadSequence();
  void StartPixels(uint64_t length);

  std::span<const std::byte> file_;
  ByteReader in_;
  StopCheck* stop_;
  PngHeader header_;
  PngText text_;
  size_t palette_entries_ = 0;
  bool pixels_ = false;               // their first chunk was found
  uint64_t left_ = 0;                 // bytes left in the chunk of pixels
  std::optional<Chunk> pushed_;       // the chunk after the pixels, if its head was read
  std::optional<uint32_t> frames_;    // of an animation
  std::optional<uint32_t> sequence_;  // last number of a frame's chunk
  bool has_frame_ = false;            // a frame control was read
  bool default_image_ = false;        // the pixels are no frame of the animation
};

}  // namespace clipglot
