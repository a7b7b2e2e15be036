#include "container/pack_manifest.h"

#include <gtest/gtest.h>

#include <string>

#include "base/strings.h"

namespace clipglot {
namespace {

const std::string kHash(64, 'a');

// A manifest body without its end, with one hash for each file.
std::string Body() {
  return R"({"formatVersion":1,"modelId":"m","revision":"r","license":"l","dtype":"q8","later":{"unknown":[1]},
"config":{"a":1},"preprocessor":{},"tokenizer":{"path":"tokenizer.json","bytes":3,"sha256":[")" +
         kHash + R"("]},
"shards":[{"path":"text-00.safetensors","bytes":4194305,"tower":"text","sha256":[")" +
         kHash + "\",\"" + kHash + R"("]}],)";
}

std::string Signed(std::string body) {
  body += "\n\"sha256\": \"";
  return body + Sha256Hex(Sha256(std::as_bytes(std::span(body)))) + "\"\n}\n";
}

Result<PackManifest> Parse(const std::string& text) {
  return ParsePackManifest(std::as_bytes(std::span(text)));
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(PackManifest, IsReadAndUnknownMembersAreIgnored) {
  const auto manifest = Parse(Signed(Body()));
  ASSERT_TRUE(manifest.ok()) << manifest.status().detail();
  EXPECT_EQ(manifest->model_id, "m");
  EXPECT_EQ(manifest->dtype, "q8");
  EXPECT_TRUE(manifest->config["a"].is_number());
  EXPECT_EQ(manifest->tokenizer.path, "tokenizer.json");
  ASSERT_EQ(manifest->shards.size(), 1u);
  EXPECT_EQ(manifest->shards[0].tower, "text");
  EXPECT_EQ(manifest->shards[0].sha256.size(), 2u);
}

TEST(PackManifest, FindsEveryFlippedBit) {
  const std::string good = Signed(Body());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const auto manifest = Parse(bad);
    ASSERT_FALSE(manifest.ok()) << "bit " << bit;
    EXPECT_EQ(manifest.status().code(), Code::kCorruptModel);
    EXPECT_NE(manifest.status().detail().find("manifest.json"), std::string::npos);
  }
}

TEST(PackManifest, IsNotCutOffAnywhere) {
  const std::string good = Signed(Body());
  for (size_t length = 0; length < good.size(); ++length) {
    const auto manifest = Parse(good.substr(0, length));
    ASSERT_FALSE(manifest.ok()) << length;
    EXPECT_EQ(manifest.status().code(), Code::kCorruptModel);
  }
}

TEST(PackManifest, RejectsAnotherVersion) {
  for (const char* version : {"2", "0", "1000"}) {
    const auto manifest = Parse(
        Signed(Replaced(Body(), "\"formatVersion\":1", StrCat("\"formatVersion\":", version))));
    ASSERT_FALSE(manifest.ok());
    EXPECT_EQ(manifest.status().code(), Code::kUnsupportedVersion);
    EXPECT_NE(manifest.status().detail().find(version), std::string::npos);
  }
}

TEST(PackManifest, RejectsPathsThatLeaveTheFolder) {
  for (const char* path :
       {"", "../x", "a/../x", "/x", "a//x", "./x", "x/", "...", "a\\\\x", "c:x", "https://x",
        "a\\u0000x", "a%2e%2e", "a?b", "a#b", "a b", "ä", "manifest.json", "tokenizer.json"}) {
    const auto manifest = Parse(Signed(Replaced(Body(), "text-00.safetensors", path)));
    ASSERT_FALSE(manifest.ok()) << path;
    EXPECT_EQ(manifest.status().code(), Code::kCorruptModel);
    EXPECT_NE(manifest.status().detail().find("shards[0].path"), std::string::npos)
        << manifest.status().detail();
  }
  EXPECT_TRUE(Parse(Signed(Replaced(Body(), "text-00.safetensors", "text/00.safetensors"))).ok());
}

TEST(PackManifest, NamesTheMemberThatIsWrong) {
  const struct {
    std::string from, to, named;
  } cases[] = {
      {"\"formatVersion\":1,", "", "formatVersion"},
      {"\"modelId\":\"m\"", "\"modelId\":7", "modelId"},
      {"\"license\":\"l\",", "", "license"},
      {"\"bytes\":3", "\"bytes\":0", "tokenizer.bytes"},
      {"\"bytes\":3", "\"bytes\":99999999", "tokenizer.bytes"},
      {"\"bytes\":4194305", "\"bytes\":4194304", "shards[0].sha256"},
      {"\"bytes\":4194305", "\"bytes\":-1", "shards[0].bytes"},
      {"\"tower\":\"text\"", "\"tower\":\"sound\"", "shards[0].tower"},
      {kHash, std::string(64, 'A'), "tokenizer.sha256[0]"},
      {"\"shards\":[", "\"shards\":7,\"x\":[", "shards"},
  };
  for (const auto& [from, to, named] : cases) {
    const auto manifest = Parse(Signed(Replaced(Body(), from, to)));
    ASSERT_FALSE(manifest.ok()) << to;
    EXPECT_EQ(manifest.status().code(), Code::kCorruptModel) << to;
    EXPECT_NE(manifest.status().detail().find(named), std::string::npos)
        << manifest.status().detail();
  }
}

TEST(PackManifest, HashesAreLeftOutOnlyWhereTheyMayBe) {
  const std::string body = Replaced(Body(), R"(,"sha256":[")" + kHash + R"("]},)", "},");
  EXPECT_EQ(Parse(Signed(body)).status().code(), Code::kCorruptModel);
  const std::string text = Signed(body);
  const auto manifest = ParsePackManifest(std::as_bytes(std::span(text)), PackHashes::kOptional);
  ASSERT_TRUE(manifest.ok()) << manifest.status().detail();
  EXPECT_TRUE(manifest->tokenizer.sha256.empty());
  EXPECT_EQ(manifest->shards[0].sha256.size(), 2u);  // those that are there are kept, and checked
  const std::string short_list = Signed(Replaced(body, "\"" + kHash + "\",", ""));
  EXPECT_FALSE(ParsePackManifest(std::as_bytes(std::span(short_list)), PackHashes::kOptional).ok());
}

TEST(PackManifest, VerifiesChunks) {
  const std::string first(kPackChunk, 'x'), last = "y";
  PackFile file{"a.safetensors", kPackChunk + 1, {}};
  for (const std::string& chunk : {first, last})
    file.sha256.push_back(Sha256Hex(Sha256(std::as_bytes(std::span(chunk)))));
  EXPECT_TRUE(VerifyPackChunk(file, 0, std::as_bytes(std::span(first))).ok());
  EXPECT_TRUE(VerifyPackChunk(file, kPackChunk, std::as_bytes(std::span(last))).ok());
  const std::string wrong = "z";
  const Status status = VerifyPackChunk(file, kPackChunk, std::as_bytes(std::span(wrong)));
  EXPECT_EQ(status.code(), Code::kCorruptModel);
  EXPECT_NE(status.detail().find("a.safetensors"), std::string::npos);
  EXPECT_NE(status.detail().find("4194304"), std::string::npos);
  EXPECT_EQ(VerifyPackChunk(file, 5, std::as_bytes(std::span(last))).code(), Code::kInternal);
}

}  // namespace
}  // namespace clipglot
