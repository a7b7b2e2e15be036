// The native engine, asked by lines of JSON on stdin and answering by lines on stdout, for
// bench/peer.
//   {"open": pack folder, "towers": ["text"], "threads": 1, "profile": false}   → {"dtype",
//   "threads", "residentBytes"}
//   {"profile": true}         → {"entries": [{"kind", "calls", "nanoseconds"}]} since it was asked
//   last
//   {"count": text}                                           → {"tokens"}
//   {"texts": [...]}          → {"count", "tokens" (of the last), "vectors": all numbers}
//   {"image": true}           → the same, of a picture of 512 x 512
// What goes wrong is {"error"}. Ends with its input.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/strings.h"
#include "engine/engine.h"

namespace clipglot {
namespace {

constexpr size_t kSide = 512;

Status Load(Engine& engine, const std::string& folder) {
  std::vector<FileEntry> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file())
      files.push_back({entry.path().filename().string(), entry.file_size()});
  }
  CLIPGLOT_RETURN_IF_ERROR(engine.BeginLoad(files));
  while (const auto range = engine.Want()) {
    CLIPGLOT_ASSIGN_OR_RETURN(const std::span<std::byte> to, engine.Reserve());
    std::ifstream in(folder + "/" + files[range->file].path, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(range->offset));
    in.read(reinterpret_cast<char*>(to.data()), static_cast<std::streamsize>(to.size()));
    if (!in)
      return Status(Code::kCorruptModel, StrCat(files[range->file].path, ": shorter than listed"));
    CLIPGLOT_RETURN_IF_ERROR(engine.Commit());
  }
  return OkStatus();
}

// Collects the vectors of one answer.
class Answer {
 public:
  void Add(const EmbeddingView& view) {
    char number[32];
    for (const float value : view.vector) {
      std::snprintf(number, sizeof(number), "%s%.9g", vectors_.empty() ? "" : ",",
                    static_cast<double>(value));
      vectors_ += number;
    }
    ++count_;
    tokens_ = view.tokens;
  }
  std::string Json() const {
    return StrCat("{\"count\":", count_, ",\"tokens\":", tokens_, ",\"vectors\":[", vectors_, "]}");
  }

 private:
  std::string vectors_;
  size_t count_ = 0, tokens_ = 0;
};

class Runner {
 public:
  Result<std::string> Ask(std::string_view line) {
    Json::Limits limits;
    limits.max_bytes = size_t{16} << 20;
    CLIPGLOT_ASSIGN_OR_RETURN(const Json question, Json::Parse(line, "question", limits));
    if (question["open"].exists()) return Open(question);
    if (engine_ == nullptr) return Status(Code::kNotLoaded, "nothing is open");
    if (question["count"].exists()) {
      CLIPGLOT_ASSIGN_OR_RETURN(const std::string text, question["count"].AsString());
      CLIPGLOT_ASSIGN_OR_RETURN(const TokenCount count, engine_->CountTokens(text, {}));
      return StrCat("{\"tokens\":", count.tokens, "}");
    }
    return question["profile"].exists() ? TakeProfile() : Embed(question);
  }

 private:
  Result<std::string> Open(const Json& question) {
    EngineOptions options;
    options.text = options.vision = options.self_test = false;
    const Json towers = question["towers"];
    for (size_t i = 0; i < towers.size(); ++i) {
      CLIPGLOT_ASSIGN_OR_RETURN(const std::string tower, towers.At(i).AsString());
      (tower == "text" ? options.text : options.vision) = true;
    }
    CLIPGLOT_ASSIGN_OR_RETURN(const int64_t threads, question["threads"].AsInt());
    options.threads = static_cast<size_t>(threads);
    CLIPGLOT_ASSIGN_OR_RETURN(const std::string folder, question["open"].AsString());
    CLIPGLOT_ASSIGN_OR_RETURN(engine_, Engine::Create(options));
    CLIPGLOT_RETURN_IF_ERROR(Load(*engine_, folder));
    CLIPGLOT_ASSIGN_OR_RETURN(const bool profile, question["profile"].AsBoolOr(false));
    if (profile) engine_->profile().Start();
    const EngineInfo info = engine_->Info();
    return StrCat("{\"dtype\":\"", TraitsOf(info.format).name, "\",\"threads\":", info.threads,
                  ",\"residentBytes\":", info.resident_bytes, "}");
  }

  std::string TakeProfile() {
    std::string text;
    const Profile::Entries entries = engine_->profile().Take();
    for (size_t i = 0; i < entries.size(); ++i) {
      text += StrCat(text.empty() ? "" : ",", "{\"kind\":\"", kProfileCategoryNames[i],
                     "\",\"calls\":", entries[i].calls, ",\"nanoseconds\":", entries[i].nanoseconds,
                     "}");
    }
    return StrCat("{\"entries\":[", text, "]}");
  }

  Result<std::string> Embed(const Json& question) {
    Answer answer;
    if (question["image"].exists()) {
      if (pixels_.empty()) {
        pixels_.resize(kSide * kSide * 4);
        for (size_t i = 0; i < pixels_.size(); ++i)
          pixels_[i] = static_cast<uint8_t>(i * 7 + (i >> 11) * 31);
      }
      CLIPGLOT_ASSIGN_OR_RETURN(const EmbeddingView view,
                                engine_->EmbedPixels({pixels_, kSide, kSide}, {}));
      answer.Add(view);
      return answer.Json();
    }
    const Json given = question["texts"];
    std::vector<std::string> texts(given.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      CLIPGLOT_ASSIGN_OR_RETURN(texts[i], given.At(i).AsString());
    }
    const std::vector<std::string_view> utf8(texts.begin(), texts.end());
    for (size_t done = 0; done < utf8.size();) {
      CLIPGLOT_ASSIGN_OR_RETURN(const auto views,
                                engine_->EmbedTexts(std::span(utf8).subspan(done), {}));
      for (const EmbeddingView& view : views) answer.Add(view);
      done += views.size();
    }
    return answer.Json();
  }

  std::unique_ptr<Engine> engine_;
  std::vector<uint8_t> pixels_;
};

}  // namespace
}  // namespace clipglot

int main() {
  clipglot::Runner runner;
  for (std::string line; std::getline(std::cin, line);) {
    const clipglot::Result<std::string> answer = runner.Ask(line);
    std::cout << (answer.ok()
                      ? *answer
                      : clipglot::StrCat(
                            "{\"error\":", clipglot::JsonQuote(answer.status().detail()), "}"))
              << std::endl;
  }
  return 0;
}
