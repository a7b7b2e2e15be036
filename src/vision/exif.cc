#include "vision/exif.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace clipglot {
namespace {

// Integers of either byte order; whoever reads asks Has() first.
class TiffReader {
 public:
  explicit TiffReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  // The header, as far as PIL looks at it: it also takes the number 42 in the wrong byte order, and
  // 43 with MM.
  bool ReadHeader() {
    if (!Has(0, 8)) return false;
    big_endian_ = Byte(0) == 'M';
    if (Byte(1) != Byte(0) || (Byte(0) != 'M' && Byte(0) != 'I')) return false;
    return U16(2) == 42 || U16(2) == 42 << 8 || (big_endian_ && U16(2) == 43);
  }
  bool Has(uint64_t offset, uint64_t count) const {
    return offset <= bytes_.size() && count <= bytes_.size() - offset;
  }
  uint32_t Byte(size_t offset) const { return std::to_integer<uint32_t>(bytes_[offset]); }
  uint32_t U16(size_t offset) const {
    return big_endian_ ? Byte(offset) << 8 | Byte(offset + 1)
                       : Byte(offset + 1) << 8 | Byte(offset);
  }
  uint32_t U32(size_t offset) const {
    return big_endian_ ? U16(offset) << 16 | U16(offset + 2) : U16(offset + 2) << 16 | U16(offset);
  }
  uint64_t U64(size_t offset) const {
    const uint64_t first = U32(offset), second = U32(offset + 4);
    return big_endian_ ? first << 32 | second : second << 32 | first;
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_endian_ = false;
};

enum TiffType : uint32_t {
  kByte = 1,
  kAscii = 2,
  kShort = 3,
  kLong = 4,
  kRational = 5,
  kSignedByte = 6,
  kUndefined = 7,
  kSignedShort = 8,
  kSignedLong = 9,
  kSignedRational = 10,
  kFloat = 11,
  kDouble = 12,
  kIfd = 13,
  kLong8 = 16,
};

// Bytes of one value; 0: PIL passes over such an entry.
size_t SizeOf(uint32_t type) {
  switch (type) {
    case kByte:
    case kAscii:
    case kSignedByte:
    case kUndefined:
      return 1;
    case kShort:
    case kSignedShort:
      return 2;
    case kLong:
    case kSignedLong:
    case kFloat:
    case kIfd:
      return 4;
    case kRational:
    case kSignedRational:
    case kDouble:
    case kLong8:
      return 8;
    default:
      return 0;
  }
}

// The number at `at` as an orientation; what is none of 1…8 is upright.
int Value(const TiffReader& reader, uint32_t type, size_t at) {
  double value = 0;
  switch (type) {
    case kShort:
      value = reader.U16(at);
      break;
    case kLong:
    case kIfd:
      value = reader.U32(at);
      break;
    case kSignedByte:
      value = static_cast<int8_t>(reader.Byte(at));
      break;
    case kSignedShort:
      value = static_cast<int16_t>(reader.U16(at));
      break;
    case kSignedLong:
      value = static_cast<int32_t>(reader.U32(at));
      break;
    case kRational:
      value = double(reader.U32(at)) / reader.U32(at + 4);
      break;
    case kSignedRational:
      value =
          double(static_cast<int32_t>(reader.U32(at))) / static_cast<int32_t>(reader.U32(at + 4));
      break;
    case kFloat:
      value = double{std::bit_cast<float>(reader.U32(at))};
      break;
    case kDouble:
      value = std::bit_cast<double>(reader.U64(at));
      break;
    case kLong8:
      value = static_cast<double>(reader.U64(at));
      break;
    default:
      break;  // text
  }
  // A quotient that is not whole but rounds to a whole number needs more digits than two 32-bit
  // numbers have.
  return value >= 1 && value <= 8 && value == std::floor(value) ? static_cast<int>(value)
                                                                : kOrientationUpright;
}

constexpr uint32_t kTagOrientation = 0x0112;

// Nothing: the directory has no such tag.
std::optional<int> FindInTiff(std::span<const std::byte> tiff) {
  TiffReader reader(tiff);
  if (!reader.ReadHeader()) return kOrientationUpright;  // PIL does not look at XMP then
  const uint64_t directory = reader.U32(4);
  if (!reader.Has(directory, 2)) return std::nullopt;
  const size_t entries = reader.U16(static_cast<size_t>(directory));
  std::optional<int> found;
  for (size_t i = 0; i < entries; ++i) {
    const uint64_t entry64 = directory + 2 + 12 * uint64_t{i};
    if (!reader.Has(entry64, 12)) break;
    const auto entry = static_cast<size_t>(entry64);
    const uint32_t type = reader.U16(entry + 2);
    const uint64_t bytes = SizeOf(type) * uint64_t{reader.U32(entry + 4)};
    if (bytes == 0) continue;
    const size_t at = bytes <= 4 ? entry + 8 : reader.U32(entry + 8);
    if (!reader.Has(at, bytes)) break;  // PIL gives up on what follows
    if (reader.U16(entry) == kTagOrientation) found = Value(reader, type, at);
  }
  return found;
}

}  // namespace

int TiffOrientation(std::span<const std::byte> tiff) {
  return FindInTiff(tiff).value_or(kOrientationUpright);
}

int XmpOrientation(std::string_view xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (size_t at = xmp.find(kName); at != xmp.npos; at = xmp.find(kName, at + 1)) {
    std::string_view rest = xmp.substr(at + kName.size());
    if (rest.starts_with("=\"")) {
      rest.remove_prefix(2);
    } else if (rest.starts_with('>')) {
      rest.remove_prefix(1);
    } else {
      continue;
    }
    if (rest.empty() || rest[0] < '0' || rest[0] > '9') continue;
    return rest[0] >= '1' && rest[0] <= '8' ? rest[0] - '0' : kOrientationUpright;
  }
  return kOrientationUpright;
}

int OrientationOf(std::span<const std::byte> exif, std::string_view xmp) {
  constexpr char kPrefix[6] = {'E', 'x', 'i', 'f', 0, 0};
  while (exif.size() >= sizeof(kPrefix) &&
         std::memcmp(exif.data(), kPrefix, sizeof(kPrefix)) == 0) {
    exif = exif.subspan(sizeof(kPrefix));
  }
  if (!exif.empty()) {
    if (const std::optional<int> found = FindInTiff(exif)) return *found;
  }
  return XmpOrientation(xmp);
}

}  // namespace clipglot
