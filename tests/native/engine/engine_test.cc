// What the façade promises beside the right numbers: typed errors, a next call that works, the same
// bits everywhere.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/trace.h"
#include "engine/load.h"
#include "support/asked.h"
#include "support/golden.h"

namespace clipglot::testing {
namespace {

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::vector<float> Copy(std::span<const float> view) { return {view.begin(), view.end()}; }

class EngineTest : public ::testing::Test {
 protected:
  static const Files& Golden() {
    static const Files files = ReadFolder("golden-a");
    return files;
  }
  static EngineOptions Options(WeightFormat format = WeightFormat::kF32, size_t threads = 1) {
    EngineOptions options;
    options.format = format;
    options.threads = threads;
    return options;
  }
  // Loading `files` fails with `code`, and the detail holds `part`.
  static void ExpectLoadError(const Files& files, Code code, const std::string& part,
                              const EngineOptions& options = Options()) {
    auto engine = Engine::Create(options);
    ASSERT_TRUE(engine.ok());
    const Status status = Load(**engine, files);
    EXPECT_EQ(status.code(), code) << status.detail();
    EXPECT_NE(status.detail().find(part), std::string::npos) << status.detail();
    EXPECT_FALSE((*engine)->ready());
    EXPECT_EQ((*engine)->EmbedText("cat", TextOptions()).status().code(), Code::kNotLoaded);
    EXPECT_EQ((*engine)->BeginLoad({}).code(), Code::kInvalidArgument) << "an engine loads once";
  }
};

TEST_F(EngineTest, OptionsAreChecked) {
  const auto code = [](auto change) {
    EngineOptions options;
    change(options);
    return Engine::Create(options).status();
  };
  for (const size_t threads : {size_t{0}, size_t{65}}) {
    const Status status = code([&](EngineOptions& o) { o.threads = threads; });
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_NE(status.detail().find("threads"), std::string::npos);
  }
  for (const size_t tokens : {size_t{1}, size_t{8193}}) {
    EXPECT_EQ(code([&](EngineOptions& o) { o.max_tokens = tokens; }).code(),
              Code::kInvalidArgument);
  }
  EXPECT_EQ(code([](EngineOptions& o) { o.max_pixels = 0; }).code(), Code::kInvalidArgument);
  EXPECT_EQ(code([](EngineOptions& o) { o.text = o.vision = false; }).code(),
            Code::kInvalidArgument);
}

TEST_F(EngineTest, NothingWorksBeforeLoading) {
  const auto engine = Engine::Create(Options());
  ASSERT_TRUE(engine.ok());
  EXPECT_FALSE((*engine)->Want());
  EXPECT_EQ((*engine)->Reserve().status().code(), Code::kInvalidArgument);
  EXPECT_EQ((*engine)->Commit().code(), Code::kInvalidArgument);
  EXPECT_EQ((*engine)->EmbedText("cat", TextOptions()).status().code(), Code::kNotLoaded);
  EXPECT_EQ((*engine)->EmbedTexts({}, TextOptions()).status().code(), Code::kNotLoaded);
  EXPECT_EQ((*engine)->CountTokens("cat", TextOptions()).status().code(), Code::kNotLoaded);
  EXPECT_EQ((*engine)->EmbedEncodedImage({}, ImageOptions()).status().code(), Code::kNotLoaded);
  EXPECT_EQ((*engine)->Truncate({}, VectorOptions()).status().code(), Code::kNotLoaded);
}

TEST_F(EngineTest, ATowerThatWasNotAskedForIsNotThere) {
  EngineOptions options = Options();
  options.vision = false;
  const auto text = MakeEngine(Golden(), options);
  ASSERT_NE(text, nullptr);
  EXPECT_TRUE(text->EmbedText("cat", TextOptions()).ok());
  const auto refused = text->EmbedPixels({}, ImageOptions());
  EXPECT_EQ(refused.status().code(), Code::kNotLoaded);
  EXPECT_NE(refused.status().detail().find("vision"), std::string::npos);
  EXPECT_TRUE(text->Info().text);
  EXPECT_FALSE(text->Info().vision);

  options.vision = true;
  options.text = false;
  Files files = Golden();
  files.erase("tokenizer.json");  // not needed, so not missed
  files.erase("sentencepiece.bpe.model");
  const auto vision = MakeEngine(files, options);
  ASSERT_NE(vision, nullptr);
  EXPECT_EQ(vision->EmbedText("cat", TextOptions()).status().code(), Code::kNotLoaded);
}

TEST_F(EngineTest, InfoTellsWhatWasLoaded) {
  const auto engine = MakeEngine(Golden(), Options(WeightFormat::kInt8PerRow, 2));
  ASSERT_NE(engine, nullptr);
  const EngineInfo info = engine->Info();
  EXPECT_TRUE(info.text && info.vision);
  EXPECT_EQ(info.format, WeightFormat::kInt8PerRow);
  EXPECT_EQ(info.threads, 2u);
  EXPECT_EQ(info.full_dimensions, 64u);
  EXPECT_EQ(info.dimensions, (std::vector<size_t>{8, 16, 32, 64}));
  EXPECT_EQ(info.max_tokens, 512u);
  EXPECT_EQ(info.image_size, 56u);
  EXPECT_EQ(info.image_grid, 4u);
  EXPECT_GT(info.resident_bytes, 100000u);
  EXPECT_EQ(engine->total_bytes(), engine->read_bytes());
  EXPECT_GT(engine->read_bytes(), 1000000u);
}

TEST_F(EngineTest, BadCallsAreTypedErrorsAndTheNextCallWorks) {
  const auto engine = MakeEngine(Golden(), Options());
  ASSERT_NE(engine, nullptr);
  const std::vector<float> before = Copy(engine->EmbedText("A red bicycle", TextOptions())->vector);
  const auto expect = [&](const Status& status, Code code, const std::string& part) {
    EXPECT_EQ(status.code(), code) << status.detail();
    EXPECT_NE(status.detail().find(part), std::string::npos) << status.detail();
    EXPECT_EQ(Copy(engine->EmbedText("A red bicycle", TextOptions())->vector), before);
  };
  TextOptions query;
  query.task = "retrieval.query";
  expect(engine->EmbedText("ab\xFF", TextOptions()).status(), Code::kInvalidText, "byte 2");
  expect(engine->EmbedText("ab\xFF", query).status(), Code::kInvalidText, "byte 2");
  expect(engine->CountTokens("\xC3", TextOptions()).status(), Code::kInvalidText, "byte 0");
  TextOptions nfc;
  nfc.normalize_nfc = true;
  expect(engine->EmbedText("\xED\xA0\x80", nfc).status(), Code::kInvalidText, "byte 0");
  TextOptions task;
  task.task = "classification";
  expect(engine->EmbedText("a", task).status(), Code::kInvalidArgument, "classification");
  TextOptions dimensions;
  dimensions.dimensions = 65;
  expect(engine->EmbedText("a", dimensions).status(), Code::kInvalidArgument, "65");
  TextOptions raw;
  raw.dimensions = 8;
  raw.normalized = false;
  expect(engine->EmbedText("a", raw).status(), Code::kInvalidArgument, "normalized");
  for (const size_t tokens : {size_t{1}, size_t{513}}) {
    TextOptions limit;
    limit.max_tokens = tokens;
    expect(engine->EmbedText("a", limit).status(), Code::kInvalidArgument, "maxTokens");
  }
  expect(engine->EmbedEncodedImage(Bytes("no picture"), ImageOptions()).status(),
         Code::kInvalidImage, "");
  expect(engine->EmbedEncodedImage({}, ImageOptions()).status(), Code::kInvalidImage, "");
  expect(engine->EmbedPixels({}, ImageOptions()).status(), Code::kInvalidImage, "");
  const std::vector<uint8_t> rgba(16);
  expect(engine->EmbedPixels({rgba, 3, 2}, ImageOptions()).status(), Code::kInvalidArgument, "");
  expect(engine->EmbedPixels({rgba, size_t{1} << 20, size_t{1} << 20}, ImageOptions()).status(),
         Code::kInvalidImage, "");
  expect(engine->Truncate(std::vector<float>(63), VectorOptions()).status(), Code::kInvalidArgument,
         "63");
}

TEST_F(EngineTest, DamagedModelsAreRejectedByName) {
  Files files = Golden();
  files.erase("config.json");
  ExpectLoadError(files, Code::kCorruptModel, "config.json");

  files = Golden();
  files.erase("tokenizer.json");
  files.erase("sentencepiece.bpe.model");
  ExpectLoadError(files, Code::kCorruptModel, "tokenizer");

  files = Golden();
  auto& checkpoint = files["model.safetensors"];
  for (const size_t length :
       {size_t{0}, size_t{7}, size_t{100}, checkpoint.size() / 2, checkpoint.size() - 1}) {
    Files cut = Golden();
    cut["model.safetensors"].resize(length);
    ExpectLoadError(cut, Code::kCorruptModel, "model.safetensors");
  }
}

TEST_F(EngineTest, AWrongTokenizerIsRejected) {
  Files files = Golden();
  std::string json(reinterpret_cast<const char*>(files["tokenizer.json"].data()),
                   files["tokenizer.json"].size());
  // A tokenizer of another model: same format, one piece fewer.
  auto tokenizer = nlohmann::json::parse(json);
  auto& vocabulary = tokenizer["model"]["vocab"];
  vocabulary.erase(vocabulary.size() - 2);
  for (auto& token : tokenizer["added_tokens"]) {
    if (token["content"] == "<mask>") token["id"] = vocabulary.size() - 1;
  }
  json = tokenizer.dump();
  files["tokenizer.json"].assign(Bytes(json).begin(), Bytes(json).end());
  ExpectLoadError(files, Code::kCorruptModel, "tokenizer.json");
}

TEST_F(EngineTest, TheSameBitsWithAnyNumberOfThreadsAndAfterAnyCall) {
  const std::string texts[] = {"", "cat", "A red bicycle on the quiet harbour wall.",
                               "Старый мост и дети у реки."};
  for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kInt8PerRow}) {
    std::vector<std::vector<float>> first;
    for (const size_t threads : {size_t{1}, size_t{2}, size_t{3}}) {
      const auto engine = MakeEngine(Golden(), Options(format, threads));
      ASSERT_NE(engine, nullptr);
      for (int round = 0; round < 2; ++round) {
        for (size_t i = 0; i < std::size(texts); ++i) {
          // Other lengths in between: nothing of them may remain.
          (void)engine->EmbedText(std::string(50 * (i + 1), 'x'), TextOptions()).ok();
          const std::vector<float> vector =
              Copy(engine->EmbedText(texts[i], TextOptions())->vector);
          if (first.size() <= i) first.push_back(vector);
          EXPECT_EQ(vector, first[i])
              << TraitsOf(format).name << ", " << threads << " threads, text " << i;
        }
      }
    }
  }
}

