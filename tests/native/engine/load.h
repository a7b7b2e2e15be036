// Loads an engine from files in memory or a folder, the way a user of the core does. For tests
// only.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "support/golden.h"
#include "weights/model_files.h"

namespace clipglot::testing {

// All regular files of a folder below tests/data that a model consists of.
inline Files ReadFolder(const std::string& relative) {
  Files files;
  for (const auto& entry : std::filesystem::directory_iterator(TestData(relative))) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && !name.starts_with("expected."))
      files[name] = ReadFile(entry.path().string());
  }
  return files;
}

// Answers the engine's wishes until it wants nothing more.
inline Status Load(Engine& engine, const Files& files) {
  std::vector<FileEntry> entries;
  for (const auto& [name, bytes] : files) entries.push_back({name, bytes.size()});
  CLIPGLOT_RETURN_IF_ERROR(engine.BeginLoad(entries));
  while (const auto range = engine.Want()) {
    const std::vector<std::byte>& file = files.at(entries[range->file].path);
    CLIPGLOT_ASSIGN_OR_RETURN(const std::span<std::byte> to, engine.Reserve());
    EXPECT_EQ(to.size(), range->length);
    EXPECT_LE(range->offset + range->length, file.size()) << "the engine wants bytes past the end";
    std::memcpy(to.data(), file.data() + range->offset, to.size());
    CLIPGLOT_RETURN_IF_ERROR(engine.Commit());
  }
  return OkStatus();
}

// A loaded engine; a failed expectation and null when it cannot be loaded.
inline std::unique_ptr<Engine> MakeEngine(const Files& files, const EngineOptions& options) {
  auto engine = Engine::Create(options);
  EXPECT_TRUE(engine.ok()) << engine.status().detail();
  if (!engine.ok()) return nullptr;
  const Status status = Load(**engine, files);
  EXPECT_TRUE(status.ok()) << status.detail();
  EXPECT_TRUE((*engine)->ready());
  return status.ok() ? std::move(*engine) : nullptr;
}

}  // namespace clipglot::testing
