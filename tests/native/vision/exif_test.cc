// EXIF orientation: where the tag is found, and what it does to the pixels.
#include "vision/exif.h"

#include <gtest/gtest.h>

#include "vision/image_files.h"
#include "vision/jpeg_header.h"
#include "vision/rgb_writer.h"

namespace clipglot {
namespace {

using testing::ExpectedImages;
using testing::kPlenty;
using testing::Pixels;
using testing::Tiff;
using testing::WithExif;

TEST(Exif, FindsOrientation) {
  const auto jpeg = testing::ReadImage("jpeg_420.jpg");
  EXPECT_EQ(JpegOrientation(jpeg), 1);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big_endian : {false, true}) {
      for (const int type : {3, 4}) {
        const auto tiff = Tiff(orientation, big_endian, type);
        EXPECT_EQ(TiffOrientation(tiff), orientation);
        EXPECT_EQ(JpegOrientation(WithExif(jpeg, tiff)), orientation);
      }
    }
  }
}

TEST(Exif, DamagedMeansUpright) {
  for (const int orientation : {0, 9, 65535})
    EXPECT_EQ(TiffOrientation(Tiff(orientation, true)), 1);
  EXPECT_EQ(TiffOrientation(Tiff(6, true, 2)), 1);  // text
  const auto good = Tiff(6, false);
  for (size_t length = 0; length < good.size(); ++length) {
    const auto cut =
        std::vector<std::byte>(good.begin(), good.begin() + static_cast<ptrdiff_t>(length));
    const int found = TiffOrientation(cut);
    EXPECT_TRUE(found == 1 || found == 6) << length;
    if (length < 30) {
      EXPECT_EQ(found, 1) << length;
    }
  }
  // Any byte changed to anything: some orientation comes out, and the picture decodes.
  const auto jpeg = testing::ReadImage("jpeg_gray.jpg");
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int value : {0, 1, 2, 8, 127, 128, 255}) {
      auto bad = good;
      bad[at] = static_cast<std::byte>(value);
      const int found = TiffOrientation(bad);
      EXPECT_GE(found, 1);
      EXPECT_LE(found, 8);
      EXPECT_TRUE(DecodeImage(WithExif(jpeg, bad),
                              {.max_pixels = kPlenty, .orientation = Orientation::kApply})
                      .ok());
    }
  }
}

// Number types that PIL reads; tests/data/jpeg holds them as whole files.
TEST(Exif, NumbersOfEveryType) {
  for (const int type : {3, 8}) EXPECT_EQ(TiffOrientation(Tiff(6, true, type)), 6);
  for (const int type : {4, 9, 13}) EXPECT_EQ(TiffOrientation(Tiff(6, false, type)), 6);
  for (const int type : {1, 2, 7, 14, 99})
    EXPECT_EQ(TiffOrientation(Tiff(6, false, type)), 1) << type;
}

TEST(Exif, Xmp) {
  EXPECT_EQ(XmpOrientation("<x tiff:Orientation=\"6\"/>"), 6);
  EXPECT_EQ(XmpOrientation("<tiff:Orientation>8</tiff:Orientation>"), 8);
  EXPECT_EQ(XmpOrientation("tiff:Orientation=6 tiff:Orientation=\"x tiff:Orientation=\"3\""), 3);
  EXPECT_EQ(XmpOrientation("tiff:Orientation=\"9\" tiff:Orientation=\"3\""), 1);
  for (const char* text : {"", "tiff:Orientation", "tiff:Orientation=\"", "tiff:Orientation>",
                           "exif:Orientation=\"6\""}) {
    EXPECT_EQ(XmpOrientation(text), 1) << text;
  }
}

// EXIF comes first, even where it says "as stored" or makes no sense; without the tag XMP counts.
TEST(Exif, XmpCountsWithoutExif) {
  const std::string xmp = "<x tiff:Orientation=\"6\"/>";
  EXPECT_EQ(OrientationOf({}, xmp), 6);
  EXPECT_EQ(OrientationOf(Tiff(3, true), xmp), 3);
  EXPECT_EQ(OrientationOf(Tiff(1, true), xmp), 1);
  EXPECT_EQ(OrientationOf(Tiff(9, true), xmp), 1);
  auto other_tag = Tiff(3, true);
  other_tag[22] = std::byte{2};  // the tag's first byte
  EXPECT_EQ(OrientationOf(other_tag, xmp), 6);
  auto broken = Tiff(3, true);
  broken[0] = std::byte{'X'};
  EXPECT_EQ(OrientationOf(broken, xmp), 1);
  // In a JPEG.
  const auto jpeg = testing::ReadImage("jpeg_420.jpg");
  const std::string body = std::string("http://ns.adobe.com/xap/1.0/") + '\0' + xmp;
  std::vector<std::byte> file(jpeg.begin(), jpeg.begin() + 2);
  for (const size_t byte : {size_t{0xff}, size_t{0xe1}, size_t{0}, body.size() + 2})
    file.push_back(static_cast<std::byte>(byte));
  for (const char c : body) file.push_back(static_cast<std::byte>(c));
  file.insert(file.end(), jpeg.begin() + 2, jpeg.end());
  EXPECT_EQ(JpegOrientation(file), 6);
  EXPECT_EQ(JpegOrientation(WithExif(file, Tiff(8, false))), 8);
}