// All texts, group by group; `sizes` gets how many each group had.
std::vector<std::vector<float>> EmbedAll(Engine& engine, const std::vector<std::string>& texts,
                                         std::vector<size_t>* sizes = nullptr) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::vector<std::vector<float>> vectors;
  while (vectors.size() < views.size()) {
    const auto group = engine.EmbedTexts(std::span(views).subspan(vectors.size()), TextOptions());
    EXPECT_TRUE(group.ok()) << group.status().detail();
    if (!group.ok() || group->empty()) return vectors;
    EXPECT_EQ(group->back().vector.data(), group->front().vector.data() + (group->size() - 1) * 64);
    for (const EmbeddingView& view : *group) vectors.push_back(Copy(view.vector));
    if (sizes != nullptr) sizes->push_back(group->size());
  }
  return vectors;
}

TEST_F(EngineTest, TextsTogetherHaveTheBitsOfEachAlone) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < 64; ++i) {
    std::string text;
    for (size_t word = 0; word < i * 29 % 64; ++word)
      text += word % 3 == 0 ? "Мост " : word % 3 == 1 ? "bicycle " : "夕焼け";
    texts.push_back(text);
  }
  texts[10] = std::string(3000, 'x');
  for (const WeightFormat format :
       {WeightFormat::kF32, WeightFormat::kInt8PerRow, WeightFormat::kInt4Block32}) {
    for (const size_t threads : {size_t{1}, size_t{2}}) {
      const auto engine = MakeEngine(Golden(), Options(format, threads));
      ASSERT_NE(engine, nullptr);
      const std::vector<std::vector<float>> together = EmbedAll(*engine, texts);
      ASSERT_EQ(together.size(), texts.size());
      for (size_t i = 0; i < texts.size(); ++i) {
        EXPECT_EQ(Copy(engine->EmbedText(texts[i], TextOptions())->vector), together[i])
            << TraitsOf(format).name << ", " << threads << " threads, text " << i;
      }
    }
  }
}

