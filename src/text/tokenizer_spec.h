// What a tokenizer file says, in one form for both formats. Made by the two readers, used up by
// Tokenizer::Create.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/piece_trie.h"

namespace clipglot {

// A text that is found as a whole before the text around it is segmented, e.g. "<mask>".
struct AddedToken {
  std::string content;
  bool strip_left = false;   // eats white space before it
  bool strip_right = false;  // and after it
  bool normalized = false;   // sought in the normalised text, not in the raw one
  std::optional<int64_t> id =
      {};  // as the file states it; what counts is the content's place in the vocabulary
};

// One step of the normaliser; steps run in order.
struct NormalizerStep {
  enum class Kind {
    kCharsmap,       // the precompiled character map
    kStrip,          // white space at the ends
    kReplaceSpaces,  // two or more spaces become `content`
  };
  Kind kind = Kind::kCharsmap;
  bool strip_left = false, strip_right = false;
  std::string content = {};
};

struct TokenizerSpec {
  PieceList pieces;  // a piece's id is its place
  std::vector<double> scores;
  int64_t unk_id = 0;
  std::vector<AddedToken> added;  // in the file's order

  std::vector<NormalizerStep> steps;
  std::string charsmap;  // the precompiled map's bytes, for steps of that kind

  bool split_white_space =
      false;                   // words end at any white space, which is dropped (the older shape)
  bool prefix = true;          // each piece of text gets a leading U+2581 unless it has one
  bool split_at_marks = true;  // words start at each U+2581

  // Before, after and between texts; only content and id count.
  AddedToken bos = {.content = "<s>"}, eos = {.content = "</s>"}, pad = {.content = "<pad>"};
};

// `what` names the file in errors. Errors: kCorruptModel, kUnsupportedModel, naming the part.
Result<TokenizerSpec> ReadTokenizerJson(std::string_view what, std::string_view text);
// As Hugging Face's converter makes a fast tokenizer of it (the older shape): fairseq's ids 0 <s>,
// 1 <pad>, 2 </s>, 3 <unk>, then SentencePiece's k as k + 1, <mask> last.
Result<TokenizerSpec> ReadSentencePieceModel(std::string_view what, std::string_view bytes);

}  // namespace clipglot
