#include "weights/model_reader.h"

#include <algorithm>

#include "weights/step_reader.h"

namespace clipglot {

Result<std::unique_ptr<ModelReader>> ModelReader::Create(std::vector<FileEntry> files,
                                                         const ReadOptions& options,
                                                         ModelSink* sink) {
  if (!options.text && !options.vision)
    return Status(Code::kInvalidArgument, "towers: none asked for");
  const auto has = [&](const char* path) {
    return std::any_of(files.begin(), files.end(),
                       [&](const FileEntry& file) { return file.path == path; });
  };
  const bool pack = has("manifest.json");
  if (!pack && !has("config.json")) {
    return Status(Code::kCorruptModel,
                  "the model's folder has neither manifest.json (a pack) nor config.json");
  }
  auto reader = pack ? NewPackReader(std::move(files), options, sink)
                     : NewCheckpointReader(std::move(files), options, sink);
  CLIPGLOT_RETURN_IF_ERROR(reader->Start());
  return std::unique_ptr<ModelReader>(std::move(reader));
}

}  // namespace clipglot
