// The table of contents of a pack (docs/FORMAT.md): which files belong to it, and the SHA-256 of
// every 4 MiB of them.
//
// Takes: the bytes of manifest.json. Gives: a PackManifest whose paths and sizes are plausible; the
// model's own settings stay JSON for the room that understands them. Thread-safe: plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "container/sha256.h"

namespace clipglot {

inline constexpr int64_t kPackFormatVersion = 1;
inline constexpr uint64_t kPackChunk = uint64_t{4} << 20;     // bytes that share one SHA-256
inline constexpr uint64_t kMaxPackFile = uint64_t{64} << 20;  // shards and tokenizer
inline constexpr uint64_t kMaxPackManifest = uint64_t{4} << 20;

struct PackFile {
  std::string path;  // relative: names of letters, digits, '_', '.', '-' with '/' between, none of
                     // dots alone
  uint64_t bytes = 0;
  // Of each kPackChunk, the last one shorter; 64 lower-case hexadecimal digits. Empty where hashes
  // are optional and there are none.
  std::vector<std::string> sha256;
};

enum class PackHashes {
  kRequired,
  kOptional,  // for a pack that this process is making
};

struct PackShard : PackFile {
  std::string tower;  // "text" or "vision"
};

struct PackManifest {
  std::string model_id, revision, license, dtype;
  Json config, preprocessor;      // upstream's config.json and preprocessor_config.json
  Json self_test;                 // as it is (engine/self_test.h); may be missing
  PackFile tokenizer;             // path empty when the pack has no text tower
  std::vector<PackShard> shards;  // in the order in which the towers are built
};

// `bytes`: the whole manifest.json. Verifies its own hash first: the text ends with a member
// "sha256" whose digits are the hash of everything before them. Unknown members are ignored.
// `hashes`: whether each file must have its own.
// Errors: kCorruptModel (hash, JSON, a member missing or implausible), kUnsupportedVersion (another
// formatVersion).
Result<PackManifest> ParsePackManifest(std::span<const std::byte> bytes,
                                       PackHashes hashes = PackHashes::kRequired);

// Compares `chunk`, which begins at `offset` (a multiple of kPackChunk), with the hash that `file`
// has for it. `sha256`: the chunk's hash where it is known already (64 lower-case digits); empty:
// it is computed. Errors: kCorruptModel naming file and offset.
Status VerifyPackChunk(const PackFile& file, uint64_t offset, std::span<const std::byte> chunk,
                       std::string_view sha256 = {});

}  // namespace clipglot
