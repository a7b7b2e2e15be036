#include "text/added_tokens.h"

#include <algorithm>
#include "base/utf8.h"
#include "text/white_space.h"

namespace clipglot {
namespace {

// Where the white space before text[end] begins, but not before `floor`.
size_t SpaceBegin(std::string_view text, size_t floor, size_t end) {
  while (end > floor) {
    size_t at = PreviousCharacter(text, end);
    const size_t begin = at;
    if (!IsWhiteSpace(NextCodePoint(text, &at))) break;
    end = begin;
  }
  return end;
}

size_t SpaceEnd(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    size_t end = begin;
    if (!IsWhiteSpace(NextCodePoint(text, &end))) break;
    begin = end;
  }
  return begin;
}

}  // namespace

std::vector<AddedTokens::Part> AddedTokens::Split(std::string_view text) const {
  std::vector<Part> parts;
  size_t done = 0;  // up to here the text is in parts
  for (size_t at = 0; at < text.size();) {
    size_t length = 0;
    const int32_t found = tokens_.empty() ? -1 : trie_.FindLongest(text.substr(at), &length);
    if (found < 0) {
      at += Utf8Length(text[at]);
      continue;
    }
    const Token& token = tokens_[static_cast<size_t>(found)];
    size_t begin = at, end = at + length;
    at = end;
    if (token.strip_left) begin = SpaceBegin(text, done, begin);
    if (token.strip_right) end = SpaceEnd(text, end);
    if (done < begin) parts.push_back({text.substr(done, begin - done), -1});
    parts.push_back({text.substr(begin, end - begin), token.id});
    done = end;
  }
  if (done < text.size()) parts.push_back({text.substr(done), -1});
  return parts;
}

}  // namespace clipglot
