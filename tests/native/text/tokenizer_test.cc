// The rules one by one, on small vocabularies whose ids can be told by hand.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include "text/tokenizer_files.h"

namespace clipglot::testing {
namespace {

using nlohmann::json;
using IntList = std::vector<int32_t>;

// golden-a's tokenizer with <s> <pad> </s> <unk>, then `pieces` from id 4 on, then <mask>.
json WithPieces(const std::vector<std::pair<std::string, double>>& pieces) {
  json out = GoldenTokenizer();
  json vocab = json::array();
  for (const char* special : {"<s>", "<pad>", "</s>", "<unk>"}) vocab.push_back({special, 0.0});
  for (const auto& [piece, score] : pieces) vocab.push_back({piece, score});
  vocab.push_back({"<mask>", 0.0});
  out["added_tokens"][4]["id"] = vocab.size() - 1;
  out["model"]["vocab"] = std::move(vocab);
  return out;
}

// Of equal sums the path whose last piece starts further left stays, as in the Rust code.
TEST(TokenizerRules, EqualScores) {
  const auto tokenizer = MustCreate(WithPieces({{"▁", -1}, {"s", -2}, {"ss", -4}, {"▁s", -3}}));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(Ids(*tokenizer, "s"), (IntList{0, 7, 2}));
  EXPECT_EQ(Ids(*tokenizer, "ss"), (IntList{0, 4, 6, 2}));
  EXPECT_EQ(Ids(*tokenizer, "sss"), (IntList{0, 7, 6, 2}));
}

TEST(TokenizerRules, LastOfEqualPiecesCounts) {
  const auto tokenizer =
      MustCreate(WithPieces({{"▁", -1}, {"a", -2}, {"▁a", -1}, {"▁a", -9}, {"a", -5}}));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(Ids(*tokenizer, "a"), (IntList{0, 4, 8, 2}));
}

TEST(TokenizerRules, NeighbouringUnknownsShareOneId) {
  const auto tokenizer = MustCreate(WithPieces({{"▁", -1}, {"a", -2}}));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(Ids(*tokenizer, "海海a海 海"), (IntList{0, 4, 3, 5, 3, 4, 3, 2}));
}

// What was read is counted, and nothing that was cut off.
TEST(TokenizerRules, UnknownTokensAreCounted) {
  const auto tokenizer = MustCreate(WithPieces({{"▁", -1}, {"a", -2}, {"▁a", -2.5}}));
  ASSERT_NE(tokenizer, nullptr);
  struct Case {
    const char* text;
    size_t max_tokens, unknown, read;
  };
  for (const auto& [text, max_tokens, unknown, read] :
       {Case{"", 512, 0, 2}, Case{"a", 512, 0, 3}, Case{"海", 512, 1, 4},
        Case{"海海 海", 512, 2, 6}, Case{"a海", 512, 1, 4}, Case{"<unk>", 512, 1, 3},
        Case{"a <unk> 海", 512, 2, 6}, Case{"a海 海 海", 8, 3, 8}, Case{"a海 海 海", 7, 2, 7},
        Case{"a海 海 海", 4, 1, 4}, Case{"a海 海 海", 3, 0, 3}, Case{"海", 2, 0, 2}}) {
    const auto encoding = tokenizer->Encode(text, max_tokens);
    ASSERT_TRUE(encoding.ok()) << text;
    EXPECT_EQ(encoding->unknown_tokens, unknown) << text << " at " << max_tokens;
    EXPECT_EQ(encoding->ids.size(), read) << text << " at " << max_tokens;
  }
}

TEST(TokenizerRules, SpecialTokensInTheText) {
  const auto tokenizer = MustCreate(WithPieces({{"▁", -1}, {"a", -2}, {"▁a", -2.5}}));
  ASSERT_NE(tokenizer, nullptr);
  const int32_t mask = 7;
  EXPECT_EQ(Ids(*tokenizer, "a<mask>a"), (IntList{0, 6, mask, 6, 2}));
  EXPECT_EQ(Ids(*tokenizer, "a \t\u3000<mask> a"), (IntList{0, 6, mask, 6, 2}));
  EXPECT_EQ(Ids(*tokenizer, "<s></s><pad><unk>"), (IntList{0, 0, 2, 1, 3, 2}));
  // A normalised look-alike is no added token, but it is a piece.
  EXPECT_EQ(Ids(*tokenizer, "＜s＞"), (IntList{0, 4, 0, 2}));
}

TEST(TokenizerRules, WhiteSpaceInBothShapes) {
  const json base = WithPieces({{"▁", -1}, {"a", -2}, {"▁a", -2.5}});
  const auto older = MustCreate(base), newer = MustCreate(ShapeOf(base, "new"));
  ASSERT_TRUE(older != nullptr && newer != nullptr);
  EXPECT_EQ(Ids(*older, ""), (IntList{0, 2}));
  EXPECT_EQ(Ids(*newer, ""), (IntList{0, 2}));
  EXPECT_EQ(Ids(*older, " \n "), (IntList{0, 2}));
  EXPECT_EQ(Ids(*newer, " \n "), (IntList{0, 4, 2}));
  EXPECT_EQ(Ids(*older, "  a  a "), (IntList{0, 6, 6, 2}));
  EXPECT_EQ(Ids(*newer, "  a  a "), (IntList{0, 6, 6, 4, 2}));
  EXPECT_EQ(Ids(*older, "a\u2028a\u0085a"), (IntList{0, 6, 6, 6, 2}));
  EXPECT_EQ(Ids(*older, "a▁a"), (IntList{0, 6, 6, 2}));
}

// SentencePiece would compose these; the judge looks clusters of six bytes and more up character by
// character.
TEST(TokenizerRules, GraphemeClusters) {
  const auto tokenizer = MustCreate(
      WithPieces({{"▁", -1}, {"한", -2}, {"é", -2}, {"ệ", -2}, {"e", -2}, {"\u0323", -2}}));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(Ids(*tokenizer, "한"), (IntList{0, 4, 5, 2}));
  EXPECT_EQ(Ids(*tokenizer, "\u1112\u1161\u11AB"), (IntList{0, 4, 3, 2}));  // 한 decomposed
  EXPECT_EQ(Ids(*tokenizer, "e\u0301"), (IntList{0, 4, 6, 2}));
  // So macOS file names want normalising first.
  EXPECT_EQ(Ids(*tokenizer, *NormalizeNfc("e\u0323\u0302")), (IntList{0, 4, 7, 2}));
  EXPECT_EQ(Ids(*tokenizer, *NormalizeNfc("\u1112\u1161\u11AB")), (IntList{0, 4, 5, 2}));
}

TEST(TokenizerRules, TruncationKeepsTheEnd) {
  const auto tokenizer = MustCreate(WithPieces({{"▁a", -1}}));
  ASSERT_NE(tokenizer, nullptr);
  for (const size_t max : {2u, 3u, 4u, 5u, 6u}) {
    auto out = tokenizer->Encode("a a a", max);
    ASSERT_TRUE(out.ok());
    EXPECT_EQ(out->ids.size(), std::min<size_t>(max, 5));
    EXPECT_EQ(out->ids.front(), 0);
    EXPECT_EQ(out->ids.back(), 2);
    EXPECT_EQ(out->total_tokens, 5u);
    EXPECT_EQ(out->truncated, max < 5);
  }
  EXPECT_EQ(tokenizer->Encode("a", 1).status().code(), Code::kInvalidArgument);
}

TEST(TokenizerRules, BadText) {
  const auto tokenizer = MustCreate(WithPieces({{"▁a", -1}}));
  ASSERT_NE(tokenizer, nullptr);
  for (const char* bad :
       {"ab\xFF", "ab\xC0\x80", "ab\xED\xA0\x80", "ab\xF4\x90\x80\x80", "ab\xE2\x96"}) {
    const Status status = tokenizer->Encode(bad, 512).status();
    EXPECT_EQ(status.code(), Code::kInvalidText);
    EXPECT_NE(status.detail().find("byte 2"), std::string::npos) << status.detail();
  }
  EXPECT_EQ(tokenizer->Encode(std::string((16u << 20) + 1, 'a'), 512).status().code(),
            Code::kInvalidArgument);
  EXPECT_EQ(Ids(*tokenizer, "a"), (IntList{0, 4, 2}));  // and the next call works
}

// Would take hours if the time grew with the square of the length.
TEST(TokenizerRules, LongTexts) {
  const auto tokenizer = MustCreate(WithPieces({{"▁", -1}, {"a", -2}, {"aaaa", -3}}));
  ASSERT_NE(tokenizer, nullptr);
  auto letters = tokenizer->Encode(std::string(8u << 20, 'a'), 512);
  ASSERT_TRUE(letters.ok());
  EXPECT_EQ(letters->total_tokens, 3u + (8u << 20) / 4);
  EXPECT_EQ(letters->ids.size(), 512u);

  std::string marks = "e", masks, unknown;
  for (int i = 0; i < 1 << 19; ++i) marks += "\u0301";
  for (int i = 0; i < 1 << 17; ++i) masks += "   <mask>";
  for (int i = 0; i < 1 << 19; ++i) unknown += "海";
  EXPECT_EQ(Ids(*tokenizer, marks), (IntList{0, 4, 3, 2}));
  EXPECT_EQ(Ids(*tokenizer, masks).size(), 2u + (1u << 17));
  EXPECT_EQ(Ids(*tokenizer, unknown), (IntList{0, 4, 3, 2}));
}

TEST(NormalizeNfc, ComposesAndOrders) {
  EXPECT_EQ(*NormalizeNfc(""), "");
  EXPECT_EQ(*NormalizeNfc("plain"), "plain");
  EXPECT_EQ(*NormalizeNfc("e\u0301 \u1112\u1161\u11AB \u0041\u030A \u212B"), "é 한 Å Å");
  EXPECT_EQ(*NormalizeNfc("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(*NormalizeNfc("\uFB01"), "\uFB01");  // compatibility forms stay
  EXPECT_EQ(*NormalizeNfc(std::string_view("e\0\u0301", 4)), std::string_view("e\0\u0301", 4));
  EXPECT_EQ(NormalizeNfc("e\xCC").status().code(), Code::kInvalidText);
  std::string shuffled = "a";
  for (int i = 0; i < 1 << 18; ++i) shuffled += i % 2 == 0 ? "\u0301" : "\u0323";
  EXPECT_TRUE(NormalizeNfc(shuffled)->starts_with("ạ\u0323"));
}

}  // namespace
}  // namespace clipglot::testing
