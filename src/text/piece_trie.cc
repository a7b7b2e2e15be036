#include "text/piece_trie.h"

#include <algorithm>

#include "base/strings.h"

namespace clipglot {

Status PieceList::Add(std::string_view piece) {
  if (piece.size() > kMaxPieceBytes) {
    return Status(Code::kUnsupportedModel, StrCat("piece ", size(), " has ", piece.size(),
                                                  " bytes, at most ", kMaxPieceBytes, " allowed"));
  }
  if (size() >= kMaxPieces) {
    return Status(Code::kUnsupportedModel, StrCat("more than ", kMaxPieces, " pieces"));
  }
  if (bytes_.size() + piece.size() > kMaxTotalBytes) {
    return Status(Code::kUnsupportedModel,
                  StrCat("the pieces have more than ", kMaxTotalBytes, " bytes"));
  }
  bytes_.append(piece);
  ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  longest_ = std::max(longest_, piece.size());
  return OkStatus();
}

namespace {

// The first eight bytes, in an order that agrees with that of the texts.
uint64_t HeadOf(std::string_view text) {
  uint64_t head = 0;
  for (size_t i = 0; i < 8; ++i)
    head = head << 8 | (i < text.size() ? static_cast<uint8_t>(text[i]) : 0);
  return head;
}

// A piece to be sorted: by its first eight bytes as a number, and by the whole text only where
// these are equal.
struct Key {
  uint64_t head;
  uint32_t place, size;
};
// The texts below a node of one level, as a range of the sorted keys.
struct Range {
  uint32_t begin, end;
};

// A browser's engine runs a function in its slow first code until the function is called again,
// however long its loops are: so what is done for each piece and each node is a function of its
// own.
[[gnu::noinline]] Key KeyOf(const PieceList& pieces, uint32_t place) {
  const std::string_view text = pieces[place];
  return {HeadOf(text), place, static_cast<uint32_t>(text.size())};
}

[[gnu::noinline]] bool Before(const PieceList& pieces, const Key& a, const Key& b) {
  if (a.head != b.head) return a.head < b.head;
  const int compared = pieces[a.place].compare(pieces[b.place]);
  return compared != 0 ? compared < 0 : a.place < b.place;
}

uint8_t ByteOf(const PieceList& pieces, const Key& key, size_t at) {
  return static_cast<uint8_t>(at < 8 ? key.head >> (56 - 8 * at) : pieces[key.place][at]);
}

// Gives the number of the piece that ends at the node of `range`, or -1, and appends its children:
// their labels and their ranges.
[[gnu::noinline]] int32_t AddNode(const PieceList& pieces, const std::vector<Key>& order,
                                  Range range, size_t depth, std::vector<uint8_t>& labels,
                                  std::vector<Range>& children) {
  int32_t number = -1;
  // Shorter texts sort first, so those that end here lead the range.
  while (range.begin < range.end && order[range.begin].size == depth)
    number = static_cast<int32_t>(order[range.begin++].place);
  while (range.begin < range.end) {
    const uint8_t byte = ByteOf(pieces, order[range.begin], depth);
    uint32_t end = range.begin + 1;
    while (end < range.end && ByteOf(pieces, order[end], depth) == byte) ++end;
    labels.push_back(byte);
    children.push_back({range.begin, end});
    range.begin = end;
  }
  return depth == 0 ? -1 : number;
}

}  // namespace

PieceTrie::PieceTrie(const PieceList& pieces) {
  std::vector<Key> order(pieces.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = KeyOf(pieces, i);
  std::sort(order.begin(), order.end(),
            [&](const Key& a, const Key& b) { return Before(pieces, a, b); });

  first_child_.clear();
  label_ = {0};
  numbers_.clear();
  std::vector<Range> level, next;
  level.push_back({0, static_cast<uint32_t>(order.size())});
  for (size_t depth = 0; !level.empty(); ++depth, level.swap(next)) {
    next.clear();
    for (const Range range : level) {
      first_child_.push_back(static_cast<uint32_t>(label_.size()));
      numbers_.push_back(AddNode(pieces, order, range, depth, label_, next));
    }
  }
  first_child_.push_back(static_cast<uint32_t>(label_.size()));
  label_.shrink_to_fit();
  first_child_.shrink_to_fit();
  numbers_.shrink_to_fit();
}

uint32_t PieceTrie::Child(uint32_t node, char byte) const {
  const auto begin = label_.begin() + first_child_[node];
  const auto end = label_.begin() + first_child_[node + 1];
  const auto found = std::lower_bound(begin, end, static_cast<uint8_t>(byte));
  return found == end || *found != static_cast<uint8_t>(byte)
             ? kNone
             : static_cast<uint32_t>(found - label_.begin());
}

int32_t PieceTrie::Find(std::string_view text) const {
  uint32_t node = kRoot;
  for (const char byte : text) {
    node = Child(node, byte);
    if (node == kNone) return -1;
  }
  return Number(node);
}

int32_t PieceTrie::FindLongest(std::string_view text, size_t* length) const {
  int32_t best = -1;
  uint32_t node = kRoot;
  for (size_t i = 0; i < text.size(); ++i) {
    node = Child(node, text[i]);
    if (node == kNone) break;
    if (Number(node) >= 0) {
      best = Number(node);
      *length = i + 1;
    }
  }
  return best;
}

}  // namespace clipglot