// The writer with rows, as the decoders use it.
TEST(Exif, AllEightPositionsByRows) {
  const std::vector<uint8_t> stored = ExpectedImages().U8("upright.1");
  const std::vector<size_t> shape = ExpectedImages().Shape("upright.1");
  const size_t height = shape[0], width = shape[1];
  StopCheck stop(nullptr);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    SCOPED_TRACE(orientation);
    const std::string name = "upright." + std::to_string(orientation);
    const std::vector<size_t> turned = ExpectedImages().Shape(name);
    auto rows = RgbWriter::Create(width, height, orientation, &stop);
    auto points = RgbWriter::Create(width, height, orientation, &stop);
    ASSERT_TRUE(rows.ok() && points.ok());
    for (size_t y = 0; y < height; ++y) {
      const uint8_t* row = stored.data() + y * width * 3;
      std::copy_n(row, width * 3, rows->NextRow());
      ASSERT_TRUE(rows->CommitRow().ok());
      for (size_t x = 0; x < width; ++x) {
        points->PutPixel(x, y, row[3 * x], row[3 * x + 1], row[3 * x + 2]);
      }
    }
    const RgbImage by_rows = std::move(*rows).Finish(), by_points = std::move(*points).Finish();
    EXPECT_EQ(by_rows.height, turned[0]);
    EXPECT_EQ(by_rows.width, turned[1]);
    EXPECT_EQ(Pixels(by_rows), ExpectedImages().U8(name));
    EXPECT_EQ(Pixels(by_points), ExpectedImages().U8(name));
  }
}

// Where stored pixel (x, y) of a width × height picture stands once it is upright.
std::pair<size_t, size_t> Place(int orientation, size_t x, size_t y, size_t width, size_t height) {
  const size_t right = width - 1 - x, below = height - 1 - y;
  switch (orientation) {
    case 2:
      return {right, y};
    case 3:
      return {right, below};
    case 4:
      return {x, below};
    case 5:
      return {y, x};
    case 6:
      return {below, x};
    case 7:
      return {below, right};
    case 8:
      return {y, right};
    default:
      return {x, y};
  }
}

// Taller than one band of rows, through the whole decoder.
TEST(Exif, TurnsJpeg) {
  const auto jpeg = testing::ReadImage("jpeg_444.jpg");
  const auto stored =
      DecodeImage(jpeg, {.max_pixels = kPlenty, .orientation = Orientation::kIgnore});
  ASSERT_TRUE(stored.ok());
  const auto in = Pixels(*stored);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    SCOPED_TRACE(orientation);
    const auto file = WithExif(jpeg, Tiff(orientation, orientation % 2 == 0));
    const auto ignored =
        DecodeImage(file, {.max_pixels = kPlenty, .orientation = Orientation::kIgnore});
    const auto applied =
        DecodeImage(file, {.max_pixels = kPlenty, .orientation = Orientation::kApply});
    ASSERT_TRUE(ignored.ok() && applied.ok());
    EXPECT_EQ(Pixels(*ignored), in);
    const bool turned = orientation >= 5;
    ASSERT_EQ(applied->width, turned ? stored->height : stored->width);
    ASSERT_EQ(applied->height, turned ? stored->width : stored->height);
    const auto out = Pixels(*applied);
    size_t wrong = 0;
    for (size_t y = 0; y < stored->height; ++y) {
      for (size_t x = 0; x < stored->width; ++x) {
        const auto [to_x, to_y] = Place(orientation, x, y, stored->width, stored->height);
        for (size_t c = 0; c < 3; ++c) {
          wrong +=
              out[(to_y * applied->width + to_x) * 3 + c] != in[(y * stored->width + x) * 3 + c];
        }
      }
    }
    EXPECT_EQ(wrong, 0u);
  }
}

TEST(Exif, TurnsPng) {
  for (const int orientation : {3, 6}) {  // 6 is interlaced
    const auto file = testing::ReadImage("png_exif" + std::to_string(orientation) + ".png");
    const auto stored =
        DecodeImage(file, {.max_pixels = kPlenty, .orientation = Orientation::kIgnore});
    const auto applied =
        DecodeImage(file, {.max_pixels = kPlenty, .orientation = Orientation::kApply});
    ASSERT_TRUE(stored.ok() && applied.ok());
    const auto in = Pixels(*stored), out = Pixels(*applied);
    for (size_t y = 0; y < stored->height; ++y) {
      for (size_t x = 0; x < stored->width; ++x) {
        const auto [to_x, to_y] = Place(orientation, x, y, stored->width, stored->height);
        ASSERT_EQ(out[(to_y * applied->width + to_x) * 3], in[(y * stored->width + x) * 3]);
      }
    }
  }
}

}  // namespace
}  // namespace clipglot