TEST_F(EngineTest, AGroupIsNoLargerThanItsLimits) {
  const std::vector<std::string> texts(200, "cat");
  for (const size_t max_tokens : {size_t{2}, size_t{10}, size_t{512}}) {
    EngineOptions options = Options();
    options.max_tokens = max_tokens;
    const auto engine = MakeEngine(Golden(), options);
    ASSERT_NE(engine, nullptr);
    const size_t tokens = engine->EmbedText("cat", TextOptions())->tokens;
    std::vector<size_t> sizes;
    EXPECT_EQ(EmbedAll(*engine, texts, &sizes).size(), texts.size());
    EXPECT_EQ(sizes.front(), std::min(max_tokens, kGroupTokens) / tokens);
    // The empty text has two tokens, fewer than any other.
    sizes.clear();
    EmbedAll(*engine, std::vector<std::string>(200), &sizes);
    EXPECT_EQ(sizes.front(), std::min(max_tokens / 2, kGroupTexts));
  }
  // One that is longer than a group goes alone, one that does not fit any more waits.
  const auto engine = MakeEngine(Golden(), Options());
  ASSERT_NE(engine, nullptr);
  std::vector<size_t> sizes;
  EmbedAll(*engine, {"a", "b", std::string(3000, 'x'), "c", "d"}, &sizes);
  EXPECT_EQ(sizes, (std::vector<size_t>{2, 1, 2}));
  EXPECT_TRUE(engine->EmbedTexts({}, TextOptions())->empty());
}

