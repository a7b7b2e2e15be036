// PNG files: as they come, and with right checksums, or few inputs would get past the first chunk.
#include <array>
#include <vector>

#include "image_fuzz.h"

namespace clipglot::fuzz {
namespace {

uint32_t Crc(std::span<const uint8_t> bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> out{};
    for (uint32_t i = 0; i < out.size(); ++i) {
      uint32_t crc = i;
      for (int k = 0; k < 8; ++k) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
      out[i] = crc;
    }
    return out;
  }();
  uint32_t crc = ~0u;
  for (const uint8_t byte : bytes) crc = (crc >> 8) ^ table[(crc ^ byte) & 0xff];
  return ~crc;
}

// Makes the checksum of every whole chunk right. True when one was not.
bool RepairChecksums(std::span<uint8_t> file) {
  bool changed = false;
  for (size_t at = 8; file.size() > at && file.size() - at >= 12;) {
    const size_t length = size_t{file[at]} << 24 | size_t{file[at + 1]} << 16 |
                          size_t{file[at + 2]} << 8 | file[at + 3];
    if (length > file.size() - at - 12) break;
    const uint32_t crc = Crc(file.subspan(at + 4, 4 + length));
    for (size_t i = 0; i < 4; ++i) {
      uint8_t& stored = file[at + 8 + length + i];
      const auto right = static_cast<uint8_t>(crc >> (24 - 8 * i));
      changed |= stored != right;
      stored = right;
    }
    at += 12 + length;
  }
  return changed;
}

}  // namespace
}  // namespace clipglot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clipglot;
  fuzz::Decode(DecodePng, fuzz::Bytes(data, size));
  std::vector<uint8_t> file(data, data + size);
  if (fuzz::RepairChecksums(file)) fuzz::Decode(DecodePng, std::as_bytes(std::span(file)));
  return 0;
}
