// SentencePiece's precompiled character map (nmt_nfkc), applied as the Rust crate spm_precompiled
// does: that is what the fast tokenizer uses, and it differs from SentencePiece on grapheme
// clusters of several characters.
//
// Source: huggingface/spm_precompiled src/lib.rs and tokenizers src/normalizers/precompiled.rs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace clipglot {

class Charsmap {
 public:
  Charsmap() = default;
  // `blob`: length of the trie in bytes (u32), the trie (a Darts double array of u32), the
  // replacements (UTF-8, each ended by a zero byte). All little-endian, all untrusted. `what` names
  // the file in errors. Errors: kCorruptModel.
  static Result<Charsmap> Create(std::string_view what, std::string_view blob);

  // Appends the normalised `text` (well-formed UTF-8) to `out`: cluster by cluster; a cluster of
  // fewer than six bytes is looked up as a whole, and if nothing is found, or it is longer,
  // character by character. Errors: kCorruptModel if the text grows out of all proportion, which no
  // true map does.
  Status Append(std::string_view text, std::string* out) const;

 private:
  // The replacement of the *shortest* prefix of `key` that the map knows; upstream takes that one
  // for the whole key.
  std::optional<std::string_view> Lookup(std::string_view key) const;

  std::vector<uint32_t> trie_;
  std::string replacements_;
};

}  // namespace clipglot