TEST_F(EngineTest, AGroupEndsBeforeATextThatFails) {
  const auto engine = MakeEngine(Golden(), Options());
  ASSERT_NE(engine, nullptr);
  const std::vector<float> cat = Copy(engine->EmbedText("cat", TextOptions())->vector);
  TextOptions options;
  options.max_tokens = 8;
  options.error_when_too_long = true;
  const std::string_view texts[] = {
      "cat", "", "ab\xFF", "cat", "A red bicycle on the quiet harbour wall", "cat"};
  const auto from = [&](size_t first) {
    return engine->EmbedTexts(std::span(texts).subspan(first), options);
  };
  auto group = from(0);
  ASSERT_TRUE(group.ok()) << group.status().detail();
  ASSERT_EQ(group->size(), 2u);
  EXPECT_EQ(Copy(group->front().vector), cat);
  EXPECT_EQ(from(2).status().code(), Code::kInvalidText);
  EXPECT_NE(from(2).status().detail().find("byte 2"), std::string::npos);
  group = from(3);
  ASSERT_TRUE(group.ok());
  ASSERT_EQ(group->size(), 1u);
  EXPECT_EQ(Copy(group->front().vector), cat);
  EXPECT_EQ(from(4).status().code(), Code::kTooLong);
  // Where texts are cut instead, each says so.
  options.error_when_too_long = false;
  group = from(3);
  ASSERT_TRUE(group.ok());
  ASSERT_EQ(group->size(), 3u);
  EXPECT_FALSE((*group)[0].truncated);
  EXPECT_TRUE((*group)[1].truncated);
  EXPECT_EQ((*group)[1].tokens, 8u);
  EXPECT_GT((*group)[1].total_tokens, 8u);
  EXPECT_EQ(Copy((*group)[2].vector), cat);
}

