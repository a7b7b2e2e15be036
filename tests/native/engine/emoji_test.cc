// The emoji model, as it is published, on every int8 path: its self-test passes, threads change no
// bit, and paths that compute the same integers give the same bits.
#include <gtest/gtest.h>

#include <cmath>

#include "container/sha256.h"
#include "engine/int8_paths.h"
#include "engine/load.h"

namespace clipglot::testing {
namespace {

constexpr const char* kTexts[] = {"",
                                  "a red apple",
                                  "two people walking their dogs in the rain",
                                  "ein lachendes Gesicht mit Sonnenbrille",
                                  "снежинка и дерево под звёздами",
                                  "三只小猫在月亮下面睡觉",
                                  "sun sun sun sun sun sun sun sun sun sun sun sun sun sun sun sun "
                                  "sun sun sun sun sun sun sun sun"};

using Vectors = std::vector<std::vector<float>>;

std::vector<float> Copy(const Result<EmbeddingView>& view) {
  EXPECT_TRUE(view.ok()) << view.status().detail();
  return view.ok() ? std::vector<float>(view->vector.begin(), view->vector.end())
                   : std::vector<float>();
}

double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i)
    dot += double{a[i]} * b[i], aa += double{a[i]} * a[i], bb += double{b[i]} * b[i];
  return dot / std::sqrt(aa * bb);
}

// The pack in models/emoji, of whose files those in `folder` come first.
Files Emoji(const std::string& folder) {
  const std::string root = CLIPGLOT_SOURCE_DIR "/models/emoji/";
  Files files;
  for (const char* name : {"manifest.json", "tokenizer.json", "text-embeddings-00.safetensors",
                           "text-layers-00.safetensors", "vision-00.safetensors"}) {
    const std::string own = root + folder + name;
    files[name] = ReadFile(std::filesystem::exists(own) ? own : root + name);
  }
  return files;
}

// Texts alone and in groups, pictures of two sizes.
Vectors EmbedAll(Engine& engine) {
  Vectors vectors;
  for (const char* text : kTexts) vectors.push_back(Copy(engine.EmbedText(text, TextOptions())));
  const std::vector<std::string_view> views(std::begin(kTexts), std::end(kTexts));
  for (size_t done = 0; done < views.size();) {
    const auto group = engine.EmbedTexts(std::span(views).subspan(done), TextOptions());
    EXPECT_TRUE(group.ok()) << group.status().detail();
    if (!group.ok()) break;
    for (const EmbeddingView& view : *group) {
      EXPECT_EQ(std::vector<float>(view.vector.begin(), view.vector.end()), vectors[done]) << done;
      ++done;
    }
  }
  for (const char* file : {"photo.jpg", "alpha.png", "panorama.png"}) {
    const auto bytes = ReadFile(TestData(std::string("golden-a/images/") + file));
    for (const size_t grid : {size_t{0}, size_t{2}}) {
      ImageOptions options;
      options.grid = grid;
      vectors.push_back(Copy(engine.EmbedEncodedImage(bytes, options)));
    }
  }
  return vectors;
}

Vectors EmbedAll(const Files& files, Int8Isa isa, size_t threads) {
  const ForcedInt8Isa forced(isa);
  EngineOptions options;
  options.threads = threads;
  const auto engine = MakeEngine(files, options);
  return engine == nullptr ? Vectors() : EmbedAll(*engine);
}

TEST(Emoji, EightBitsOnEveryPath) {
  const Files files = Emoji("");
  const Vectors first = EmbedAll(files, Int8Isa::kI16Madd, 1);
  ASSERT_EQ(first.size(), std::size(kTexts) + 6);
  for (const Int8Path& path : Int8Paths()) {
    SCOPED_TRACE(path.name);
    const Vectors one = EmbedAll(files, path.isa, 1);
    EXPECT_EQ(EmbedAll(files, path.isa, 4), one);
    ASSERT_EQ(one.size(), first.size());
    if (path.isa != Int8Isa::kAcc16) {
      EXPECT_EQ(one, first);
      continue;
    }
    for (size_t i = 0; i < one.size(); ++i) EXPECT_GE(Cosine(one[i], first[i]), 0.996) << i;
  }
}

TEST(Emoji, FourBitsHaveTheSameBitsOnEveryPath) {
  const Files files = Emoji("q4/");
  const Vectors first = EmbedAll(files, Int8Isa::kI16Madd, 1);
  ASSERT_EQ(first.size(), std::size(kTexts) + 6);
  for (const Int8Path& path : Int8Paths()) {
    SCOPED_TRACE(path.name);
    for (const size_t threads : {size_t{1}, size_t{4}})
      EXPECT_EQ(EmbedAll(files, path.isa, threads), first) << threads;
  }
}

// A pack that is being made: its manifest has no hashes and no self-test, which comes at the end.
struct UnfinishedPack {
  Files files;
  std::string self_test;
};

UnfinishedPack Unfinished() {
  UnfinishedPack pack{Emoji(""), ""};
  std::vector<std::byte>& file = pack.files.at("manifest.json");
  std::string text(reinterpret_cast<const char*>(file.data()), file.size());
  const size_t begin = text.find("\n \"selfTest\": "), end = text.find("\n \"tokenizer\": ");
  EXPECT_LT(begin, end);
  pack.self_test = text.substr(begin + 14, end - begin - 15);  // without the comma
  text.erase(begin, end - begin);
  constexpr std::string_view kList = "\"sha256\": [";
  for (size_t at = text.find(kList); at != std::string::npos; at = text.find(kList)) {
    const size_t comma = text.rfind(',', at);
    text.erase(comma, text.find(']', at) + 1 - comma);
  }
  text.resize(text.rfind("\"sha256\": \"") + 11);
  text += Sha256Hex(Sha256(std::as_bytes(std::span(text)))) + "\"\n}\n";
  const auto bytes = std::as_bytes(std::span(text));
  file.assign(bytes.begin(), bytes.end());
  return pack;
}

TEST(Emoji, APackThatIsBeingMadeIsTestedAtItsEnd) {
  const UnfinishedPack pack = Unfinished();
  EngineOptions options;
  const auto refused = Engine::Create(options);
  ASSERT_TRUE(refused.ok());
  EXPECT_EQ(Load(**refused, pack.files).code(), Code::kCorruptModel);  // from outside, it is none
  EXPECT_EQ((*refused)->TestSelf(pack.self_test).code(), Code::kNotLoaded);

  options.unfinished_pack = true;
  const auto engine = MakeEngine(pack.files, options);
  ASSERT_NE(engine, nullptr);
  const auto whole = MakeEngine(Emoji(""), EngineOptions());
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(EmbedAll(*engine), EmbedAll(*whole));
  const Status passed = engine->TestSelf(pack.self_test);
  EXPECT_TRUE(passed.ok()) << passed.detail();
  EXPECT_TRUE(engine->ready());

  EXPECT_EQ(engine->TestSelf("{").code(), Code::kCorruptModel);
  std::string other = pack.self_test;
  other.replace(other.find("\"minCosine\": 0."), 15, "\"minCosine\": 0.9999");
  other.replace(other.find("\"text\": \""), 9, "\"text\": \"no ");
  EXPECT_EQ(engine->TestSelf(other).code(), Code::kCorruptModel);
  EXPECT_FALSE(engine->ready());
}

}  // namespace
}  // namespace clipglot::testing
