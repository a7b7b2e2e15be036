#include <gtest/gtest.h>

#include "text/added_tokens.h"
#include "text/charsmap.h"
#include "text/grapheme.h"
#include "text/piece_trie.h"

namespace clipglot::testing {
namespace {

PieceList List(const std::vector<std::string>& pieces) {
  PieceList out;
  for (const std::string& piece : pieces) EXPECT_TRUE(out.Add(piece).ok());
  return out;
}

TEST(PieceTrie, FindsExactlyWhatIsThere) {
  const std::vector<std::string> pieces = {
      "b", "abc", "ab", "", "\xE2\x96\x81", "ab", std::string("a\0b", 3), "zzzz"};
  const PieceTrie trie(List(pieces));
  EXPECT_EQ(trie.Find("b"), 0);
  EXPECT_EQ(trie.Find("abc"), 1);
  EXPECT_EQ(trie.Find("ab"), 5);
  EXPECT_EQ(trie.Find("\xE2\x96\x81"), 4);
  EXPECT_EQ(trie.Find(std::string_view("a\0b", 3)), 6);
  for (const char* missing : {"", "a", "abcd", "zzz", "c", "\xE2"})
    EXPECT_EQ(trie.Find(missing), -1) << missing;
  size_t length = 0;
  EXPECT_EQ(trie.FindLongest("abcd", &length), 1);
  EXPECT_EQ(length, 3u);
  EXPECT_EQ(trie.FindLongest("abd", &length), 5);
  EXPECT_EQ(length, 2u);
  EXPECT_EQ(trie.FindLongest("zzz", &length), -1);
  EXPECT_EQ(PieceTrie().Find("a"), -1);
  EXPECT_EQ(PieceTrie(PieceList()).Find("a"), -1);
}

TEST(PieceList, Limits) {
  PieceList list;
  EXPECT_TRUE(list.Add(std::string(PieceList::kMaxPieceBytes, 'a')).ok());
  EXPECT_EQ(list.Add(std::string(PieceList::kMaxPieceBytes + 1, 'a')).code(),
            Code::kUnsupportedModel);
  while (list.size() < PieceList::kMaxTotalBytes / PieceList::kMaxPieceBytes) {
    ASSERT_TRUE(list.Add(std::string(PieceList::kMaxPieceBytes, 'a')).ok());
  }
  EXPECT_EQ(list.Add("a").code(), Code::kUnsupportedModel);
}

TEST(AddedTokens, LeftmostThenLongest) {
  const AddedTokens tokens(
      List({"<a", "<a>", "a>b"}),
      {{.id = 1}, {.id = 2, .strip_left = true}, {.id = 3, .strip_right = true}});
  std::string out;
  for (const AddedTokens::Part& part : tokens.Split("x <a>b<ab \u3000<a> a>b \n<a>")) {
    out += std::to_string(part.id) + "[" + std::string(part.text) + "]";
  }
  EXPECT_EQ(out, "-1[x]2[ <a>]-1[b]1[<a]-1[b]2[ \u3000<a>]-1[ ]3[a>b \n]2[<a>]");
}

TEST(Grapheme, Clusters) {
  for (const char* one :
       {"a", "e\u0301\u0323", "\r\n", "\u1112\u1161\u11AB", "한\u11AB", "👨\u200D👩\u200D👧",
        "👍🏽", "🇰🇷", "กำ", "क\u094Dष", "क\u094D\u200Dष", "\u0600a", "a\u0897", "☝\uFE0F"}) {
    EXPECT_EQ(GraphemeEnd(std::string(one) + "x", 0), std::string(one).size()) << one;
  }
  EXPECT_EQ(GraphemeEnd("🇰🇷🇺🇸", 0), 8u);
  EXPECT_EQ(GraphemeEnd("\n\u0301", 0), 1u);
  EXPECT_EQ(GraphemeEnd("कष", 0), 3u);
  EXPECT_EQ(GraphemeEnd("क\u094D\u200Cष", 0), 9u);
}

TEST(Charsmap, RejectsMalformedMaps) {
  const auto code = [](std::string_view blob) {
    return Charsmap::Create("t", blob).status().code();
  };
  EXPECT_EQ(code(""), Code::kCorruptModel);
  EXPECT_EQ(code(std::string_view("\0\0\0\0", 4)), Code::kCorruptModel);
  EXPECT_EQ(code(std::string_view("\5\0\0\0abcdefgh", 12)), Code::kCorruptModel);
  EXPECT_EQ(code(std::string_view("\10\0\0\0abcd", 8)), Code::kCorruptModel);
  EXPECT_EQ(code(std::string_view("\377\377\377\377abcd", 8)), Code::kCorruptModel);
  EXPECT_EQ(code(std::string_view("\4\0\0\0abcd\xFF", 9)), Code::kCorruptModel);
  EXPECT_EQ(code(std::string_view("\4\0\0\0abcd", 8)), Code::kOk);
}

}  // namespace
}  // namespace clipglot::testing
