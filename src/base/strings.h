// Error details and other short texts, put together without streams.
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace clipglot {

inline void AppendPiece(std::string& out, std::string_view piece) { out.append(piece); }
inline void AppendPiece(std::string& out, const char* piece) { out.append(piece); }
inline void AppendPiece(std::string& out, const std::string& piece) { out.append(piece); }
template <std::integral T>
void AppendPiece(std::string& out, T number) {
  char digits[24];
  auto [end, error] = std::to_chars(digits, digits + sizeof(digits), number);
  out.append(digits, end);
}

// StrCat("tensor ", name, ": ", rows, " rows"): texts and integers, one after another.
template <typename... Pieces>
std::string StrCat(const Pieces&... pieces) {
  std::string out;
  (AppendPiece(out, pieces), ...);
  return out;
}

// Six significant digits, as printf's %g.
std::string FormatDouble(double number);

// `text` as it may stand in an error detail: cut at `limit` bytes, control characters and bytes
// outside ASCII replaced by '?'. Names that come from a damaged file are shown through this.
std::string Printable(std::string_view text, size_t limit = 120);

}  // namespace clipglot
