// Reads integers from a file in memory, one after another. Past the end everything is zero and ok()
// turns false, so a decoder may read a whole header and ask once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace clipglot {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  uint32_t U8() {
    if (position_ == bytes_.size()) {
      ok_ = false;
      return 0;
    }
    return std::to_integer<uint32_t>(bytes_[position_++]);
  }
  uint32_t U16Le() {
    const uint32_t low = U8();
    return low | U8() << 8;
  }
  uint32_t U32Le() {
    const uint32_t low = U16Le();
    return low | U16Le() << 16;
  }
  uint32_t U32Be() {
    uint32_t out = 0;
    for (int i = 0; i < 4; ++i) out = out << 8 | U8();
    return out;
  }
  // The next `count` bytes, or those that are left.
  std::span<const std::byte> Take(size_t count) {
    if (count > remaining()) ok_ = false;
    count = std::min(count, remaining());
    const auto out = bytes_.subspan(position_, count);
    position_ += count;
    return out;
  }
  void Skip(size_t count) { static_cast<void>(Take(count)); }
  void Seek(size_t position) {
    if (position > bytes_.size()) ok_ = false;
    position_ = std::min(position, bytes_.size());
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace clipglot
