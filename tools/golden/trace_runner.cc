// Runs a list of requests on the native engine and writes every stage of each as a frame.
//
//   clipglot_trace_runner REQUESTS.json OUT
//
// REQUESTS.json: {"model": folder, "dtype", "threads", "maxTokens", "towers" (left out: both),
// "int8" (a name of kInt8Names below, left out: the first), "requests": [{"id", and one of
//   "text" (with "task", "maxTokens"), "image" (a file, read as stored), "rgba" (a raw file with
//   "width", "height")}, "hidden": emit the hidden layers too, "truncate": [dimensions ...]]}
// OUT: frames of one JSON line {id, stage, dtype, shape, bytes} and then that many raw bytes. Exits
// with 1 and one line on stderr if anything fails.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/strings.h"
#include "base/trace.h"
#include "engine/engine.h"
#include "nn/int8/isa.h"

namespace clipglot {
namespace {

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Status(Code::kInvalidArgument, StrCat("cannot open ", path));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

class FrameWriter final : public TraceSink {
 public:
  explicit FrameWriter(const std::string& path) : out_(path, std::ios::binary) {}

  void Start(std::string id, bool hidden) {
    id_ = std::move(id);
    hidden_ = hidden;
  }
  void OnStage(std::string_view name, DType dtype, std::span<const size_t> shape,
               std::span<const std::byte> data) override {
    if (!hidden_ && name.starts_with("hidden.")) return;
    std::string dims;
    for (const size_t n : shape) dims += StrCat(dims.empty() ? "" : ",", n);
    out_ << StrCat("{\"id\":", JsonQuote(id_), ",\"stage\":", JsonQuote(name), ",\"dtype\":\"",
                   DTypeName(dtype), "\",\"shape\":[", dims, "],\"bytes\":", data.size(), "}\n");
    out_.write(reinterpret_cast<const char*>(data.data()),
               static_cast<std::streamsize>(data.size()));
  }
  void Vector(std::string_view stage, std::span<const float> vector) {
    const size_t shape[] = {vector.size()};
    OnStage(stage, DType::kF32, shape, std::as_bytes(vector));
  }
  bool Close() {
    out_.close();
    return !out_.fail();
  }

 private:
  std::ofstream out_;
  std::string id_;
  bool hidden_ = false;
};

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

Result<EmbeddingView> Embed(Engine& engine, const Json& request, FrameWriter* writer) {
  if (request["text"].exists()) {
    TextOptions options;
    CLIPGLOT_ASSIGN_OR_RETURN(const std::string text, request["text"].AsString());
    CLIPGLOT_ASSIGN_OR_RETURN(options.task, request["task"].AsStringOr(""));
    CLIPGLOT_ASSIGN_OR_RETURN(const int64_t max_tokens, request["maxTokens"].AsIntOr(0));
    options.max_tokens = static_cast<size_t>(max_tokens);
    return engine.EmbedText(text, options, {.trace = writer});
  }
  ImageOptions options;
  options.ignore_orientation = true;
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t grid, request["grid"].AsIntOr(0));
  options.grid = static_cast<size_t>(grid);
  if (request["image"].exists()) {
    CLIPGLOT_ASSIGN_OR_RETURN(const std::string path, request["image"].AsString());
    CLIPGLOT_ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
    return engine.EmbedEncodedImage(std::as_bytes(std::span(file)), options, {.trace = writer});
  }
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string path, request["rgba"].AsString());
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t width, request["width"].AsInt());
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t height, request["height"].AsInt());
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
  const RgbaView view{{reinterpret_cast<const uint8_t*>(file.data()), file.size()},
                      static_cast<size_t>(width),
                      static_cast<size_t>(height)};
  return engine.EmbedPixels(view, options, {.trace = writer});
}

Status RunRequest(Engine& engine, const Json& request, FrameWriter* writer) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string id, request["id"].AsString());
  CLIPGLOT_ASSIGN_OR_RETURN(const bool hidden, request["hidden"].AsBoolOr(false));
  writer->Start(id, hidden);
  CLIPGLOT_ASSIGN_OR_RETURN(const EmbeddingView view, Embed(engine, request, writer));
  writer->Vector("normalized", view.vector);
  const std::vector<float> full(view.vector.begin(), view.vector.end());
  const Json truncate = request["truncate"];
  for (size_t i = 0; i < truncate.size(); ++i) {
    CLIPGLOT_ASSIGN_OR_RETURN(const int64_t dimensions, truncate.At(i).AsInt());
    VectorOptions options;
    options.dimensions = static_cast<size_t>(dimensions);
    CLIPGLOT_ASSIGN_OR_RETURN(const EmbeddingView shorter, engine.Truncate(full, options));
    writer->Vector(StrCat("normalized_", dimensions), shorter.vector);
  }
  return OkStatus();
}

constexpr std::pair<const char*, Int8Isa> kInt8Names[] = {{"i16-madd", Int8Isa::kI16Madd},
                                                          {"u8s8-dot", Int8Isa::kU8S8Dot},
                                                          {"s8s8-dot", Int8Isa::kS8S8Dot},
                                                          {"acc16", Int8Isa::kAcc16}};

Status ChooseInt8(const std::string& name) {
  for (const auto& [known, isa] : kInt8Names) {
    if (name != known) continue;
    ForceInt8Isa(isa);
    return OkStatus();
  }
  return Status(Code::kInvalidArgument, StrCat("int8: ", name));
}

Status Run(const std::string& requests_path, const std::string& out_path) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string text, ReadFile(requests_path));
  Json::Limits limits;
  limits.max_bytes = size_t{256} << 20;
  CLIPGLOT_ASSIGN_OR_RETURN(const Json job, Json::Parse(text, requests_path, limits));
  EngineOptions options;
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string int8, job["int8"].AsStringOr(kInt8Names[0].first));
  CLIPGLOT_RETURN_IF_ERROR(ChooseInt8(int8));
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string model, job["model"].AsString());
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string dtype, job["dtype"].AsString());
  CLIPGLOT_ASSIGN_OR_RETURN(options.format, ParseWeightFormat(dtype));
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t threads, job["threads"].AsInt());
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t max_tokens, job["maxTokens"].AsInt());
  options.threads = static_cast<size_t>(threads);
  options.max_tokens = static_cast<size_t>(max_tokens);
  if (const Json towers = job["towers"]; towers.exists()) {
    options.text = options.vision = false;
    for (size_t i = 0; i < towers.size(); ++i) {
      CLIPGLOT_ASSIGN_OR_RETURN(const std::string tower, towers.At(i).AsString());
      (tower == "text" ? options.text : options.vision) = true;
    }
  }
  CLIPGLOT_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, Engine::Create(options));
  CLIPGLOT_RETURN_IF_ERROR(Load(*engine, model));
  FrameWriter writer(out_path);
  const Json requests = job["requests"];
  for (size_t i = 0; i < requests.size(); ++i) {
    const Status status = RunRequest(*engine, requests.At(i), &writer);
    if (!status.ok())
      return Status(status.code(), StrCat(requests.At(i).Path(), ": ", status.detail()));
  }
  if (!writer.Close()) return Status(Code::kInternal, StrCat("cannot write ", out_path));
  return OkStatus();
}

}  // namespace
}  // namespace clipglot

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: clipglot_trace_runner REQUESTS.json OUT\n");
    return 2;
  }
  const clipglot::Status status = clipglot::Run(argv[1], argv[2]);
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", std::string(clipglot::CodeName(status.code())).c_str(),
                 status.detail().c_str());
    return 1;
  }
  return 0;
}
