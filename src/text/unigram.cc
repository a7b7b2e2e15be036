#include "text/unigram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/strings.h"
#include "base/utf8.h"

namespace clipglot {
namespace {

constexpr double kUnknownPenalty = 10.0;

}  // namespace

Result<Unigram> Unigram::Create(std::string_view what, const PieceList& pieces,
                                std::vector<double> scores, int64_t unk_id) {
  if (pieces.size() != scores.size() || pieces.size() == 0) {
    return Status(Code::kCorruptModel,
                  StrCat(what, ": ", pieces.size(), " pieces, ", scores.size(), " scores"));
  }
  if (unk_id < 0 || unk_id >= static_cast<int64_t>(pieces.size())) {
    return Status(Code::kCorruptModel,
                  StrCat(what, ": the unknown id ", unk_id, " is not in the vocabulary"));
  }
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!std::isfinite(scores[i]))
      return Status(Code::kCorruptModel,
                    StrCat(what, ": the score of piece ", i, " is not finite"));
  }
  Unigram out;
  out.trie_ = PieceTrie(pieces);
  out.unk_score_ = *std::min_element(scores.begin(), scores.end()) - kUnknownPenalty;
  out.unk_id_ = static_cast<int32_t>(unk_id);
  out.scores_ = std::move(scores);
  // An unknown character counts as a piece of up to four bytes.
  out.ring_mask_ = std::bit_ceil(std::max<size_t>(pieces.longest(), 4) + 1) - 1;
  return out;
}

// Leaves in scratch->step[i] the length of the best path's piece that starts at byte i, for every
// such i.
void Unigram::FindBestPath(std::string_view word, Scratch* scratch) const {
  // step[end]: length of the last piece of the best path to `end`, 0 while none is known. Scores
  // are needed only as far ahead as the longest piece reaches, hence a ring.
  std::vector<uint16_t>& step = scratch->step;
  step.assign(word.size() + 1, 0);
  if (scratch->score.size() <= ring_mask_) scratch->score.resize(ring_mask_ + 1);
  double* const score = scratch->score.data();
  score[0] = 0;

  const auto offer = [&](size_t end, size_t length, double candidate) {
    double& best = score[end & ring_mask_];
    if (step[end] != 0 && !(candidate > best)) return;
    best = candidate;
    step[end] = static_cast<uint16_t>(length);
  };

  for (size_t begin = 0; begin < word.size();) {
    const double score_here = score[begin & ring_mask_];
    const size_t character = Utf8Length(word[begin]);
    bool known = false;
    uint32_t node = PieceTrie::kRoot;
    for (size_t end = begin; end < word.size();) {
      node = trie_.Child(node, word[end++]);
      if (node == PieceTrie::kNone) break;
      const int32_t id = trie_.Number(node);
      if (id < 0) continue;
      offer(end, end - begin, scores_[static_cast<size_t>(id)] + score_here);
      known |= end - begin == character;
    }
    if (!known) offer(begin + character, character, unk_score_ + score_here);
    begin += character;
  }

  // Turn the chain around in place.
  for (size_t end = word.size(), length = step[end]; end > 0;) {
    const size_t begin = end - length;
    const uint16_t previous = step[begin];
    step[begin] = static_cast<uint16_t>(length);
    end = begin;
    length = previous;
  }
}

void Unigram::Encode(std::string_view word, Scratch* scratch, IdSink* sink) const {
  FindBestPath(word, scratch);
  const std::vector<uint16_t>& step = scratch->step;
  size_t unknown_begin = 0,
         unknown_end = 0;  // the run of unknown characters, empty if none is open
  const auto close_run = [&] {
    if (unknown_begin == unknown_end) return;
    // Upstream looks the run up as one text.
    const int32_t id = trie_.Find(word.substr(unknown_begin, unknown_end - unknown_begin));
    sink->Push(id >= 0 ? id : unk_id_);
    unknown_begin = unknown_end;
  };
  for (size_t at = 0; at < word.size(); at += step[at]) {
    // A character was taken as unknown only if it is no piece, so the id need not be stored.
    const int32_t id = trie_.Find(word.substr(at, step[at]));
    if (id < 0 || id == unk_id_) {
      if (unknown_begin == unknown_end) unknown_begin = at;
      unknown_end = at + step[at];
      continue;
    }
    close_run();
    sink->Push(id);
  }
  close_run();
}

}  // namespace clipglot
