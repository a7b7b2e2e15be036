// Runs the conversation of a PackWriter from files in memory. For tests only.
#pragma once

#include <cstring>
#include <functional>

#include "convert/pack_writer.h"
#include "engine/load.h"

namespace clipglot::testing {

// `on_commit` sees the writer after each commit; false ends the conversion there.
inline Status Convert(PackWriter& writer, const Files& files,
                      const std::function<bool()>& on_commit,
                      std::span<const std::byte> state = {}) {
  std::vector<FileEntry> entries;
  for (const auto& [name, bytes] : files) entries.push_back({name, bytes.size()});
  CLIPGLOT_RETURN_IF_ERROR(writer.Begin(entries, state));
  while (const auto range = writer.Want()) {
    CLIPGLOT_ASSIGN_OR_RETURN(const std::span<std::byte> to, writer.Reserve());
    const std::vector<std::byte>& file = files.at(entries[range->file].path);
    std::memcpy(to.data(), file.data() + range->offset, to.size());
    CLIPGLOT_RETURN_IF_ERROR(writer.Commit());
    if (!on_commit()) break;
  }
  return OkStatus();
}

// A pack of golden-a in the given number format, with the self-test that the converter computes.
inline Files GoldenPack(WeightFormat format) {
  Files pack = MakePack(GoldenModel(), format, 1 << 20);
  const auto writer = PackWriter::Create({true, true, format});
  EXPECT_TRUE(writer.ok());
  const Status status = Convert(**writer, GoldenModel(), [] { return true; });
  EXPECT_TRUE(status.ok()) << status.detail();
  const Result<std::string> test = (*writer)->SelfTestJson();
  EXPECT_TRUE(test.ok()) << test.status().detail();
  nlohmann::json manifest = JsonOf(pack.at("manifest.json"));
  manifest.erase("sha256");
  manifest["selfTest"] = nlohmann::json::parse(*test);
  pack["manifest.json"] = SignManifest(manifest);
  return pack;
}

}  // namespace clipglot::testing
