// A picture may be one row: decoders ask whether to stop along a row too, in every walk over its
// pixels.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "support/asked.h"
#include "vision/image.h"
#include "vision/image_files.h"
#include "vision/stop_check.h"

namespace clipglot {
namespace {

using testing::Asked;
using testing::kPlenty;

using Bytes = std::vector<std::byte>;

constexpr uint32_t kWidth = 4 << 20;

void Put(Bytes* file, uint64_t value, int bytes, bool big_endian) {
  for (int i = 0; i < bytes; ++i)
    file->push_back(static_cast<std::byte>(value >> (8 * (big_endian ? bytes - 1 - i : i))));
}

void PutChunk(Bytes* file, const char (&tag)[5], const Bytes& body) {
  Put(file, body.size(), 4, true);
  const size_t begin = file->size();
  for (int i = 0; i < 4; ++i) file->push_back(static_cast<std::byte>(tag[i]));
  file->insert(file->end(), body.begin(), body.end());
  uint32_t crc = 0xffffffffu;
  // Nobody looks at the checksum of pixels.
  for (size_t i = begin; i < file->size() && body.size() < 100; ++i) {
    crc ^= std::to_integer<uint32_t>((*file)[i]);
    for (int k = 0; k < 8; ++k) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
  }
  Put(file, ~crc, 4, true);
}

// A zlib stream of `bytes` bytes that are not packed: the first is `first`, the others 0.
Bytes Stored(size_t bytes, uint32_t first) {
  Bytes out;
  Put(&out, 0x7801, 2, true);
  for (size_t at = 0; at < bytes;) {
    const size_t block = std::min<size_t>(bytes - at, 65535);
    out.push_back(std::byte{at + block == bytes});
    Put(&out, block, 2, false);
    Put(&out, ~block, 2, false);
    out.push_back(static_cast<std::byte>(at == 0 ? first : 0));
    out.resize(out.size() + block - 1);
    at += block;
  }
  const uint64_t a = (1 + first) % 65521, b = (bytes + uint64_t{first} * bytes) % 65521;
  Put(&out, b << 16 | a, 4, true);
  return out;
}

struct Png {
  uint32_t height = 1, depth = 8, color = 2, interlaced = 0;
  int orientation = 1, filter = 4;
  size_t pixels = 0;  // bytes with the filter's
  bool small_frame = false;
};

Bytes MakePng(const Png& png) {
  Bytes file, header;
  Put(&file, 0x89504e470d0a1a0a, 8, true);
  Put(&header, kWidth, 4, true);
  Put(&header, png.height, 4, true);
  for (const uint32_t value : {png.depth, png.color, 0u, 0u, png.interlaced})
    Put(&header, value, 1, true);
  PutChunk(&file, "IHDR", header);
  if (png.orientation != 1) PutChunk(&file, "eXIf", testing::Tiff(png.orientation, true));
  if (png.small_frame) {  // the right half of the picture
    Bytes frame;
    for (const uint32_t value : {0u, kWidth / 2, 1u, kWidth / 2, 0u, 0u, 0u})
      Put(&frame, value, 4, true);
    frame.resize(26);
    PutChunk(&file, "fcTL", frame);
  }
  PutChunk(&file, "IDAT", Stored(png.pixels, static_cast<uint32_t>(png.filter)));
  PutChunk(&file, "IEND", {});
  return file;
}

Bytes MakeBmp(uint32_t bits, uint32_t compression, const Bytes& pixels) {
  Bytes file;
  Put(&file, 'B' | 'M' << 8, 2, false);
  for (const uint32_t value : {0u, 0u, bits == 8 ? 1078u : 54u, 40u, kWidth, 1u})
    Put(&file, value, 4, false);
  Put(&file, 1, 2, false);
  Put(&file, bits, 2, false);
  for (const uint32_t value : {compression, 0u, 0u, 0u, 0u, 0u}) Put(&file, value, 4, false);
  if (bits == 8) file.resize(1078);
  file.insert(file.end(), pixels.begin(), pixels.end());
  return file;
}

// A walk over each pixel of the row with so many units of work.
constexpr int Questions(double units_a_pixel) {
  return static_cast<int>(units_a_pixel * kWidth / StopCheck::kInterval);
}

// Decodes to the end, which takes at least `least` questions and not many more; then stops at some
// of them.
void ExpectQuestions(const std::string& name, int least,
                     const std::function<Result<RgbImage>(CallObserver*)>& decode) {
  SCOPED_TRACE(name);
  int asked = 0;
  Asked to_the_end([&] { return ++asked > 0; });
  const auto whole = decode(&to_the_end);
  ASSERT_TRUE(whole.ok()) << whole.status().detail();
  EXPECT_EQ(whole->width * whole->height % kWidth, 0u);
  EXPECT_GE(asked,
            least * 9 / 10);  // where one walk ends and the next begins, a question may be saved
  EXPECT_LE(asked, 3 * least);
  const int all = asked;
  for (const int last : {1, all / 3, all / 2, all * 4 / 5, all}) {
    asked = 0;
    Asked until([&] { return ++asked != last; });
    const auto stopped = decode(&until);
    ASSERT_FALSE(stopped.ok());
    EXPECT_EQ(stopped.status().code(), Code::kCancelled) << stopped.status().detail();
    EXPECT_EQ(asked, last);
  }
}

void ExpectQuestions(const std::string& name, double units_a_pixel, const Bytes& file) {
  ExpectQuestions(name, Questions(units_a_pixel), [&](CallObserver* observer) {
    return DecodeImage(
        file, {.max_pixels = kPlenty, .orientation = Orientation::kApply, .observer = observer});
  });
}

// Units a pixel: bytes of the row before that are cleared, unpacked, unfiltered; 3 for the colours;
// then what places them.
TEST(WideRow, Png) {
  constexpr size_t kBytes = size_t{kWidth} * 3 + 1;
  for (const int filter : {1, 2, 3, 4}) {
    ExpectQuestions(std::to_string(filter), 3 + 3 + 3 + 3,
                    MakePng({.filter = filter, .pixels = kBytes}));
  }
  ExpectQuestions("one bit", 3 + 0.3,
                  MakePng({.depth = 1, .color = 0, .filter = 0, .pixels = kWidth / 8 + 1}));
  ExpectQuestions("mirrored", 12 + 4, MakePng({.orientation = 2, .pixels = kBytes}));
  // Upright, this is one column, so a pixel follows a pixel and goes straight to its place.
  ExpectQuestions("turned", 12, MakePng({.orientation = 6, .pixels = kBytes}));
  ExpectQuestions("a missing row, turned", 12 + 3 + 8,
                  MakePng({.height = 2, .orientation = 6, .pixels = kBytes}));
  // Passes of 1/8, 1/8, 1/4 and 1/2 of the row; the row before is cleared for each.
  ExpectQuestions("interlaced", 6 + 6 + 3 + 3,
                  MakePng({.interlaced = 1, .filter = 0, .pixels = size_t{kWidth} * 3 + 4}));
  ExpectQuestions("small frame", 6 + 3,
                  MakePng({.pixels = size_t{kWidth} / 2 * 3 + 1, .small_frame = true}));
}

TEST(WideRow, Bmp) {
  ExpectQuestions("24 bits", 3, MakeBmp(24, 0, Bytes(size_t{kWidth} * 3)));
  ExpectQuestions("8 bits", 3, MakeBmp(8, 0, Bytes(kWidth)));
  Bytes runs;
  for (uint32_t i = 0; i <= kWidth / 255; ++i) Put(&runs, 255, 2, false);
  ExpectQuestions("runs", 1 + 1 + 3, MakeBmp(8, 1, runs));
}

TEST(WideRow, Rgba) {
  const std::vector<uint8_t> rgba(size_t{kWidth} * 4);
  ExpectQuestions("rgba", Questions(3), [&](CallObserver* observer) {
    return ImageFromRgba(rgba, kWidth, 1, kPlenty, observer);
  });
}

// Pieces cover what was asked for, once and in order, and begin at multiples of 8.
TEST(WideRow, Pieces) {
  for (const uint64_t each : {uint64_t{0}, uint64_t{1}, uint64_t{3}, uint64_t{1000},
                              StopCheck::kInterval, UINT64_MAX / 1024}) {
    for (const size_t count : {size_t{0}, size_t{1}, size_t{7}, size_t{300}, size_t{1000003}}) {
      if (count > 300 && each > 1000) continue;
      StopCheck stop(nullptr);
      size_t next = 0;
      EXPECT_TRUE(stop.InPieces(count, each,
                                [&](size_t begin, size_t end) {
                                  EXPECT_EQ(begin, next);
                                  EXPECT_EQ(begin % 8, 0u);
                                  EXPECT_LT(begin, end);
                                  EXPECT_LE(
                                      end - begin,
                                      StopCheck::kInterval / std::max<uint64_t>(each, 1) + 16);
                                  next = end;
                                })
                      .ok());
      EXPECT_EQ(next, count);
    }
  }
}

}  // namespace
}  // namespace clipglot
