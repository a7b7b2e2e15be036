#include "vision/exif.h"

#include <cstdint>
#include <cstring>

namespace clipglot {
namespace {

// Integers of either byte order; reads past the end are caught by Has().
class TiffReader {
 public:
  explicit TiffReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool ReadByteOrder() {
    if (!Has(0, 4)) return false;
    if (Byte(0) == 'I' && Byte(1) == 'I') {
      big_endian_ = false;
    } else if (Byte(0) == 'M' && Byte(1) == 'M') {
      big_endian_ = true;
    } else {
      return false;
    }
    return U16(2) == 42;
  }
  bool Has(size_t offset, size_t count) const {
    return offset <= bytes_.size() && count <= bytes_.size() - offset;
  }
  uint32_t U16(size_t offset) const {
    return big_endian_ ? Byte(offset) << 8 | Byte(offset + 1)
                       : Byte(offset + 1) << 8 | Byte(offset);
  }
  uint32_t U32(size_t offset) const {
    return big_endian_ ? U16(offset) << 16 | U16(offset + 2) : U16(offset + 2) << 16 | U16(offset);
  }

 private:
  uint32_t Byte(size_t offset) const { return std::to_integer<uint32_t>(bytes_[offset]); }

  std::span<const std::byte> bytes_;
  bool big_endian_ = false;
};

constexpr uint32_t kTagOrientation = 0x0112;
constexpr uint32_t kTypeShort = 3;
constexpr uint32_t kTypeLong = 4;  // outside the standard, but written by some software

}  // namespace

int TiffOrientation(std::span<const std::byte> tiff) {
  TiffReader reader(tiff);
  if (!reader.ReadByteOrder() || !reader.Has(4, 4)) return kOrientationUpright;
  const size_t directory = reader.U32(4);
  if (!reader.Has(directory, 2)) return kOrientationUpright;
  const size_t entries = reader.U16(directory);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (!reader.Has(entry, 12)) break;
    if (reader.U16(entry) != kTagOrientation) continue;
    const uint32_t type = reader.U16(entry + 2);
    if (reader.U32(entry + 4) != 1) break;
    uint32_t value = 0;
    if (type == kTypeShort) value = reader.U16(entry + 8);
    if (type == kTypeLong) value = reader.U32(entry + 8);
    if (value >= 1 && value <= 8) return static_cast<int>(value);
    break;
  }
  return kOrientationUpright;
}

int JpegOrientation(std::span<const std::byte> file) {
  constexpr uint8_t kExif[6] = {'E', 'x', 'i', 'f', 0, 0};
  const auto byte = [&](size_t at) { return std::to_integer<uint32_t>(file[at]); };
  if (file.size() < 2 || byte(0) != 0xff || byte(1) != 0xd8) return kOrientationUpright;
  size_t at = 2;
  while (file.size() - at >= 4) {
    if (byte(at) != 0xff) return kOrientationUpright;
    const uint32_t marker = byte(at + 1);
    if (marker == 0xff) {  // fill byte
      ++at;
      continue;
    }
    if (marker == 0xda || marker == 0xd9) break;  // the first scan: what follows is no segment
    const size_t length = byte(at + 2) << 8 | byte(at + 3);
    const size_t body = at + 4;
    if (length < 2 || length - 2 > file.size() - body) break;
    const size_t body_bytes = length - 2;
    if (marker == 0xe1 && body_bytes > sizeof(kExif) &&
        std::memcmp(file.data() + body, kExif, sizeof(kExif)) == 0) {
      return TiffOrientation(file.subspan(body + sizeof(kExif), body_bytes - sizeof(kExif)));
    }
    at = body + body_bytes;
  }
  return kOrientationUpright;
}

}  // namespace clipglot
