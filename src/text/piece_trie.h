// Texts with numbers, and a byte trie over them: which of them start here?
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace clipglot {

// Texts one after another in one buffer. A text's number is its place.
class PieceList {
 public:
  // Limits for what comes from a file; XLM-RoBERTa has 250,002 pieces of 2.3 MB, the longest of 48
  // bytes.
  static constexpr size_t kMaxPieces = 4'000'000;
  static constexpr size_t kMaxPieceBytes = 1024;
  static constexpr size_t kMaxTotalBytes = size_t{16} << 20;

  // Errors: kUnsupportedModel, naming the limit.
  Status Add(std::string_view piece);
  size_t size() const { return ends_.size(); }
  std::string_view operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(bytes_).substr(begin, ends_[i] - begin);
  }
  size_t longest() const { return longest_; }  // bytes

 private:
  std::string bytes_;
  std::vector<uint32_t> ends_;
  size_t longest_ = 0;
};

// Nodes in breadth-first order: the children of a node lie side by side, sorted by byte, and end
// where those of the next node begin. Nine bytes a node, built by sorting; immutable and
// thread-safe afterwards.
class PieceTrie {
 public:
  PieceTrie() = default;
  // Of equal texts the last one's number counts, as in a hash map that is filled in order. The
  // empty text is never found.
  explicit PieceTrie(const PieceList& pieces);

  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNone = UINT32_MAX;
  // The node reached from `node` by `byte`, or kNone.
  uint32_t Child(uint32_t node, char byte) const;
  // The number of the text that ends at `node`, or -1.
  int32_t Number(uint32_t node) const { return numbers_[node]; }

  // The number of `text`, or -1.
  int32_t Find(std::string_view text) const;
  // The longest text that `text` starts with: its number, and its bytes in `*length`. -1 if there
  // is none.
  int32_t FindLongest(std::string_view text, size_t* length) const;

 private:
  std::vector<uint32_t> first_child_ = {1, 1};  // one more than nodes
  std::vector<uint8_t> label_ = {0};
  std::vector<int32_t> numbers_ = {-1};
};

}  // namespace clipglot
