// Against ids that Hugging Face's Rust tokenizers 0.22.2 gave.
#include <gtest/gtest.h>

#include "support/golden.h"
#include "text/tokenizer_files.h"

namespace clipglot::testing {
namespace {

using nlohmann::json;
using IntList = std::vector<int32_t>;

class GoldenText : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenText, EveryId) {
  const std::vector<std::byte> file = ReadFile(TestData(std::string("golden-a/") + GetParam()));
  auto made = Tokenizer::Create(GetParam(), file);
  ASSERT_TRUE(made.ok()) << made.status().detail();
  const Tokenizer& tokenizer = **made;
  EXPECT_EQ(tokenizer.vocab_size(), 600u);
  EXPECT_EQ(tokenizer.bos_id(), 0);
  EXPECT_EQ(tokenizer.pad_id(), 1);
  EXPECT_EQ(tokenizer.eos_id(), 2);

  const json expected = ReadJson(TestData("golden-a/expected.json"));
  const auto instruction = expected["instruction"].get<std::string>();
  const auto max_length = expected["max_length"].get<size_t>();
  ASSERT_EQ(expected["texts"].size(), 38u);
  size_t cut = 0;
  for (const json& row : expected["texts"]) {
    SCOPED_TRACE(row["name"].get<std::string>());
    const auto text = row["text"].get<std::string>();
    EXPECT_EQ(Ids(tokenizer, text, max_length), row["ids"].get<IntList>());
    EXPECT_EQ(Ids(tokenizer, instruction + text, max_length), row["ids_query"].get<IntList>());
    auto at_512 = tokenizer.Encode(text, 512);
    ASSERT_TRUE(at_512.ok());
    const bool longer = row["ids"].size() > 512;
    EXPECT_EQ(at_512->truncated, longer);
    EXPECT_EQ(at_512->ids, (longer ? row["ids_max_length_512"] : row["ids"]).get<IntList>());
    cut += longer;
  }
  EXPECT_EQ(cut, expected["max_length_512_rows"].size());
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenText,
                         ::testing::Values("tokenizer.json", "sentencepiece.bpe.model"),
                         [](const auto& row) {
                           return std::string(row.param).starts_with("tok") ? "Json" : "Model";
                         });

class FastTokenizerCases : public ::testing::TestWithParam<const char*> {};

TEST_P(FastTokenizerCases, EveryId) {
  const json cases = ReadJson(TestData("tokenizer/fast-tokenizer-cases.json"));
  json base = GoldenTokenizer();
  base["model"]["vocab"] = cases["vocab"];
  base["added_tokens"][4]["id"] = cases["vocab"].size() - 1;
  const auto tokenizer = MustCreate(ShapeOf(base, GetParam()));
  ASSERT_NE(tokenizer, nullptr);
  const json& texts = cases["texts"];
  const json& ids = cases["ids"][GetParam()];
  ASSERT_GT(texts.size(), 300u);
  ASSERT_EQ(texts.size(), ids.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(Ids(*tokenizer, texts[i].get<std::string>()), ids[i].get<IntList>())
        << "text " << i << ": " << texts[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, FastTokenizerCases,
                         ::testing::Values("old", "new", "newer", "nosplit", "never", "normmask",
                                           "strip2"),
                         [](const auto& row) { return std::string(row.param); });

}  // namespace
}  // namespace clipglot::testing
