#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/json.h"
#include "base/status.h"
#include "base/strings.h"

namespace clipglot {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return Status(Code::kInvalidArgument, StrCat(n, " is odd"));
  return n / 2;
}

Result<int> Quarter(int n) {
  CLIPGLOT_ASSIGN_OR_RETURN(const int half, Half(n));
  return Half(half);
}

TEST(Status, ErrorsTravelThroughTheMacros) {
  ASSERT_TRUE(Quarter(12).ok());
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Quarter(6).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(Quarter(6).status().detail(), "3 is odd");
}

TEST(Status, AResultFromAnOkStatusIsAnInternalError) {
  const Result<int> result = OkStatus();
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), Code::kInternal);
}

TEST(Strings, StrCatTakesTextsAndIntegers) {
  EXPECT_EQ(StrCat("a", 1, std::string("b"), uint64_t{18446744073709551615u}, -7),
            "a1b18446744073709551615-7");
}

TEST(Strings, PrintableCutsAndReplaces) {
  EXPECT_EQ(Printable("tab\t\xC3\xA9"), "tab???");
  EXPECT_EQ(Printable(std::string(200, 'x'), 3), "xxx...");
}

TEST(Checked, OverflowIsNoValue) {
  EXPECT_EQ(CheckedMul(3, 4), 12u);
  EXPECT_FALSE(CheckedMul(UINT64_MAX, 2));
  EXPECT_EQ(CheckedAdd(3, 4), 7u);
  EXPECT_FALSE(CheckedAdd(UINT64_MAX, 1));
}

TEST(AlignedBuffer, IsAlignedAndPaddedWithZeros) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{1000}}) {
    auto buffer = AlignedBuffer::TryAllocate(bytes, "test");
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(buffer->size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % AlignedBuffer::kAlignment, 0u);
    for (size_t i = 0; i < AlignedBuffer::kPadding; ++i)
      EXPECT_EQ(buffer->data()[bytes + i], std::byte{0});
  }
}

TEST(AlignedBuffer, RejectsOverflowingSizes) {
  for (const uint64_t bytes : {UINT64_MAX, UINT64_MAX - 100, uint64_t{1} << 62}) {
    const auto buffer = AlignedBuffer::TryAllocate(bytes, "a test");
    ASSERT_FALSE(buffer.ok());
    EXPECT_EQ(buffer.status().code(), Code::kOutOfMemory);
    EXPECT_NE(buffer.status().detail().find("a test"), std::string::npos);
  }
  EXPECT_EQ(AlignedBuffer::TryAllocateArray<float>(UINT64_MAX / 2, "x").status().code(),
            Code::kOutOfMemory);
}

TEST(AlignedBuffer, MovesItsBlock) {
  auto first = AlignedBuffer::TryAllocate(8, "test");
  ASSERT_TRUE(first.ok());
  std::byte* data = first->data();
  AlignedBuffer second = *std::move(first);
  EXPECT_EQ(second.data(), data);
  AlignedBuffer third;
  third = std::move(second);
  EXPECT_EQ(third.data(), data);
}

TEST(Json, ReadsByPathAndNamesThePathInErrors) {
  const auto json = Json::Parse(R"({"a": {"b": [1, 2.0, "x", null, true, 2.5, -3]}})", "test.json");
  ASSERT_TRUE(json.ok());
  const Json list = (*json)["a"]["b"];
  EXPECT_EQ(list.size(), 7u);
  EXPECT_EQ(*list.At(0).AsInt(), 1);
  EXPECT_EQ(*list.At(1).AsInt(), 2);
  EXPECT_EQ(*list.At(2).AsString(), "x");
  EXPECT_TRUE(list.At(3).is_null());
  EXPECT_EQ(*list.At(3).AsIntOr(9), 9);
  EXPECT_TRUE(*list.At(4).AsBool());
  EXPECT_EQ(*list.At(6).AsInt(), -3);
  EXPECT_EQ(list.At(5).AsInt().status().detail(), "test.json: a.b[5]: an integer is expected");
  EXPECT_EQ(list.At(7).AsInt().status().detail(),
            "test.json: a.b[7]: missing, an integer is expected");
  EXPECT_EQ((*json)["x"]["y"].AsString().status().detail(),
            "test.json: x.y: missing, a string is expected");
  EXPECT_EQ((*json)["x"].AsString().status().code(), Code::kCorruptModel);
  EXPECT_EQ(*(*json)["x"].AsStringOr("d"), "d");
  EXPECT_FALSE(list.At(2).AsIntOr(1).ok());
}

TEST(Json, ViewsOutliveTheDocumentTheyCameFrom) {
  Json leaf;
  {
    const auto json = Json::Parse(R"({"a": "long enough to be on the heap, surely"})", "t");
    leaf = (*json)["a"];
  }
  EXPECT_EQ(*leaf.AsStringView(), "long enough to be on the heap, surely");
}

