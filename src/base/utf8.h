// UTF-8: checking text from outside, and iterating over text that is known to be well-formed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace clipglot {

// True if `text` is well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). On
// false, `*bad_offset` (may be null) is the offset of the first malformed sequence.
bool IsUtf8(std::string_view text, size_t* bad_offset);

// Bytes of the character whose first byte is `lead`.
inline size_t Utf8Length(char lead) {
  const auto byte = static_cast<uint8_t>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// The code point that starts at text[*at]; `*at` moves past it. `text`: well-formed; *at <
// text.size(), at the start of a character.
inline char32_t NextCodePoint(std::string_view text, size_t* at) {
  const size_t length = Utf8Length(text[*at]);
  char32_t out = static_cast<uint8_t>(text[*at]);
  if (length > 1) {
    out &= 0x7Fu >> length;
    for (size_t i = 1; i < length; ++i)
      out = (out << 6) | (static_cast<uint8_t>(text[*at + i]) & 0x3Fu);
  }
  *at += length;
  return out;
}

// Offset of the character that ends before text[end]. `end`: > 0, at the start of a character or
// the end of the text.
inline size_t PreviousCharacter(std::string_view text, size_t end) {
  do {
    --end;
  } while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80);
  return end;
}

}  // namespace clipglot
