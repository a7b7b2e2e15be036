#include "text/tokenizer_files.h"

#include <gtest/gtest.h>

#include "support/golden.h"

namespace clipglot::testing {
namespace {

using nlohmann::json;

json Sequence(json steps) { return {{"type", "Sequence"}, {"normalizers", std::move(steps)}}; }
json Replace(const char* content) {
  return {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", content}};
}
json Strip(bool left, bool right) {
  return {{"type", "Strip"}, {"strip_left", left}, {"strip_right", right}};
}
json Metaspace(const char* scheme, bool split) {
  return {{"type", "Metaspace"},
          {"replacement", "\u2581"},
          {"prepend_scheme", scheme},
          {"split", split}};
}

}  // namespace

json GoldenTokenizer() { return ReadJson(TestData("golden-a/tokenizer.json")); }

json ShapeOf(json tokenizer, const std::string& shape) {
  const json map = tokenizer["normalizer"];
  if (shape == "new" || shape == "nosplit" || shape == "normmask") {
    tokenizer["normalizer"] = Sequence({map, Replace(" ")});
    tokenizer["pre_tokenizer"] = Metaspace("always", shape != "nosplit");
  } else if (shape == "newer") {
    tokenizer["normalizer"] = Sequence({map, Strip(false, true), Replace("\u2581")});
    tokenizer["pre_tokenizer"] = Metaspace("always", true);
  } else if (shape == "never") {
    tokenizer["pre_tokenizer"] = Metaspace("never", true);
    tokenizer["pre_tokenizer"]["add_prefix_space"] = false;
  } else if (shape == "strip2") {
    tokenizer["normalizer"] = Sequence({Strip(true, true), map});
    tokenizer["added_tokens"][2]["rstrip"] = true;
  }
  if (shape == "normmask") {
    json& added = tokenizer["added_tokens"];
    const size_t vocab = tokenizer["model"]["vocab"].size();
    added[4]["normalized"] = true;
    const auto extra = [&](size_t id, const char* content, bool left, bool normalized) {
      added.push_back({{"id", id},
                       {"content", content},
                       {"single_word", false},
                       {"lstrip", left},
                       {"rstrip", true},
                       {"normalized", normalized},
                       {"special", false}});
    };
    extra(vocab, "\uFB01x", false, true);
    extra(vocab + 1, "<ma", true, false);
  }
  return tokenizer;
}

Result<std::unique_ptr<Tokenizer>> CreateTokenizer(std::string_view name, std::string_view file) {
  return Tokenizer::Create(name, std::as_bytes(std::span(file)));
}

Result<std::unique_ptr<Tokenizer>> CreateTokenizer(const json& tokenizer) {
  return CreateTokenizer("tokenizer.json", tokenizer.dump());
}

std::unique_ptr<Tokenizer> MustCreate(const json& tokenizer) {
  auto made = CreateTokenizer(tokenizer);
  EXPECT_TRUE(made.ok()) << made.status().detail();
  return made.ok() ? *std::move(made) : nullptr;
}

std::vector<int32_t> Ids(const Tokenizer& tokenizer, std::string_view text, size_t max_tokens) {
  auto encoding = tokenizer.Encode(text, max_tokens);
  EXPECT_TRUE(encoding.ok()) << encoding.status().detail();
  return encoding.ok() ? encoding->ids : std::vector<int32_t>();
}

}  // namespace clipglot::testing