TEST(Json, RejectsInvalidTooLargeAndTooDeepInput) {
  for (const char* bad : {"", "{", "[1,]", "{\"a\":1e999}", "nul", "\"\xFF\"", "{\"a\":01}",
                          "[1] x", "\"\\ud800\""}) {
    EXPECT_FALSE(Json::Parse(bad, "t").ok()) << bad;
  }
  Json::Limits limits;
  limits.max_bytes = 4;
  EXPECT_FALSE(Json::Parse("[1,2]", "t", limits).ok());
  EXPECT_TRUE(Json::Parse(std::string(32, '[') + std::string(32, ']'), "t").ok());
  EXPECT_FALSE(Json::Parse(std::string(33, '[') + std::string(33, ']'), "t").ok());
  EXPECT_FALSE(Json::Parse(std::string(500000, '['), "t").ok());
  EXPECT_TRUE(Json::Parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"", "t").ok());
}

TEST(Json, LargeNumbers) {
  const auto json = Json::Parse(
      "[18446744073709551615, 9223372036854775807, 1e300, 123456789012345678901234567890]", "t");
  ASSERT_TRUE(json.ok());
  EXPECT_FALSE(json->At(0).AsInt().ok());
  EXPECT_EQ(*json->At(1).AsInt(), INT64_MAX);
  EXPECT_FALSE(json->At(2).AsInt().ok());
  EXPECT_FALSE(json->At(3).AsInt().ok());
  EXPECT_EQ(*json->At(2).AsDouble(), 1e300);
}

TEST(Json, DamagedTextNeverCrashes) {
  const std::string good =
      R"({"text_config":{"hidden":[1,2,3.5e2,"a\u00e9\n"],"flag":true,"none":null},"x":-1})";
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string text = good;
    for (int k = 0; k < 1 + round % 3; ++k)
      text[random() % text.size()] ^= static_cast<char>(1 << (random() % 8));
    const auto json = Json::Parse(text, "t");
    if (!json.ok()) continue;
    for (const std::string& key : json->Keys()) {
      const Json value = (*json)[key];
      (void)value.AsInt().ok(), (void)value.AsDouble().ok(), (void)value.AsString().ok(),
          (void)value.AsBool().ok();
      (void)value["hidden"].At(2).AsInt().ok();
    }
  }
}

TEST(Json, QuoteEscapes) {
  EXPECT_EQ(JsonQuote("a\"b\\\n"), R"("a\"b\\\n")");
  EXPECT_EQ(JsonQuote("\xFF"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(JsonQuote("\x01\x1F"
                      "a\xC3\xA9\xC3(\xE2\x82"),
            "\"\\u0001\\u001fa\xC3\xA9\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

// Few and many children are found in different ways.
TEST(Json, ObjectsAndListsOfAnySize) {
  for (const int count : {1, 15, 16, 17, 1000}) {
    std::string text = "{\"list\":[";
    for (int i = 0; i < count; ++i) text += StrCat(i == 0 ? "" : ",", "[\"e\",", i, "]");
    text += "],\"object\":{";
    for (int i = count; i-- > 0;) text += StrCat("\"k", i, "\":", i, ",");
    text += "\"k0\":\"the last counts\"}}";
    const auto json = Json::Parse(text, "t");
    ASSERT_TRUE(json.ok());
    const Json list = (*json)["list"], object = (*json)["object"];
    ASSERT_EQ(list.size(), static_cast<size_t>(count));
    ASSERT_EQ(object.size(), static_cast<size_t>(count));
    EXPECT_EQ(object.Keys().size(), object.size());
    EXPECT_EQ(*object["k0"].AsString(), "the last counts");
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(*list.At(static_cast<size_t>(i)).At(1).AsInt(), i);
      if (i > 0) {
        EXPECT_EQ(*object[StrCat("k", i)].AsInt(), i);
      }
    }
    EXPECT_FALSE(list.At(static_cast<size_t>(count)).exists());
    EXPECT_FALSE(object["k"].exists());
    EXPECT_EQ(list.At(static_cast<size_t>(count - 1)).At(1).AsBool().status().detail(),
              StrCat("t: list[", count - 1, "][1]: true or false is expected"));
    EXPECT_EQ(object["k0"].AsInt().status().detail(), "t: object.k0: an integer is expected");
  }
}

TEST(Json, NumbersAreTheNearestDoubles) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 20000; ++round) {
    double number = 0;
    do {
      const uint64_t bits = random();
      std::memcpy(&number, &bits, sizeof(number));
    } while (!std::isfinite(number));
    char text[64];
    std::snprintf(text, sizeof(text), "[%.17g]", number);
    const auto json = Json::Parse(text, "t");
    ASSERT_TRUE(json.ok()) << text;
    EXPECT_EQ(*json->At(0).AsDouble(), number) << text;
  }
}

}  // namespace
}  // namespace clipglot
