#include "container/safetensors.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>

namespace clipglot {
namespace {

// A header with two tensors: a, 2×3 F32, 24 bytes; b, 4 I8.
constexpr std::string_view kGood =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b":{"dtype":"I8","shape":[4],"data_offsets":[24,28]}}  )";

Result<SectionTable> Parse(std::string_view header, uint64_t data_bytes = 28) {
  return SectionTable::Parse("x.safetensors", header, 8 + header.size() + data_bytes);
}

std::string Replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out(text);
  const size_t at = out.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return out.replace(at, from.size(), to);
}

void ExpectError(const Result<SectionTable>& table, Code code, std::string_view part) {
  ASSERT_FALSE(table.ok()) << part;
  EXPECT_EQ(table.status().code(), code) << table.status().detail();
  EXPECT_NE(table.status().detail().find("x.safetensors"), std::string::npos)
      << table.status().detail();
  EXPECT_NE(table.status().detail().find(part), std::string::npos) << table.status().detail();
}

TEST(Safetensors, GivesTheTableInTheOrderOfTheFile) {
  const auto table = Parse(kGood);
  ASSERT_TRUE(table.ok()) << table.status().detail();
  ASSERT_EQ(table->sections().size(), 2u);
  const Section* a = table->Find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->dtype, DType::kF32);
  EXPECT_EQ(a->shape, (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(a->offset, 8 + kGood.size());
  EXPECT_EQ(a->bytes, 24u);
  EXPECT_EQ(table->sections()[1].name, "b");
  EXPECT_EQ(table->Find("c"), nullptr);
  EXPECT_EQ(table->Find("__metadata__"), nullptr);
}

TEST(Safetensors, ReadsScalarsAndEmptyTensors) {
  const auto table = Parse(
      R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F32","shape":[0,9],"data_offsets":[4,4]}})",
      4);
  ASSERT_TRUE(table.ok()) << table.status().detail();
  EXPECT_TRUE(table->Find("s")->shape.empty());
  EXPECT_EQ(table->Find("e")->bytes, 0u);
}

TEST(Safetensors, RejectsInvalidHeaders) {
  ExpectError(Parse(""), Code::kCorruptModel, "header");
  ExpectError(Parse("[1,2]"), Code::kCorruptModel, "{");
  ExpectError(Parse(" {}"), Code::kCorruptModel, "{");
  ExpectError(Parse("{\"a\":"), Code::kCorruptModel, "JSON");
  ExpectError(Parse(std::string("{\"a\xff\":1}")), Code::kCorruptModel, "JSON");
  ExpectError(Parse("{\"a\":{\"shape\":[[[[]]]]}}"), Code::kCorruptModel, "nested");
  ExpectError(Parse("{\"a\":3}"), Code::kCorruptModel, "tensor a");
  ExpectError(Parse(Replaced(kGood, "\"pt\"", "3")), Code::kCorruptModel, "__metadata__");
}

TEST(Safetensors, NamesTheTensorThatIsWrong) {
  ExpectError(Parse(Replaced(kGood, "\"F32\"", "\"F33\"")), Code::kUnsupportedModel,
              "tensor a: unknown number format F33");
  ExpectError(Parse(Replaced(kGood, "\"F32\"", "7")), Code::kCorruptModel, "tensor a");
  ExpectError(Parse(Replaced(kGood, "[2,3]", "[2,4]")), Code::kCorruptModel, "tensor a");
  ExpectError(Parse(Replaced(kGood, "[2,3]", "[-2,-3]")), Code::kCorruptModel, "tensor a");
  ExpectError(Parse(Replaced(kGood, "[2,3]", "[2.5,3]")), Code::kCorruptModel, "tensor a");
  ExpectError(Parse(Replaced(kGood, "[2,3]", "6")), Code::kCorruptModel, "tensor a");
  // 2^32 · 2^32 · 4 wraps to 0 in 64 bits.
  ExpectError(Parse(Replaced(kGood, "[2,3]", "[4294967296,4294967296]")), Code::kCorruptModel,
              "too large");
  ExpectError(Parse(Replaced(kGood, "[0,24]", "[24,0]")), Code::kCorruptModel, "tensor a");
  ExpectError(Parse(Replaced(kGood, "[0,24]", "[0,24,25]")), Code::kCorruptModel, "tensor a");
  ExpectError(Parse(Replaced(kGood, "[0,24]", "[1,25]")), Code::kCorruptModel,
              "tensor a: begins at byte");
  ExpectError(Parse(Replaced(kGood, "[24,28]", "[20,24]")), Code::kCorruptModel,
              "inside the tensor before it");
  ExpectError(Parse(Replaced(kGood, "[24,28]", "[25,29]"), 29), Code::kCorruptModel, "hole");
  ExpectError(Parse(Replaced(kGood, "\"shape\":[4]", "\"shape\":[4],\"more\":1")),
              Code::kCorruptModel, "tensor b");
}

TEST(Safetensors, CoversTheFileToItsEnd) {
  ExpectError(Parse(kGood, 27), Code::kCorruptModel,
              "tensor b: its data ends 1 bytes past the end of the file");
  ExpectError(Parse(kGood, 29), Code::kCorruptModel, "1 bytes after the last tensor");
}

TEST(Safetensors, RejectsDuplicateNames) {
  ExpectError(Parse(Replaced(kGood, "\"b\":", "\"a\":")), Code::kCorruptModel,
              "twice in the header: a");
  ExpectError(Parse(Replaced(kGood, "\"b\":", "\"\\u0061\":")), Code::kCorruptModel, "twice");
  ExpectError(Parse(Replaced(kGood, "\"shape\":[2,3]", "\"dtype\":\"F32\",\"shape\":[2,3]")),
              Code::kCorruptModel, "twice");
  // Colons, braces and quotes inside a name are no members.
  const auto odd = Parse(Replaced(kGood, "\"b\":", R"(":{\":\\":)"));
  ASSERT_TRUE(odd.ok()) << odd.status().detail();
  EXPECT_NE(odd->Find(R"(:{":\)"), nullptr);
}

TEST(Safetensors, BoundsTheHeadersLength) {
  const auto prefix = [](uint64_t length, uint64_t file_bytes) {
    std::array<std::byte, 8> bytes;
    std::memcpy(bytes.data(), &length, 8);
    return ParseSafetensorsPrefix("x.safetensors", bytes, file_bytes);
  };
  ASSERT_TRUE(prefix(100, 108).ok());
  EXPECT_EQ(*prefix(100, 108), 100u);
  for (const auto& [length, file] :
       std::vector<std::pair<uint64_t, uint64_t>>{{0, 100},
                                                  {1, 100},
                                                  {101, 108},
                                                  {kMaxSafetensorsHeader + 1, UINT64_MAX},
                                                  {UINT64_MAX, 100},
                                                  {UINT64_MAX - 7, 100}}) {
    ASSERT_FALSE(prefix(length, file).ok()) << length;
    EXPECT_EQ(prefix(length, file).status().code(), Code::kCorruptModel);
  }
}

// Every single bit of a header flipped: an error with a code, or a table that is consistent in
// itself.
TEST(Safetensors, SurvivesEveryFlippedBit) {
  for (size_t bit = 0; bit < kGood.size() * 8; ++bit) {
    std::string header(kGood);
    header[bit / 8] = static_cast<char>(header[bit / 8] ^ (1 << (bit % 8)));
    const auto table = Parse(header);
    if (!table.ok()) {
      EXPECT_TRUE(table.status().code() == Code::kCorruptModel ||
                  table.status().code() == Code::kUnsupportedModel);
      EXPECT_FALSE(table.status().detail().empty());
      continue;
    }
    uint64_t bytes = 0;
    for (const Section& section : table->sections()) bytes += section.bytes;
    EXPECT_EQ(bytes, 28u);
  }
}

}  // namespace
}  // namespace clipglot
