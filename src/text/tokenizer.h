// Text to token ids, exactly as the Hugging Face fast tokenizer of XLM-RoBERTa does (the model was
// trained with it).
//
// Takes: UTF-8. Gives: ids with <s> and </s>. Never guesses: input that is not UTF-8 is refused.
// Thread-safe after creation (const methods only).
//
// How a text becomes tokens: added tokens such as <mask> are cut out; each stretch between them is
// normalised (precompiled character map), split into words at white space or at U+2581, and each
// word into the pieces with the best sum of scores. Source: huggingface/tokenizers 0.22 (Rust) and
// the crate spm_precompiled, followed to the last tie and oddity.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace clipglot {

struct Encoding {
  std::vector<int32_t> ids;   // <s> ... </s>, at most max_tokens
  size_t total_tokens = 0;    // length before cutting, both ends included
  bool truncated = false;     // ids is shorter than total_tokens
  size_t unknown_tokens = 0;  // of ids, those that stand for what the vocabulary does not have
};

class Tokenizer {
 public:
  // `name`: the file's name, which decides the format: *.json is an XLM-R tokenizer.json (both
  // published shapes), else a sentencepiece .model. `file`: its whole content; not kept. Errors:
  // kCorruptModel, kUnsupportedModel (another tokenizer type, normaliser or pre-tokenizer), naming
  // the part.
  static Result<std::unique_ptr<Tokenizer>> Create(std::string_view name,
                                                   std::span<const std::byte> file);
  virtual ~Tokenizer() = default;

  // `utf8`: at most 16 MiB. `max_tokens`: at least 2; truncation keeps </s> and drops pieces from
  // the right. Errors: kInvalidText (byte offset of the first bad byte), kInvalidArgument.
  virtual Result<Encoding> Encode(std::string_view utf8, size_t max_tokens) const = 0;
  virtual size_t vocab_size() const = 0;  // highest id + 1
  virtual int32_t bos_id() const = 0;
  virtual int32_t pad_id() const = 0;
  virtual int32_t eos_id() const = 0;
};

// `utf8` in Unicode normalisation form C. macOS gives file names decomposed, which the tokenizer
// was not trained on. Errors: kInvalidText.
Result<std::string> NormalizeNfc(std::string_view utf8);

}  // namespace clipglot
