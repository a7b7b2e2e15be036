// Walking over text that is known to be well-formed UTF-8 (base/strings.h: IsUtf8), and the one
// character class that the tokenizer asks for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace clipglot {

// Bytes of the character whose first byte is `lead`.
inline size_t Utf8Length(char lead) {
  const auto byte = static_cast<uint8_t>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// The code point that starts at text[*at]; `*at` moves behind it. `text`: well-formed, *at <
// text.size(), at a character.
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

// Offset of the character that ends before text[end]. `end`: > 0, at a character or the end.
inline size_t PreviousCharacter(std::string_view text, size_t end) {
  do {
    --end;
  } while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80);
  return end;
}

// Unicode's White_Space property, which is Rust's char::is_whitespace and the \s of its regex
// crate.
constexpr bool IsWhiteSpace(char32_t c) {
  if (c <= 0x20) return c == 0x20 || (c >= 0x09 && c <= 0x0D);
  if (c < 0x1680) return c == 0x85 || c == 0xA0;
  return c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

}  // namespace clipglot
