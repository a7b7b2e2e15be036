// Files that are cut, bent, or lie about their size: a typed error or a picture, never a crash.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "vision/image.h"
#include "vision/image_files.h"

namespace clipglot {
namespace {

using testing::kPlenty;
using testing::ReadImage;

using Bytes = std::vector<std::byte>;

// Decodes; what fails must be an image error (or a refused allocation) with a reason.
bool Decodes(const Bytes& file, uint64_t max_pixels = kPlenty) {
  const auto image =
      DecodeImage(file, {.max_pixels = max_pixels, .orientation = Orientation::kApply});
  if (image.ok()) {
    EXPECT_EQ(image->pixels.size(), image->width * image->height * 3);
    EXPECT_LE(image->width * image->height, max_pixels);
    return true;
  }
  EXPECT_EQ(image.status().code(), Code::kInvalidImage) << image.status().detail();
  EXPECT_FALSE(image.status().detail().empty());
  return false;
}

TEST(HostileImage, EveryTruncationOfSmallFiles) {
  for (const std::string& name : testing::ImageNames()) {
    SCOPED_TRACE(name);
    const Bytes whole = ReadImage(name);
    // All short lengths, then steps: enough to end in every part of the file.
    for (size_t length = 0; length < whole.size();
         length += length < 64 ? 1 : 1 + whole.size() / 60) {
      Decodes(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length)));
    }
    EXPECT_TRUE(Decodes(whole));
  }
}

TEST(HostileImage, HalfAFileIsAnError) {
  for (const std::string& name : testing::ImageNames()) {
    const Bytes whole = ReadImage(name);
    if (whole.size() < 300) continue;
    SCOPED_TRACE(name);
    EXPECT_FALSE(
        Decodes(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(whole.size() / 2))));
  }
  // A JPEG without its end marker is cut off, even if by two bytes only (PIL: "image file is
  // truncated").
  const Bytes jpeg = ReadImage("jpeg_420.jpg");
  EXPECT_FALSE(Decodes(Bytes(jpeg.begin(), jpeg.end() - 2)));
}

void PutBe(Bytes* file, size_t at, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    (*file)[at + static_cast<size_t>(i)] = static_cast<std::byte>(value >> (8 * (bytes - 1 - i)));
}

// Makes the checksum of a PNG's header right again, so that a bent header is not refused for it.
void MendPngHeader(Bytes* file) {
  if (file->size() < 33 || (*file)[0] != std::byte{0x89}) return;
  uint32_t crc = 0xffffffffu;
  for (size_t i = 12; i < 29; ++i) {
    crc ^= std::to_integer<uint32_t>((*file)[i]);
    for (int k = 0; k < 8; ++k) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
  }
  PutBe(file, 29, ~crc, 4);
}

TEST(HostileImage, FlippedBits) {
  std::mt19937 random(11);
  for (const std::string& name : testing::ImageNames()) {
    SCOPED_TRACE(name);
    const Bytes whole = ReadImage(name);
    for (int round = 0; round < 300; ++round) {
      Bytes bent = whole;
      const int flips = 1 << (random() % 5);
      // Half of the rounds bend the head of the file, where the structure is.
      const size_t range = round % 2 == 0 ? bent.size() : std::min<size_t>(bent.size(), 200);
      for (int i = 0; i < flips; ++i)
        bent[random() % range] ^= static_cast<std::byte>(1 << (random() % 8));
      if (round % 3 != 0) MendPngHeader(&bent);
      Decodes(bent, 1 << 20);
    }
  }
}

TEST(HostileImage, SplicedFiles) {
  std::mt19937 random(13);
  const std::vector<std::string> names = testing::ImageNames();
  for (int round = 0; round < 8000; ++round) {
    Bytes first = ReadImage(names[random() % names.size()]);
    const Bytes second = ReadImage(names[random() % names.size()]);
    first.resize(random() % (first.size() + 1));
    first.insert(first.end(), second.begin() + static_cast<ptrdiff_t>(random() % second.size()),
                 second.end());
    Decodes(first, 1 << 20);
  }
}

// Where the height of the frame header stands: FF C0 or FF C2, length, precision, height, width.
size_t FrameHeader(const Bytes& jpeg) {
  for (size_t i = 2; i + 1 < jpeg.size();) {
    const int marker = std::to_integer<int>(jpeg[i + 1]);
    if (marker == 0xc0 || marker == 0xc2) return i + 5;
    i += 2 + (std::to_integer<size_t>(jpeg[i + 2]) << 8 | std::to_integer<size_t>(jpeg[i + 3]));
  }
  return 0;
}

TEST(HostileImage, SizesThatLie) {
  for (const std::string& name :
       {std::string("jpeg_420.jpg"), std::string("jpeg_444_progressive.jpg")}) {
    SCOPED_TRACE(name);
    Bytes file = ReadImage(name);
    const size_t at = FrameHeader(file);
    ASSERT_GT(at, 0u);
    for (const auto& [width, height] :
         {std::pair<uint32_t, uint32_t>{0, 5}, {5, 0}, {65535, 65535}, {8000, 8000}, {65535, 1}}) {
      PutBe(&file, at, height, 2);
      PutBe(&file, at + 2, width, 2);
      // 8000 x 8000 is allowed, but a few hundred bytes cannot hold it: refused before memory is
      // taken.
      EXPECT_FALSE(Decodes(file));
    }
  }
  // BMP: no memory for pixels that are not there.
  Bytes bmp = ReadImage("bmp_rgb.bmp");
  for (const uint32_t side :
       {0u, 0x401f0000u /* 8000, little endian */, 0xffffffffu, 0xffffff7fu}) {
    PutBe(&bmp, 18, side, 4);
    PutBe(&bmp, 22, side, 4);
    EXPECT_FALSE(Decodes(bmp));
  }
  // PNG: 8000 x 8000 is allowed, but deflate cannot expand that far.
  Bytes png = ReadImage("png_rgb8.png");
  for (const uint32_t side : {0u, 8000u, 0x7fffffffu, 0xffffffffu}) {
    PutBe(&png, 16, side, 4);
    PutBe(&png, 20, side, 4);
    MendPngHeader(&png);
    EXPECT_FALSE(Decodes(png));
  }
  Bytes gif = ReadImage("gif_palette.gif");
  PutBe(&gif, 6, 0xffffffff, 4);
  EXPECT_FALSE(Decodes(gif));  // 65535 x 65535
}

// Each scan costs a walk over the whole picture: a file may not ask for any number of them.
TEST(HostileImage, EndlessScans) {
  const Bytes whole = ReadImage("jpeg_420.jpg");
  const Bytes scan_marker = {std::byte{0xff}, std::byte{0xda}};
  const auto last =
      std::find_end(whole.begin(), whole.end(), scan_marker.begin(), scan_marker.end());
  ASSERT_NE(last, whole.end());
  Bytes file(whole.begin(), last);
  for (int i = 0; i < 1000; ++i) file.insert(file.end(), last, whole.end() - 2);
  file.insert(file.end(), whole.end() - 2, whole.end());
  const auto image = DecodeImage(file, {.max_pixels = kPlenty, .orientation = Orientation::kApply});
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.status().detail().find("scans"), std::string::npos) << image.status().detail();
}

}  // namespace
}  // namespace clipglot
