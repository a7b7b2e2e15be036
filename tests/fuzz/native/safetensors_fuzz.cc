// Headers of safetensors files. Input: the length of the whole file (64 bits, little-endian), then
// the file's first bytes: its prefix and its header.
#include <cstring>

#include "container/safetensors.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clipglot;
  uint64_t file_bytes = 0;
  if (size < sizeof(file_bytes) + kSafetensorsPrefix) return 0;
  std::memcpy(&file_bytes, data, sizeof(file_bytes));
  data += sizeof(file_bytes);
  size -= sizeof(file_bytes);
  const auto prefix = fuzz::Bytes(data, kSafetensorsPrefix);
  const Result<uint64_t> length = ParseSafetensorsPrefix("file", prefix, file_bytes);
  if (!length.ok()) fuzz::CheckModelError(length.status());
  // A header of another length than the prefix says is parsed all the same: mutations seldom hit
  // both.
  const std::string_view header = fuzz::Text(data + kSafetensorsPrefix, size - kSafetensorsPrefix);
  const Result<SectionTable> table = SectionTable::Parse("file", header, file_bytes);
  if (!table.ok()) {
    fuzz::CheckModelError(table.status());
    return 0;
  }
  uint64_t at = kSafetensorsPrefix + header.size();
  for (const Section& section : table->sections()) {
    FUZZ_CHECK(section.offset == at && section.bytes <= file_bytes - at);
    FUZZ_CHECK(table->Find(section.name) == &section);
    at += section.bytes;
  }
  FUZZ_CHECK(at == file_bytes);
  return 0;
}
