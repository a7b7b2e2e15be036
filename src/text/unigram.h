// Unigram segmentation: the pieces of the vocabulary whose scores add up to the most.
//
// Follows encode_optimized of Hugging Face's Rust `tokenizers` (src/models/unigram/model.rs, 0.22)
// to the last tie: sums in float64 from left to right, of two equal sums the one that starts
// further left stays.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/piece_trie.h"

namespace clipglot {

// Where ids go: kept up to `room`, counted beyond.
struct IdSink {
  std::vector<int32_t> ids;
  size_t room = 0;
  size_t total = 0;
  void Push(int32_t id) {
    if (total++ < room) ids.push_back(id);
  }
};

class Unigram {
 public:
  // Buffers of Encode, kept between words.
  struct Scratch {
    std::vector<uint16_t> step;
    std::vector<double> score;
  };

  Unigram() = default;
  // `pieces`, `scores`: one score (a log probability, finite) a piece; a piece's id is its place.
  // `unk_id`: below the number of pieces. `what` names the file in errors. Errors: kCorruptModel.
  static Result<Unigram> Create(std::string_view what, const PieceList& pieces,
                                std::vector<double> scores, int64_t unk_id);

  // Appends the ids of `word` (well-formed UTF-8). A character without a piece costs min(scores) -
  // 10; neighbours of that kind share one <unk>. Time is linear in the bytes of `word` times the
  // longest piece; `scratch` holds two bytes a byte.
  void Encode(std::string_view word, Scratch* scratch, IdSink* sink) const;

  // The id of `piece`, or -1.
  int32_t Find(std::string_view piece) const { return trie_.Find(piece); }
  size_t size() const { return scores_.size(); }
  int32_t unk_id() const { return unk_id_; }

 private:
  void FindBestPath(std::string_view word, Scratch* scratch) const;

  PieceTrie trie_;
  std::vector<double> scores_;
  double unk_score_ = 0;
  int32_t unk_id_ = 0;
  size_t ring_mask_ = 0;
};

}  // namespace clipglot
