// The one character class that the tokenizer asks for.
#pragma once

namespace clipglot {

// Unicode's White_Space property, which is Rust's char::is_whitespace and the \s of its regex
// crate.
constexpr bool IsWhiteSpace(char32_t c) {
  if (c <= 0x20) return c == 0x20 || (c >= 0x09 && c <= 0x0D);
  if (c < 0x1680) return c == 0x85 || c == 0xA0;
  return c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

}  // namespace clipglot
