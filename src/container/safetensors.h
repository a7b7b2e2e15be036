// The table of a safetensors file, read strictly: which tensor lies where. Knows nothing of models.
//
// Takes: the first 8 bytes, then the header, and the file's length. Gives: a SectionTable in which
// every byte of the file after the header belongs to exactly one tensor. Never reads tensor data.
// Thread-safe: plain values. Format: https://github.com/huggingface/safetensors (README, "Format").
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace clipglot {

// Bytes before the header: its length as 64-bit little-endian.
inline constexpr uint64_t kSafetensorsPrefix = 8;
// Longest header that is read. jina-clip-v2's has about 130 kB.
inline constexpr uint64_t kMaxSafetensorsHeader = uint64_t{16} << 20;

struct Section {
  std::string name;  // UTF-8
  DType dtype = DType::kF32;
  std::vector<uint64_t> shape;  // empty for a single number
  uint64_t offset = 0;          // in the file, in bytes
  uint64_t bytes = 0;
};

class SectionTable {
 public:
  // `file`: the file's name, for errors. `header`: the JSON after the prefix, padding included.
  // `file_bytes`: length of the whole file, prefix and header included. Errors: kCorruptModel (not
  // JSON, a name twice, a shape that does not fit its bytes, offsets outside the file, holes,
  // overlaps, a file that is too short or too long), kUnsupportedModel (number format), naming the
  // tensor.
  static Result<SectionTable> Parse(std::string_view file, std::string_view header,
                                    uint64_t file_bytes);

  // Nothing when there is no such tensor.
  const Section* Find(std::string_view name) const;
  // In the order in which they lie in the file.
  std::span<const Section> sections() const { return sections_; }

 private:
  std::vector<Section> sections_;
  std::vector<uint32_t> by_name_;  // places in sections_, sorted by name
};

// Length of the header from the file's first 8 bytes. `prefix` has kSafetensorsPrefix bytes.
// Errors: kCorruptModel when it is zero, above kMaxSafetensorsHeader or reaches beyond the file.
Result<uint64_t> ParseSafetensorsPrefix(std::string_view file, std::span<const std::byte> prefix,
                                        uint64_t file_bytes);

}  // namespace clipglot
