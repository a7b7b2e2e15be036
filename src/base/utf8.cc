#include "base/utf8.h"

namespace clipglot {

bool IsUtf8(std::string_view text, size_t* bad_offset) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<uint8_t>(text[i]);
    size_t length = 0;
    uint32_t code_point = 0, lowest = 0;
    if (lead < 0x80) {
      ++i;
      continue;
    }
    if (lead >= 0xC2 && lead < 0xE0) {
      length = 2, code_point = lead & 0x1F, lowest = 0x80;
    } else if (lead >= 0xE0 && lead < 0xF0) {
      length = 3, code_point = lead & 0x0F, lowest = 0x800;
    } else if (lead >= 0xF0 && lead < 0xF5) {
      length = 4, code_point = lead & 0x07, lowest = 0x10000;
    }
    bool good = length != 0 && i + length <= text.size();
    for (size_t k = 1; good && k < length; ++k) {
      const auto next = static_cast<uint8_t>(text[i + k]);
      good = (next & 0xC0) == 0x80;
      code_point = (code_point << 6) | (next & 0x3F);
    }
    good = good && code_point >= lowest && code_point <= 0x10FFFF &&
           !(code_point >= 0xD800 && code_point < 0xE000);
    if (!good) {
      if (bad_offset != nullptr) *bad_offset = i;
      return false;
    }
    i += length;
  }
  return true;
}

}  // namespace clipglot
