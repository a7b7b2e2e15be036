// Odd and damaged JPEG files give the pixels that PIL gives, or are refused as PIL refuses them;
// what is missing is said; and a decode ends soon after it is asked to.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "container/sha256.h"
#include "support/asked.h"
#include "support/golden.h"
#include "vision/image.h"
#include "vision/image_files.h"

namespace clipglot {
namespace {

using nlohmann::json;
using testing::kPlenty;

using Bytes = std::vector<std::byte>;

Bytes ReadJpeg(const std::string& name) {
  return testing::ReadFile(testing::TestData("jpeg/" + name));
}

json ReadJson(const std::string& name) {
  std::ifstream in(testing::TestData("jpeg/" + name));
  return json::parse(in);
}

Result<RgbImage> Decode(const Bytes& file) {
  return DecodeImage(file, {.max_pixels = kPlenty, .orientation = Orientation::kApply});
}

std::string Hash(const RgbImage& image) { return Sha256Hex(Sha256(image.pixels.bytes())); }

void Append(Bytes* file, std::initializer_list<int> bytes) {
  for (const int byte : bytes) file->push_back(static_cast<std::byte>(byte));
}

void ExpectRefused(const Result<RgbImage>& image) {
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.status().code(), Code::kInvalidImage) << image.status().detail();
  EXPECT_FALSE(image.status().detail().empty());
}

TEST(Jpeg, EveryFileAsPil) {
  const json expected = ReadJson("expected.json");
  EXPECT_GT(expected.size(), 100u);
  for (const auto& [name, wanted] : expected.items()) {
    SCOPED_TRACE(name);
    const auto image = Decode(ReadJpeg(name));
    if (wanted.is_null()) {
      ExpectRefused(image);
      continue;
    }
    EXPECT_TRUE(image.ok()) << image.status().detail();
    if (!image.ok()) continue;
    EXPECT_EQ(json({image->width, image->height, Hash(*image)}), wanted);
  }
}

TEST(Jpeg, RandomDamageAsPil) {
  size_t opened = 0;
  const json mutations = ReadJson("mutations.json");
  for (size_t i = 0; i < mutations.size(); ++i) {
    const json& mutation = mutations[i];
    SCOPED_TRACE(i);
    Bytes file = ReadJpeg(mutation[0]);
    for (const json& edit : mutation[1]) {
      const auto at = file.begin() + edit[0].get<ptrdiff_t>();
      const Bytes inserted = testing::FromHex(edit[2]);
      file.insert(file.erase(at, at + edit[1].get<ptrdiff_t>()), inserted.begin(), inserted.end());
    }
    const auto image = Decode(file);
    if (mutation[2].is_null()) {
      ExpectRefused(image);
      continue;
    }
    ++opened;
    EXPECT_TRUE(image.ok()) << image.status().detail();
    if (image.ok()) {
      EXPECT_EQ(Hash(*image), mutation[2]);
    }
  }
  EXPECT_GT(opened, mutations.size() / 3);
}

// What is wrong with a picture that is shown all the same; one sentence a kind.
TEST(Jpeg, SaysWhatIsMissing) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"seen_ends_early_with_eoi.jpg", "from row "},
      {"seen_height_doubled.jpg", "from row "},
      {"ends_early_in_first_row.jpg", "from row 0 of 43"},
      {"ends_early_gray.jpg", "ends early"},
      {"ends_early_420_progressive.jpg", "ends early"},
      {"seen_progressive_dc_only.jpg", "scans"},
      {"seen_progressive_unrefined.jpg", "scans"},
      {"first_scan_only.jpg", "scans"},
      {"last_scan_missing.jpg", "scans"},
      {"component_without_scan.jpg", "component"},
      {"restart_marker_wrong.jpg", "restart markers"},
      {"restart_interval_missing.jpg", "restart markers"},
      {"seen_restart_interval_1_bit.jpg", ""},
  };
  for (const auto& [name, words] : cases) {
    SCOPED_TRACE(name);
    const auto image = Decode(ReadJpeg(name));
    ASSERT_TRUE(image.ok()) << image.status().detail();
    bool found = false;
    for (const std::string& warning : image->warnings) found |= warning.find(words) != warning.npos;
    EXPECT_TRUE(found) << ::testing::PrintToString(image->warnings);
    EXPECT_EQ(std::set<std::string>(image->warnings.begin(), image->warnings.end()).size(),
              image->warnings.size());
    EXPECT_LE(image->warnings.size(), 5u);
  }
  // Odd, but nothing is missing.
  for (const char* name :
       {"seen_no_dht.jpg", "seen_3_bytes_before_sos.jpg", "seen_comment_length_0.jpg",
        "seen_zeros_for_eoi.jpg", "base_420.jpg", "base_444_progressive.jpg",
        "base_restart_progressive.jpg", "base_three_scans.jpg", "base_arithmetic_progressive.jpg",
        "fill_bytes.jpg", "bytes_behind_end.jpg"}) {
    const auto image = Decode(ReadJpeg(name));
    ASSERT_TRUE(image.ok()) << name << image.status().detail();
    EXPECT_TRUE(image->warnings.empty()) << name << ::testing::PrintToString(image->warnings);
  }
}

