// Files that are damaged, cut, or of another kind: an error that names the part, or a valid
// reading. Never a crash.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "support/golden.h"
#include "text/tokenizer_files.h"

namespace clipglot::testing {
namespace {

using nlohmann::json;

std::string Text(const std::vector<std::byte>& bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

constexpr const char* kFiles[] = {"tokenizer.json", "sentencepiece.bpe.model"};
constexpr const char* kProbe =
    "Ünï \u1112\u1161\u11AB ﬁ①㌀ e\u0323\u0302 <mask> ＜s＞\t\u3000क\u094Dष 👨\u200D👩 the quiet "
    "harbour 上 sss";

// Whatever was read must be usable.
void Use(const Result<std::unique_ptr<Tokenizer>>& made) {
  if (!made.ok()) {
    EXPECT_TRUE(made.status().code() == Code::kCorruptModel ||
                made.status().code() == Code::kUnsupportedModel);
    EXPECT_FALSE(made.status().detail().empty());
    return;
  }
  auto out = (*made)->Encode(kProbe, 64);
  if (!out.ok()) {
    EXPECT_EQ(out.status().code(), Code::kCorruptModel);
    return;
  }
  EXPECT_GE(out->ids.size(), 2u);
  for (const int32_t id : out->ids) {
    EXPECT_GE(id, 0);
    EXPECT_LT(static_cast<size_t>(id), (*made)->vocab_size());
  }
}

TEST(TokenizerHostile, CutAnywhere) {
  std::mt19937 random(1);
  for (const char* name : kFiles) {
    const std::string whole = Text(ReadFile(TestData(std::string("golden-a/") + name)));
    for (size_t i = 0; i < 60; ++i) {
      const size_t length = i < 20 ? i : random() % whole.size();
      const auto made = CreateTokenizer(name, std::string_view(whole).substr(0, length));
      EXPECT_FALSE(std::string_view(name).ends_with(".json") && made.ok());
      Use(made);
    }
  }
}

TEST(TokenizerHostile, FlippedBits) {
  std::mt19937 random(2);
  for (const char* name : kFiles) {
    const std::string whole = Text(ReadFile(TestData(std::string("golden-a/") + name)));
    for (int i = 0; i < 300; ++i) {
      std::string damaged = whole;
      for (int flips = 1 + i % 3; flips > 0; --flips)
        damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
      Use(CreateTokenizer(name, damaged));
    }
  }
}

// Dense damage where it hurts: in the double array of the character map, whose form nothing else
// checks.
TEST(TokenizerHostile, DamagedMap) {
  const std::string whole = Text(ReadFile(TestData("golden-a/sentencepiece.bpe.model")));
  const size_t map = whole.size() - 230'000;
  std::mt19937 random(3);
  for (int i = 0; i < 40; ++i) {
    std::string damaged = whole;
    for (int flips = 0; flips < 2000; ++flips) {
      damaged[map + random() % 100'000] ^= static_cast<char>(1 << random() % 8);
    }
    Use(CreateTokenizer("a.model", damaged));
  }
  for (int i = 0; i < 200; ++i) {
    std::string noise(random() % 300, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    Use(CreateTokenizer("a.model", noise));
    Use(CreateTokenizer("a.model", whole.substr(0, random() % 200) + noise));
    Use(CreateTokenizer("a.json", noise));
  }
}

struct Change {
  const char* name;
  Code code;
  const char* named;  // part of the detail
  std::function<void(json&)> apply;
};

TEST(TokenizerHostile, AnotherTokenizer) {
  const json base = GoldenTokenizer();
  const Change changes[] = {
      {"model", Code::kUnsupportedModel, "model.type", [](json& t) { t["model"]["type"] = "BPE"; }},
      {"no model", Code::kCorruptModel, "model", [](json& t) { t.erase("model"); }},
      {"bytes", Code::kUnsupportedModel, "byte_fallback",
       [](json& t) { t["model"]["byte_fallback"] = true; }},
      {"unk", Code::kCorruptModel, "unk_id", [](json& t) { t["model"].erase("unk_id"); }},
      {"unk far", Code::kCorruptModel, "600", [](json& t) { t["model"]["unk_id"] = 600; }},
      {"unk negative", Code::kCorruptModel, "-1", [](json& t) { t["model"]["unk_id"] = -1; }},
      {"vocab", Code::kCorruptModel, "vocab",
       [](json& t) { t["model"]["vocab"] = json::object(); }},
      {"piece", Code::kCorruptModel, "vocab[7]", [](json& t) { t["model"]["vocab"][7] = "a"; }},
      {"score", Code::kCorruptModel, "vocab[7][1]",
       [](json& t) { t["model"]["vocab"][7][1] = nullptr; }},
      {"long piece", Code::kUnsupportedModel, "piece 7",
       [](json& t) { t["model"]["vocab"][7][0] = std::string(5000, 'a'); }},
      {"normalizer", Code::kUnsupportedModel, "normalizer.type",
       [](json& t) { t["normalizer"]["type"] = "NFC"; }},
      {"map", Code::kCorruptModel, "precompiled_charsmap",
       [](json& t) { t["normalizer"]["precompiled_charsmap"] = "?"; }},
      {"empty map", Code::kCorruptModel, "character map",
       [](json& t) { t["normalizer"]["precompiled_charsmap"] = ""; }},
      {"regex", Code::kUnsupportedModel, "pattern",
       [](json& t) {
         t["normalizer"] = {{"type", "Replace"}, {"pattern", {{"Regex", "a+"}}}, {"content", " "}};
       }},
      {"pre", Code::kUnsupportedModel, "pre_tokenizer.type",
       [](json& t) { t["pre_tokenizer"] = {{"type", "ByteLevel"}}; }},
      {"no pre", Code::kCorruptModel, "pre_tokenizer.type",
       [](json& t) { t["pre_tokenizer"] = nullptr; }},
      {"first", Code::kUnsupportedModel, "prepend_scheme",
       [](json& t) { t["pre_tokenizer"]["pretokenizers"][1]["prepend_scheme"] = "first"; }},
      {"mark", Code::kUnsupportedModel, "replacement",
       [](json& t) { t["pre_tokenizer"]["pretokenizers"][1]["replacement"] = "_"; }},
      {"post", Code::kUnsupportedModel, "post_processor",
       [](json& t) { t["post_processor"]["type"] = "ByteLevel"; }},
      {"template", Code::kUnsupportedModel, "single",
       [](json& t) { t["post_processor"]["single"].erase(0); }},
      {"template id", Code::kCorruptModel, "</s>",
       [](json& t) { t["post_processor"]["special_tokens"]["</s>"]["ids"][0] = 5; }},
      {"added id", Code::kCorruptModel, "<mask>",
       [](json& t) { t["added_tokens"][4]["id"] = 250001; }},
      {"single word", Code::kUnsupportedModel, "single_word",
       [](json& t) { t["added_tokens"][4]["single_word"] = true; }},
      {"no pad", Code::kUnsupportedModel, "<pad>",
       [](json& t) { t["model"]["vocab"][1][0] = "<dap>", t["added_tokens"].erase(1); }},
      {"version", Code::kUnsupportedModel, "version", [](json& t) { t["version"] = "2.0"; }},
  };
  for (const Change& change : changes) {
    SCOPED_TRACE(change.name);
    json damaged = base;
    change.apply(damaged);
    const auto made = CreateTokenizer(damaged);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.status().code(), change.code) << made.status().detail();
    EXPECT_NE(made.status().detail().find(change.named), std::string::npos)
        << made.status().detail();
    EXPECT_TRUE(made.status().detail().starts_with("tokenizer.json: ")) << made.status().detail();
  }
}

TEST(TokenizerHostile, SpellingsOfOlderVersions) {
  json tokenizer = GoldenTokenizer();
  json& metaspace = tokenizer["pre_tokenizer"]["pretokenizers"][1];
  const auto same = [&] {
    const auto made = MustCreate(tokenizer), plain = MustCreate(GoldenTokenizer());
    ASSERT_TRUE(made != nullptr && plain != nullptr);
    EXPECT_EQ(Ids(*made, kProbe), Ids(*plain, kProbe));
  };
  metaspace["str_rep"] = "▁";
  same();
  metaspace["prepend_scheme"] = "always";
  metaspace["split"] = true;
  same();
  metaspace.erase("add_prefix_space");
  tokenizer["model"]["byte_fallback"] = false;
  same();
  tokenizer.erase("version");
  tokenizer["truncation"] = {{"max_length", 4}, {"strategy", "LongestFirst"}, {"stride", 0}};
  same();
}

}  // namespace
}  // namespace clipglot::testing