TEST_F(EngineTest, BothThreadsWork) {
  const auto engine = MakeEngine(Golden(), Options(WeightFormat::kInt8PerRow, 2));
  ASSERT_NE(engine, nullptr);
  const std::string text(2000, 'x');
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(engine->EmbedText(text, TextOptions()).ok());
  EXPECT_EQ(engine->threads_seen(), 2u);
}

struct StageNames final : TraceSink {
  void OnStage(std::string_view name, DType, std::span<const size_t>,
               std::span<const std::byte>) override {
    seen.emplace_back(name);
  }
  std::vector<std::string> seen;
};

TEST_F(EngineTest, ACancelledCallStopsAtTheNextLayerAndTheNextCallRuns) {
  const auto engine = MakeEngine(Golden(), Options());
  ASSERT_NE(engine, nullptr);
  const std::vector<float> before = Copy(engine->EmbedText("cat", TextOptions())->vector);
  StageNames stages;
  StopAtLayer stop(1);
  EXPECT_EQ(engine->EmbedText("cat", TextOptions(), {&stages, &stop}).status().code(),
            Code::kCancelled);
  EXPECT_EQ(stages.seen, (std::vector<std::string>{"ids", "hidden.0", "hidden.1"}));
  EXPECT_EQ(Copy(engine->EmbedText("cat", TextOptions())->vector), before);

  const std::string_view texts[] = {"a quiet wall", "cat", "dog"};
  StageNames group_stages;
  StopAtLayer group_stop(1);
  EXPECT_EQ(engine->EmbedTexts(texts, TextOptions(), {&group_stages, &group_stop}).status().code(),
            Code::kCancelled);
  EXPECT_EQ(group_stages.seen, stages.seen);
  EXPECT_EQ(Copy((*engine->EmbedTexts(texts, TextOptions()))[1].vector), before);

  const std::vector<uint8_t> rgba(4 * 60 * 60, 100);
  const RgbaView image{rgba, 60, 60};
  StopAtLayer image_stop(0);
  EXPECT_EQ(engine->EmbedPixels(image, ImageOptions(), {.observer = &image_stop}).status().code(),
            Code::kCancelled);
  EXPECT_TRUE(engine->EmbedPixels(image, ImageOptions()).ok());

  // The same observer stops what comes before the tower: it is asked nothing about layers then.
  struct Never final : CallObserver {
    bool OnLayer(size_t, size_t) override {
      ADD_FAILURE() << "a layer";
      return false;
    }
    bool Continue() override { return false; }
  } never;
  EXPECT_EQ(engine->EmbedPixels(image, ImageOptions(), {.observer = &never}).status().code(),
            Code::kCancelled);
  const std::vector<std::byte> file = ReadFile(TestData("golden-a/images/photo.jpg"));
  EXPECT_EQ(engine->EmbedEncodedImage(file, ImageOptions(), {.observer = &never}).status().code(),
            Code::kCancelled);
}

