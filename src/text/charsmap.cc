#include "text/charsmap.h"

#include "base/strings.h"
#include "base/utf8.h"
#include "text/grapheme.h"

namespace clipglot {
namespace {

constexpr size_t kMaxClusterBytes = 5;
// Unicode's NFKC makes 33 bytes of 3 at most (U+FDFA).
constexpr size_t kMaxGrowth = 16;

// A unit of the double array (darts-clone).
bool HasLeaf(uint32_t unit) { return (unit >> 8) & 1; }
uint32_t Value(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t Label(uint32_t unit) { return unit & 0x800000FF; }
uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }

uint32_t ReadU32(std::string_view bytes, size_t at) {
  uint32_t out = 0;
  for (size_t i = 0; i < 4; ++i) out |= uint32_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  return out;
}

}  // namespace

Result<Charsmap> Charsmap::Create(std::string_view what, std::string_view blob) {
  const uint32_t trie_bytes = blob.size() < 4 ? 0 : ReadU32(blob, 0);
  if (trie_bytes == 0 || trie_bytes % 4 != 0 || trie_bytes > blob.size() - 4) {
    return Status(Code::kCorruptModel, StrCat(what, ": character map of ", blob.size(),
                                              " bytes claims a trie of ", trie_bytes));
  }
  Charsmap out;
  out.trie_.reserve(trie_bytes / 4);
  for (size_t i = 0; i < trie_bytes; i += 4) out.trie_.push_back(ReadU32(blob, 4 + i));
  out.replacements_ = blob.substr(4 + size_t{trie_bytes});
  if (size_t bad; !IsUtf8(out.replacements_, &bad)) {
    return Status(Code::kCorruptModel,
                  StrCat(what, ": the character map's replacements are not UTF-8 at byte ", bad));
  }
  return out;
}

std::optional<std::string_view> Charsmap::Lookup(std::string_view key) const {
  // Nothing in the array is trusted: every step is checked, and a broken one is "not found".
  size_t node = Offset(trie_[0]);
  for (const char byte : key) {
    if (byte == 0) break;
    node ^= static_cast<uint8_t>(byte);
    if (node >= trie_.size() || Label(trie_[node]) != static_cast<uint8_t>(byte)) break;
    const uint32_t unit = trie_[node];
    node ^= Offset(unit);
    if (!HasLeaf(unit)) continue;
    if (node >= trie_.size()) break;
    const size_t begin = Value(trie_[node]);
    if (begin > replacements_.size()) break;
    const std::string_view rest = std::string_view(replacements_).substr(begin);
    if (!rest.empty() && (static_cast<uint8_t>(rest[0]) & 0xC0) == 0x80)
      break;  // inside a character
    return rest.substr(0, rest.find('\0'));
  }
  return std::nullopt;
}

Status Charsmap::Append(std::string_view text, std::string* out) const {
  const size_t limit = out->size() + kMaxGrowth * text.size();
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = GraphemeEnd(text, begin);
    const std::string_view cluster = text.substr(begin, end - begin);
    begin = end;
    const auto whole = cluster.size() <= kMaxClusterBytes ? Lookup(cluster) : std::nullopt;
    if (whole) {
      out->append(*whole);
    } else {
      for (size_t at = 0; at < cluster.size();) {
        const std::string_view character = cluster.substr(at, Utf8Length(cluster[at]));
        out->append(Lookup(character).value_or(character));
        at += character.size();
      }
    }
    if (out->size() > limit)
      return Status(Code::kCorruptModel, "the tokenizer's character map makes texts too long");
  }
  return OkStatus();
}

}  // namespace clipglot