TEST(Jpeg, RefusalsNameTheReason) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"no_quantisation_tables.jpg", "quantisation table"},
      {"no_huffman_tables_progressive.jpg", "Huffman table"},
      {"no_end.jpg", "truncated"},
      {"no_end_progressive.jpg", "truncated"},
      {"cut.jpg", "truncated"},
      {"twelve_bits.jpg", "12 bits"},
      {"lossless.jpg", "lossless"},
      {"two_frames.jpg", "two frame headers"},
      {"scan_length_wrong.jpg", "wrong length"},
      {"unknown_marker.jpg", "unknown marker"},
      {"scan_behind_picture.jpg", "scans"},
      {"height_0_with_dnl.jpg", "52 x 0"},
  };
  for (const auto& [name, words] : cases) {
    const auto image = Decode(ReadJpeg(name));
    ASSERT_FALSE(image.ok()) << name;
    EXPECT_NE(image.status().detail().find(words), std::string::npos)
        << name << ": " << image.status().detail();
  }
}

// A gray progressive picture of `side` x `side` pixels: one scan with a bit a block, then `scans`
// that hold nothing.
Bytes EmptyScans(int side, int scans) {
  Bytes file;
  Append(&file, {0xff, 0xd8, 0xff, 0xdb, 0, 67, 0});
  file.insert(file.end(), 64, std::byte{1});
  Append(&file,
         {0xff, 0xc2, 0, 11, 8, side >> 8, side & 255, side >> 8, side & 255, 1, 1, 0x11, 0});
  for (const int table : {0x00, 0x10}) {  // one code of one bit, "0" for the number 0
    Append(&file, {0xff, 0xc4, 0, 20, table, 1});
    file.insert(file.end(), 16, std::byte{0});
  }
  Append(&file, {0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0});
  const size_t blocks = static_cast<size_t>((side + 7) / 8) * static_cast<size_t>((side + 7) / 8);
  file.insert(file.end(), blocks / 8 + 16, std::byte{0});
  for (int i = 0; i < scans; ++i) Append(&file, {0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0});
  Append(&file, {0xff, 0xd9});
  return file;
}

// Decodes until the question number `last`, at which it is stopped. Returns how often it was
// asked.
size_t AskedUntil(const Bytes& file, size_t last, Result<RgbImage>* image) {
  size_t asked = 0;
  testing::Asked until([&] { return ++asked < last; });
  *image = DecodeImage(file, {.max_pixels = kPlenty, .observer = &until});
  return asked;
}

TEST(Jpeg, StopEndsADecode) {
  // Scans in which nothing happens are work too: at least a question for every 128 x 128 pixels of
  // each.
  constexpr int kSide = 800, kScans = 254;
  const Bytes endless = EmptyScans(kSide, kScans);
  Result<RgbImage> image = Status(Code::kInternal, "");
  const size_t all = AskedUntil(endless, SIZE_MAX, &image);
  EXPECT_TRUE(image.ok()) << image.status().detail();
  EXPECT_GT(all, size_t{kSide / 400} * (kSide / 400) * kScans);
  for (const size_t last : {size_t{1}, size_t{2}, all / 2, all - 1}) {
    EXPECT_EQ(AskedUntil(endless, last, &image), last);
    ASSERT_FALSE(image.ok());
    EXPECT_EQ(image.status().code(), Code::kCancelled);
  }
  // A photo of one scan, and bytes that belong to nothing.
  const Bytes photo = testing::ReadFile(testing::TestData("images/large_baseline.jpg"));
  EXPECT_GT(AskedUntil(photo, SIZE_MAX, &image), 4u);
  EXPECT_EQ(AskedUntil(photo, 3, &image), 3u);
  EXPECT_EQ(image.status().code(), Code::kCancelled);
  Bytes junk = ReadJpeg("base_420.jpg");
  junk.insert(junk.end() - 2, size_t{8} << 20, std::byte{0});
  EXPECT_GE(AskedUntil(junk, SIZE_MAX, &image), 7u);
}

// Where nobody can ask to stop, the number of scans that cost much is limited; small pictures may
// have any.
TEST(Jpeg, ScansAreLimited) {
  EXPECT_TRUE(Decode(EmptyScans(64, 2000)).ok());
  const auto image = Decode(EmptyScans(2200, 400));
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.status().detail().find("256 scans"), std::string::npos)
      << image.status().detail();
}

// A few bytes that claim to be a huge picture get no memory; a smaller lie is shown as PIL shows
// it.
TEST(Jpeg, SizesNeedData) {
  Bytes file = EmptyScans(8000, 0);
  file.erase(file.end() - 120000, file.end() - 2);
  ExpectRefused(Decode(file));
  file = EmptyScans(3000, 0);
  file.erase(file.end() - 17000, file.end() - 2);
  const auto image = Decode(file);
  ASSERT_TRUE(image.ok()) << image.status().detail();
  EXPECT_FALSE(image->warnings.empty());
}

}  // namespace
}  // namespace clipglot
