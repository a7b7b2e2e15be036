#include "vision/png_text.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "vision/exif.h"

namespace clipglot {
namespace {

using Bytes = PngText::Bytes;

// PIL's MAX_TEXT_MEMORY.
constexpr uint64_t kMaxText = uint64_t{64} * kMaxPackedText;
// The orientation stands in the first directory: what comes after this much of a raw profile is
// previews.
constexpr size_t kMaxRawProfile = size_t{1} << 20;

Status Damaged(std::string_view what) {
  return {Code::kInvalidImage, StrCat("damaged PNG: ", what)};
}

std::string_view View(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What stands before the next zero byte; `*rest` loses it and the zero. False without a zero: all
// is the part then.
bool SplitAtZero(Bytes* rest, Bytes* part) {
  const auto zero = std::find(rest->begin(), rest->end(), std::byte{0});
  *part = rest->first(static_cast<size_t>(zero - rest->begin()));
  if (zero == rest->end()) {
    *rest = {};
    return false;
  }
  *rest = rest->subspan(part->size() + 1);
  return true;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// ImageMagick's "raw profile": a line feed, a name, a length, then hexadecimal lines. Empty if
// damaged.
std::string RawProfile(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const size_t end = text.find('\n');
    if (end == text.npos) return {};
    text.remove_prefix(end + 1);
  }
  std::string out;
  int high = -1;
  for (const char c : text) {
    if (out.size() == kMaxRawProfile) return out;
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      if (high >= 0 && c != '\n')
        return {};  // PIL joins the lines, but a space must not part two digits
      continue;
    }
    const int digit = HexDigit(c);
    if (digit < 0) return {};
    if (high < 0) {
      high = digit;
    } else {
      out.push_back(static_cast<char>(high << 4 | digit));
      high = -1;
    }
  }
  return high < 0 ? out : std::string();
}

}  // namespace

Status PngText::Keep(Bytes key, Text text) {
  if (key.empty()) return OkStatus();
  total_ += text.bytes.size();
  if (total_ > kMaxText) return Damaged("its texts are longer than 64 MiB together");
  if (View(key) == "Raw profile type exif")
    raw_exif_ = std::move(text);
  else if (View(key) == "XML:com.adobe.xmp")
    xmp_ = std::move(text);
  return OkStatus();
}

Status PngText::Exif(Bytes body) {
  exif_ = {body, nullptr};
  has_exif_ = true;
  return OkStatus();
}

Status PngText::Plain(Bytes body) {
  Bytes key;
  SplitAtZero(&body, &key);
  if (View(key) == "exif") {
    exif_ = {body, nullptr};
    has_exif_ = true;
  }
  return Keep(key, {body, nullptr});
}

Status PngText::Packed(Bytes body, StopCheck* stop) {
  Bytes key;
  SplitAtZero(&body, &key);
  if (body.empty()) return Keep(key, {});
  if (body[0] != std::byte{0}) return Damaged("a text is packed in an unknown way");
  CLIPGLOT_ASSIGN_OR_RETURN(UnpackedText text, UnpackText(body.subspan(1), stop));
  if (text.state == TextState::kTooLong) return Damaged("a text of more than 1 MiB");
  if (text.state == TextState::kDamaged) text.size = 0;
  auto owner = std::make_shared<const UnpackedText>(std::move(text));
  const Bytes bytes = owner->bytes();
  return Keep(key, {bytes, std::move(owner)});
}

Status PngText::International(Bytes body, StopCheck* stop) {
  Bytes key, part;
  if (!SplitAtZero(&body, &key) || body.size() < 2) return OkStatus();
  const bool packed = body[0] != std::byte{0}, known = body[1] == std::byte{0};
  body = body.subspan(2);
  if (!SplitAtZero(&body, &part) || !SplitAtZero(&body, &part))
    return OkStatus();  // language, translated key
  if (!packed) return Keep(key, {body, nullptr});
  if (!known) return OkStatus();
  CLIPGLOT_ASSIGN_OR_RETURN(UnpackedText text, UnpackText(body, stop));
  if (text.state == TextState::kTooLong) return Damaged("a text of more than 1 MiB");
  if (text.state == TextState::kDamaged) return OkStatus();
  auto owner = std::make_shared<const UnpackedText>(std::move(text));
  const Bytes bytes = owner->bytes();
  return Keep(key, {bytes, std::move(owner)});
}

Status PngText::ColorProfile(Bytes body, StopCheck* stop) {
  Bytes name, rest = body;
  // PIL looks at the first byte if no zero ends the name.
  if (!SplitAtZero(&rest, &name)) rest = body;
  if (rest.empty() || rest[0] != std::byte{0})
    return Damaged("a colour profile is packed in an unknown way");
  CLIPGLOT_ASSIGN_OR_RETURN(const UnpackedText profile, UnpackText(rest.subspan(1), stop));
  if (profile.state == TextState::kTooLong) return Damaged("a colour profile of more than 1 MiB");
  return OkStatus();
}

int PngText::orientation() const {
  if (has_exif_) return OrientationOf(exif_.bytes, View(xmp_.bytes));
  const std::string raw = RawProfile(View(raw_exif_.bytes));
  return OrientationOf(std::as_bytes(std::span(raw)), View(xmp_.bytes));
}

}  // namespace clipglot
