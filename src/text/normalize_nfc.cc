#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

namespace clipglot {
namespace {

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

int CombiningClass(utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; }

}  // namespace

Result<std::string> NormalizeNfc(std::string_view utf8) {
  if (size_t bad = 0; !IsUtf8(utf8, &bad))
    return Status(Code::kInvalidText, StrCat("not UTF-8 at byte ", bad));
  if (IsAscii(utf8)) return std::string(utf8);

  std::vector<utf8proc_int32_t> code_points;
  code_points.reserve(utf8.size());
  for (size_t at = 0; at < utf8.size();) {
    const auto c = static_cast<utf8proc_int32_t>(NextCodePoint(utf8, &at));
    utf8proc_int32_t parts[8];  // canonical decompositions have four at most
    int last_class = 0;
    const auto count = utf8proc_decompose_char(c, parts, 8, UTF8PROC_DECOMPOSE, &last_class);
    if (count < 0 || count > 8)
      return Status(Code::kInternal, StrCat("U+", static_cast<int>(c), " does not decompose"));
    code_points.insert(code_points.end(), parts, parts + count);
  }
  // Canonical order. utf8proc's own loop takes quadratic time on long runs of marks.
  for (auto begin = code_points.begin(); begin != code_points.end();) {
    if (CombiningClass(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end =
        std::find_if(begin, code_points.end(), [](auto c) { return CombiningClass(c) == 0; });
    std::stable_sort(begin, end,
                     [](auto a, auto b) { return CombiningClass(a) < CombiningClass(b); });
    begin = end;
  }
  const auto length = utf8proc_normalize_utf32(
      code_points.data(), static_cast<utf8proc_ssize_t>(code_points.size()),
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (length < 0) return Status(Code::kInternal, "utf8proc cannot compose the text");
  std::string out;
  out.reserve(utf8.size());
  for (utf8proc_ssize_t i = 0; i < length; ++i) {
    utf8proc_uint8_t bytes[4];
    const auto count = utf8proc_encode_char(code_points[static_cast<size_t>(i)], bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
  }
  return out;
}

}  // namespace clipglot
