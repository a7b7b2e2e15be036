// Finds added tokens ("<s>", "<mask>" ...) in a text: the leftmost, and of those that start there
// the longest.
//
// Source: huggingface/tokenizers src/tokenizer/added_vocabulary.rs (find_matches).
#pragma once

#include <string_view>
#include <vector>

#include "text/piece_trie.h"

namespace clipglot {

class AddedTokens {
 public:
  struct Token {
    int32_t id = 0;
    bool strip_left = false, strip_right = false;
  };
  // A stretch of the text: an added token's, or (id -1) one between them, not empty.
  struct Part {
    std::string_view text;
    int32_t id = -1;
  };

  AddedTokens() = default;
  // `contents[i]` stands for tokens[i].
  AddedTokens(const PieceList& contents, std::vector<Token> tokens)
      : trie_(contents), tokens_(std::move(tokens)) {}

  // The stretches of `text` (well-formed UTF-8) in order.
  std::vector<Part> Split(std::string_view text) const;

 private:
  PieceTrie trie_;
  std::vector<Token> tokens_;
};

}  // namespace clipglot
