// Shared by the targets of the tokenizer's files.
#pragma once

#include <memory>

#include "fuzz.h"
#include "text/tokenizer.h"

namespace clipglot::fuzz {

// Texts that meet every step: spaces of several kinds, added tokens, composed and decomposed
// letters, several scripts, an emoji of several code points, what no vocabulary has.
inline constexpr std::string_view kTexts[] = {
    "",
    "a",
    "  Hello,\tworld  <mask>\n\n",
    "\xE2\x96\x81the\xE2\x96\x81 <s></s> \xC3\xA9 e\xCC\x81 \xEF\xAC\x81 \xC2\xBD",
    "\xE4\xBD\xA0\xE5\xA5\xBD\xE3\x80\x82\xD9\x85\xD8\xB1\xD8\xAD\xE0\xA4\xA8\xE0\xA4\xAE",
    "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7\xF3\xA0\x81\xBF \xEF\xBF\xBD "
    "aaaaaaaaaaaaaaaaaaaa"};

inline void CheckEncoding(const Tokenizer& tokenizer, const Encoding& encoding, size_t max_tokens) {
  FUZZ_CHECK(encoding.ids.size() >= 2 && encoding.ids.size() <= max_tokens);
  FUZZ_CHECK(encoding.total_tokens >= encoding.ids.size());
  FUZZ_CHECK(encoding.truncated == (encoding.total_tokens > encoding.ids.size()));
  FUZZ_CHECK(encoding.unknown_tokens <= encoding.ids.size());
  for (const int32_t id : encoding.ids)
    FUZZ_CHECK(id >= 0 && static_cast<size_t>(id) < tokenizer.vocab_size());
}

// A file is refused with a reason, or makes a tokenizer that encodes anything.
inline void ReadTokenizer(std::string_view name, std::span<const std::byte> file) {
  const Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::Create(name, file);
  if (!tokenizer.ok()) {
    CheckModelError(tokenizer.status());
    return;
  }
  for (const std::string_view text : kTexts) {
    for (const size_t max_tokens : {size_t{5}, size_t{1} << 20}) {
      const Result<Encoding> encoding = (*tokenizer)->Encode(text, max_tokens);
      if (encoding.ok()) {
        CheckEncoding(**tokenizer, *encoding, max_tokens);
      } else {
        CheckModelError(encoding.status());
      }
    }
  }
}

}  // namespace clipglot::fuzz
