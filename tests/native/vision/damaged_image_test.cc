// Damaged and odd files: what Pillow opens has Pillow's pixels and says what is missing, what it
// refuses is an error.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "container/sha256.h"
#include "support/asked.h"
#include "vision/image.h"
#include "vision/image_files.h"

namespace clipglot {
namespace {

using testing::Asked;
using testing::ExpectedImages;
using testing::kPlenty;
using testing::Pixels;
using testing::ReadImage;

std::vector<std::string> NamesAfter(const std::string& prefix) {
  std::vector<std::string> out;
  for (const std::string& name : ExpectedImages().Names()) {
    if (name.starts_with(prefix)) out.push_back(name.substr(prefix.size()));
  }
  return out;
}

TEST(DamagedImage, UprightAsPillow) {
  const std::vector<std::string> names = NamesAfter("turned.");
  ASSERT_GT(names.size(), 30u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const auto image = DecodeImage(ReadImage(name), {.max_pixels = kPlenty});
    ASSERT_TRUE(image.ok()) << image.status().detail();
    const std::vector<size_t> shape = ExpectedImages().Shape("turned." + name);
    EXPECT_EQ(image->height, shape[0]);
    EXPECT_EQ(image->width, shape[1]);
    EXPECT_EQ(Pixels(*image), ExpectedImages().U8("turned." + name));
  }
}

TEST(DamagedImage, RejectedAsByPillow) {
  const std::vector<std::string> names = NamesAfter("refused.");
  ASSERT_GT(names.size(), 20u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const auto image = DecodeImage(ReadImage(name), {.max_pixels = kPlenty});
    ASSERT_FALSE(image.ok());
    EXPECT_EQ(image.status().code(), Code::kInvalidImage);
    EXPECT_GT(image.status().detail().size(), 15u);
  }
}

// mutations.json: what Pillow makes of files that were damaged at random (made by
// make_mutations.py).
TEST(DamagedImage, RandomDamageAsPillow) {
  using nlohmann::json;
  std::ifstream in(testing::TestData("images/mutations.json"));
  const json mutations = json::parse(in);
  ASSERT_GT(mutations.size(), 300u);
  size_t opened = 0;
  for (size_t i = 0; i < mutations.size(); ++i) {
    const json& mutation = mutations[i];
    SCOPED_TRACE(i);
    std::vector<std::byte> file = ReadImage(mutation[0]);
    for (const json& edit : mutation[1]) {
      const std::vector<std::byte> inserted = testing::FromHex(edit[2]);
      const auto at = file.begin() + edit[0].get<ptrdiff_t>();
      file.insert(file.erase(at, at + edit[1].get<ptrdiff_t>()), inserted.begin(), inserted.end());
    }
    const auto image = DecodeImage(file, {.max_pixels = kPlenty});
    if (mutation[2].is_null()) {
      EXPECT_FALSE(image.ok());
      EXPECT_EQ(image.status().code(), Code::kInvalidImage);
      EXPECT_FALSE(image.status().detail().empty());
      continue;
    }
    ++opened;
    EXPECT_TRUE(image.ok()) << image.status().detail();
    if (image.ok()) {
      EXPECT_EQ(json({image->width, image->height, Sha256Hex(Sha256(image->pixels.bytes()))}),
                mutation[2]);
    }
  }
  EXPECT_GT(opened, mutations.size() / 3);
}

std::string Warnings(const std::string& name) {
  const auto image = DecodeImage(ReadImage(name), {.max_pixels = kPlenty});
  EXPECT_TRUE(image.ok()) << name;
  std::string out;
  if (image.ok()) {
    for (const std::string& warning : image->warnings) out += warning + "\n";
  }
  return out;
}

TEST(DamagedImage, SaysWhatIsMissing) {
  EXPECT_EQ(Warnings("odd_row_missing.png"),
            "the PNG ends early: 1 of 13 rows of pixels are missing\n");
  EXPECT_NE(Warnings("odd_interlaced_rows_missing.png").find("rows of pixels are missing"),
            std::string::npos);
  EXPECT_NE(Warnings("odd_palette_no.png").find("no palette"), std::string::npos);
  EXPECT_NE(Warnings("odd_no_table.gif").find("no colours"), std::string::npos);
  EXPECT_EQ(Warnings("png_rgb8.png"), "");
  EXPECT_EQ(Warnings("odd_no_terminator.gif"), "");
}

TEST(DamagedImage, Gray16) {
  const auto clipped = DecodeImage(ReadImage("png_gray16.png"), {.max_pixels = kPlenty});
  const auto scaled =
      DecodeImage(ReadImage("png_gray16.png"), {.max_pixels = kPlenty, .gray16 = Gray16::kScale});
  ASSERT_TRUE(clipped.ok() && scaled.ok());
  const std::vector<uint8_t> a = Pixels(*clipped), b = Pixels(*scaled);
  ASSERT_EQ(a.size(), b.size());
  // The high byte; what is above it is white when clipped.
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(b[i] == 0 || a[i] == 255) << i;
  EXPECT_NE(a, b);
}

// Moves in run lengths, and runs of half bytes that end in the middle of a byte: newer Pillow reads
// them as the format says, the one that made the files of this folder does not.
TEST(DamagedImage, RunsWithMoves) {
  const auto decode = [](int compression, const std::vector<int>& codes) {
    std::vector<int> file(14 + 40 + 1024);
    file[0] = 'B', file[1] = 'M', file[10] = 1078 & 255, file[11] = 1078 >> 8, file[14] = 40,
    file[18] = 4, file[22] = 2;
    file[28] = 8, file[30] = compression;
    for (size_t i = 0; i < 256; ++i)
      file[54 + 4 * i] = 1, file[54 + 4 * i + 2] = static_cast<int>(i);  // red is the index
    file.insert(file.end(), codes.begin(), codes.end());
    std::vector<std::byte> bytes;
    for (const int value : file) bytes.push_back(static_cast<std::byte>(value));
    const auto image = DecodeImage(bytes, {.max_pixels = kPlenty});
    std::vector<int> red;
    if (!image.ok()) return red;
    for (size_t i = 0; i < 8; ++i) red.push_back(Pixels(*image)[3 * i]);
    return red;
  };
  // The lower row comes first in the file.
  EXPECT_EQ(decode(1, {1, 9, 0, 2, 1, 1, 2, 7}), (std::vector<int>{0, 0, 7, 7, 9, 0, 0, 0}));
  EXPECT_EQ(decode(2, {0, 3, 0x12, 0x30, 1, 0x40, 4, 0x56}), (std::vector<int>{}));
  EXPECT_EQ(decode(2, {0, 3, 0x12, 0x30, 1, 0x40, 0, 0, 4, 0x56}),
            (std::vector<int>{5, 6, 5, 6, 1, 2, 3, 4}));
  EXPECT_EQ(decode(1, {0, 2, 1}), (std::vector<int>{}));
}

// Stopped at the n-th question: every decoder asks, and ends as cancelled without a picture.
TEST(DamagedImage, StopsWhenAsked) {
  for (const std::string& name :
       {std::string("png_rgb8.png"), std::string("png_rgb8_interlaced.png"),
        std::string("gif_full_table.gif"), std::string("bmp_rgb.bmp"),
        std::string("bmp_rle8.bmp")}) {
    SCOPED_TRACE(name);
    int questions = 0;
    Asked stop([&] { return ++questions < 1; });
    const auto image = DecodeImage(ReadImage(name), {.max_pixels = kPlenty, .observer = &stop});
    ASSERT_FALSE(image.ok());
    EXPECT_EQ(image.status().code(), Code::kCancelled);
    EXPECT_EQ(questions, 1);
  }
}

// Questions grow with the work: at least one for each 256 KiB of pixels.
TEST(DamagedImage, AsksOftenEnough) {
  const std::vector<uint8_t> rgba(size_t{2000} * 1000 * 4);
  int questions = 0;
  Asked count([&] { return ++questions > 0; });
  const auto image = ImageFromRgba(rgba, 2000, 1000, kPlenty, &count);
  ASSERT_TRUE(image.ok());
  EXPECT_GE(questions, 20);
  questions = 0;
  ASSERT_TRUE(ResizeAndCrop(*image, 512, &count).ok());
  EXPECT_GE(questions, 20);
  Asked stop([] { return false; });
  EXPECT_EQ(ImageFromRgba(rgba, 2000, 1000, kPlenty, &stop).status().code(), Code::kCancelled);
  EXPECT_EQ(ResizeAndCrop(*image, 512, &stop).status().code(), Code::kCancelled);
}

}  // namespace
}  // namespace clipglot
