#include "text/grapheme.h"

#include <utf8proc.h>
#include "base/utf8.h"

#include <algorithm>
#include <iterator>

namespace clipglot {
namespace {

// utf8proc 2.8 knows Unicode 15.0; the tokenizers that the golden ids come from know 16.0. What
// differs where it can change ids: rule GB9c of Unicode 15.1 (below), and one new mark, which
// behaves as its older neighbour.
char32_t Known(char32_t c) { return c == 0x0897 ? 0x0898 : c; }

// Property Indic_Conjunct_Break (Unicode 16, DerivedCoreProperties.txt).
struct CodePointRange {
  char16_t first, last;
};
constexpr CodePointRange kConsonants[] = {
    {0x915, 0x939}, {0x958, 0x95F}, {0x978, 0x97F}, {0x995, 0x9A8}, {0x9AA, 0x9B0}, {0x9B2, 0x9B2},
    {0x9B6, 0x9B9}, {0x9DC, 0x9DD}, {0x9DF, 0x9DF}, {0x9F0, 0x9F1}, {0xA95, 0xAA8}, {0xAAA, 0xAB0},
    {0xAB2, 0xAB3}, {0xAB5, 0xAB9}, {0xAF9, 0xAF9}, {0xB15, 0xB28}, {0xB2A, 0xB30}, {0xB32, 0xB33},
    {0xB35, 0xB39}, {0xB5C, 0xB5D}, {0xB5F, 0xB5F}, {0xB71, 0xB71}, {0xC15, 0xC28}, {0xC2A, 0xC39},
    {0xC58, 0xC5A}, {0xD15, 0xD3A}};

bool IsConsonant(char32_t c) {
  if (c < kConsonants[0].first || c > std::end(kConsonants)[-1].last) return false;
  const auto* range =
      std::lower_bound(std::begin(kConsonants), std::end(kConsonants), c,
                       [](const CodePointRange& r, char32_t value) { return r.last < value; });
  return c >= range->first;
}

bool IsLinker(char32_t c) {
  return c == 0x94D || c == 0x9CD || c == 0xACD || c == 0xB4D || c == 0xC4D || c == 0xD4D;
}

bool IsConjunctExtend(char32_t c) {
  if (c == 0x200C) return false;
  const auto kind = utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->boundclass;
  return kind == UTF8PROC_BOUNDCLASS_EXTEND || kind == UTF8PROC_BOUNDCLASS_ZWJ;
}

// GB9c: no boundary before a consonant that follows a consonant, marks and, among these, at least
// one linker.
class Conjunct {
 public:
  explicit Conjunct(char32_t first) { Next(first); }
  bool Joins(char32_t next) const { return state_ == State::kLinked && IsConsonant(next); }
  void Next(char32_t c) {
    if (IsConsonant(c)) {
      state_ = State::kConsonant;
    } else if (state_ != State::kNone) {
      state_ = IsLinker(c) ? State::kLinked : IsConjunctExtend(c) ? state_ : State::kNone;
    }
  }

 private:
  enum class State { kNone, kConsonant, kLinked };
  State state_ = State::kNone;
};

}  // namespace

size_t GraphemeEnd(std::string_view text, size_t begin) {
  size_t end = begin;
  char32_t last = Known(NextCodePoint(text, &end));
  Conjunct conjunct(last);
  utf8proc_int32_t state = 0;
  while (end < text.size()) {
    size_t after = end;
    const char32_t next = Known(NextCodePoint(text, &after));
    if (last < 0x80 && next < 0x80 && last != '\r') break;
    // Must see every pair, since it keeps a state.
    const bool boundary = utf8proc_grapheme_break_stateful(
        static_cast<utf8proc_int32_t>(last), static_cast<utf8proc_int32_t>(next), &state);
    if (boundary && !conjunct.Joins(next)) break;
    conjunct.Next(next);
    last = next;
    end = after;
  }
  return end;
}

}  // namespace clipglot
