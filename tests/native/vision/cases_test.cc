// Pictures that failed somewhere, of every format: where PIL opens a file, it gives PIL's pixels;
// where PIL refuses, an error.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "container/sha256.h"
#include "support/golden.h"
#include "vision/image.h"
#include "vision/image_files.h"

namespace clipglot {
namespace {

using nlohmann::json;

TEST(Cases, EachAsPil) {
  std::ifstream in(testing::TestData("cases/expected.json"));
  const json cases = json::parse(in);
  EXPECT_EQ(cases.size(), 23u);
  for (const auto& [name, wanted] : cases.items()) {
    SCOPED_TRACE(name);
    const auto image =
        DecodeImage(testing::ReadFile(testing::TestData("cases/" + name)),
                    {.max_pixels = testing::kPlenty, .orientation = Orientation::kApply});
    if (wanted["pil"] == "refuses") {
      EXPECT_EQ(image.status().code(), Code::kInvalidImage);
      EXPECT_FALSE(image.status().detail().empty());
      continue;
    }
    EXPECT_TRUE(image.ok()) << image.status().detail();
    if (!image.ok()) continue;
    EXPECT_EQ(json({image->width, image->height}), wanted["size"]);
    EXPECT_EQ(Sha256Hex(Sha256(image->pixels.bytes())), wanted["rgb_sha256"]);
  }
}

}  // namespace
}  // namespace clipglot
