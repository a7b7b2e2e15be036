#include "text/grapheme.h"

#include <utf8proc.h>

#include "text/utf8.h"

namespace clipglot {

size_t GraphemeEnd(std::string_view text, size_t begin) {
  size_t end = begin;
  char32_t last = NextCodePoint(text, &end);
  utf8proc_int32_t state = 0;
  while (end < text.size()) {
    size_t behind = end;
    const char32_t next = NextCodePoint(text, &behind);
    if (last < 0x80 && next < 0x80 && last != '\r') break;
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(last), static_cast<utf8proc_int32_t>(next), &state)) break;
    last = next;
    end = behind;
  }
  return end;
}

}  // namespace clipglot
