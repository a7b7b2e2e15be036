#include "base/strings.h"

#include <algorithm>
#include <cstdio>

namespace clipglot {

std::string FormatDouble(double number) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", number);
  return text;
}

std::string Printable(std::string_view text, size_t limit) {
  std::string out(text.substr(0, limit));
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7F; }, '?');
  if (text.size() > limit) out += "...";
  return out;
}

}  // namespace clipglot