TEST_F(EngineTest, TheObserverHearsOfAllLayersOfEachTower) {
  const auto engine = MakeEngine(Golden(), Options());
  ASSERT_NE(engine, nullptr);
  const auto expect = [](const StopAtLayer& observer) {
    ASSERT_GT(observer.seen.size(), 1u);
    const size_t total = observer.seen.size() - 1;
    for (size_t done = 0; done <= total; ++done)
      EXPECT_EQ(observer.seen[done], std::pair(done, total));
  };
  StopAtLayer text(SIZE_MAX), image(SIZE_MAX);
  ASSERT_TRUE(engine->EmbedText("cat", TextOptions(), {.observer = &text}).ok());
  expect(text);
  const std::vector<uint8_t> rgba(4 * 60 * 60, 100);
  ASSERT_TRUE(engine->EmbedPixels({rgba, 60, 60}, ImageOptions(), {.observer = &image}).ok());
  expect(image);
}

// Inside a call, after its first layer, waits until another thread stops it.
class StoppedFromOutside final : public CallObserver {
 public:
  bool OnLayer(size_t done, size_t) override {
    if (done != 1) return !stop_;
    inside_ = true;
    while (!stop_) std::this_thread::yield();
    return false;
  }
  bool Continue() override { return !stop_; }

  void StopOnceInside() {
    while (!inside_) std::this_thread::yield();
    stop_ = true;
  }

 private:
  std::atomic<bool> inside_ = false, stop_ = false;
};

TEST_F(EngineTest, OneThreadLoadsAnotherCallsAThirdCancels) {
  for (const WeightFormat format :
       {WeightFormat::kF32, WeightFormat::kInt8PerRow, WeightFormat::kInt4Block32}) {
    std::unique_ptr<Engine> engine;
    std::thread([&] { engine = MakeEngine(Golden(), Options(format, 4)); }).join();
    ASSERT_NE(engine, nullptr);
    const std::string text(2000, 'x');
    std::vector<float> before;
    std::thread([&] { before = Copy(engine->EmbedText(text, TextOptions())->vector); }).join();
    for (int round = 0; round < 5; ++round) {
      StoppedFromOutside observer;
      std::thread canceller([&] { observer.StopOnceInside(); });
      EXPECT_EQ(engine->EmbedText(text, TextOptions(), {nullptr, &observer}).status().code(),
                Code::kCancelled);
      canceller.join();
    }
    EXPECT_EQ(Copy(engine->EmbedText(text, TextOptions())->vector), before)
        << TraitsOf(format).name;
  }
}

TEST_F(EngineTest, EnginesOfTheirOwnThreadsDoNotMeet) {
  const auto alone = MakeEngine(Golden(), Options(WeightFormat::kInt8PerRow, 2));
  ASSERT_NE(alone, nullptr);
  const std::vector<float> wanted =
      Copy(alone->EmbedText("A red bicycle on the quiet harbour wall.", TextOptions())->vector);
  std::vector<std::vector<float>> vectors(3);
  std::vector<std::thread> threads;
  for (std::vector<float>& vector : vectors) {
    threads.emplace_back([&] {
      const auto engine = MakeEngine(Golden(), Options(WeightFormat::kInt8PerRow, 2));
      vector = Copy(
          engine->EmbedText("A red bicycle on the quiet harbour wall.", TextOptions())->vector);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& vector : vectors) EXPECT_EQ(vector, wanted);
}

TEST_F(EngineTest, NfcMakesDecomposedTextsEqual) {
  const auto engine = MakeEngine(Golden(), Options());
  ASSERT_NE(engine, nullptr);
  TextOptions nfc;
  nfc.normalize_nfc = true;
  const std::string composed = "\xEB\x88\x88",
                    decomposed = "\xE1\x84\x82\xE1\x85\xAE\xE1\x86\xAB";  // 눈
  const std::vector<float> expected = Copy(engine->EmbedText(composed, TextOptions())->vector);
  EXPECT_NE(Copy(engine->EmbedText(decomposed, TextOptions())->vector), expected);
  EXPECT_EQ(Copy(engine->EmbedText(decomposed, nfc)->vector), expected);
}

}  // namespace
}  // namespace clipglot::testing
