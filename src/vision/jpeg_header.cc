#include "vision/jpeg_header.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/strings.h"
#include "vision/exif.h"

namespace clipglot {
namespace {

using namespace std::string_view_literals;

Status Damaged(std::string_view what) {
  return {Code::kInvalidImage, StrCat("damaged JPEG: ", what)};
}

std::string_view Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

uint32_t Byte(std::string_view body, size_t at) { return static_cast<uint8_t>(body[at]); }
uint32_t U16(std::string_view body, size_t at) { return Byte(body, at) << 8 | Byte(body, at + 1); }
uint32_t U32(std::string_view body, size_t at) { return U16(body, at) << 16 | U16(body, at + 2); }
bool Has(std::string_view body, uint64_t at, uint64_t count) { return at + count <= body.size(); }

// PIL reads the settings that Photoshop wrote and gives up on the file where a name is cut off.
Status CheckPhotoshop(std::string_view body) {
  uint64_t at = 14;
  while (Has(body, at, 4) && body.substr(static_cast<size_t>(at), 4) == "8BIM") {
    at += 4;
    if (!Has(body, at, 2)) break;
    at += 2;
    if (!Has(body, at, 1)) return Damaged("its Photoshop segment is cut");
    at += 1 + Byte(body, static_cast<size_t>(at));
    at += at & 1;
    if (!Has(body, at, 4)) break;
    at += 4 + uint64_t{U32(body, static_cast<size_t>(at))};
    at += at & 1;
  }
  return OkStatus();
}

// Is `marker` (its second byte) the start of a frame header of any kind?
bool IsFrame(uint32_t marker) {
  return (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) ||
         marker == 0xde;
}

// Markers that stand alone, and those that PIL takes for such.
bool IsAlone(uint32_t marker) {
  return marker == 0xc8 || (marker >= 0xd0 && marker <= 0xd9) || (marker >= 0xf0 && marker <= 0xfd);
}

// Walks over the segments; a class for what they add up to.
class Walk {
 public:
  // A segment's body, without marker and length.
  Status Segment(uint32_t marker, std::string_view body) {
    if (IsFrame(marker)) return Frame(body);
    switch (marker) {
      case 0xdb:
        return QuantisationTables(body);
      case 0xe0:
        if (body.starts_with("JFIF") && body.size() < 7) return Damaged("its JFIF segment is cut");
        break;
      case 0xe1:
        if (body.starts_with("Exif\0"sv)) {
          if (out_.exif.empty()) out_.exif = std::as_bytes(std::span(body));
        } else if (body.starts_with("http://ns.adobe.com/xap/1.0/\0"sv)) {
          out_.xmp = body.substr(29);
        }
        break;
      case 0xe2:
        if (body.starts_with("ICC_PROFILE\0"sv)) {
          first_profile_ = profiles_ == 0 ? body : std::min(first_profile_, body);
          ++profiles_;
        }
        break;
      case 0xed:
        if (body.starts_with("Photoshop 3.0\0"sv)) return CheckPhotoshop(body);
        break;
      case 0xee:
        if (body.starts_with("Adobe") && body.size() < 7)
          return Damaged("its Adobe segment is cut");
        break;
      default:
        break;
    }
    return OkStatus();
  }

  Result<JpegHeader> Finish() {
    if (out_.components == 0) return Damaged("a scan without a frame header");
    if (out_.width == 0 || out_.height == 0) {
      return Status(Code::kInvalidImage,
                    StrCat("the image is ", out_.width, " x ", out_.height, " pixels"));
    }
    return out_;
  }

 private:
  Status Frame(std::string_view body) {
    if (body.size() < 6 || (body.size() - 6) % 3 != 0) return Damaged("its frame header is cut");
    const uint32_t bits = Byte(body, 0), components = Byte(body, 5);
    if (bits != 8)
      return {Code::kInvalidImage,
              StrCat("JPEG with ", bits, " bits a sample; only 8 are supported")};
    if (components != 1 && components != 3 && components != 4) {
      return {Code::kInvalidImage, StrCat("JPEG with ", components, " components")};
    }
    // PIL puts colour profiles together here.
    if (profiles_ > 0 && first_profile_.size() < 14) return Damaged("its colour profile is cut");
    profiles_ = 0;
    out_.height = U16(body, 1);
    out_.width = U16(body, 3);
    out_.components = components;
    return OkStatus();
  }

  static Status QuantisationTables(std::string_view body) {
    while (!body.empty()) {
      const size_t bytes = 1 + (Byte(body, 0) < 16 ? 64 : 128);
      if (body.size() < bytes) return Damaged("a quantisation table is cut");
      body.remove_prefix(bytes);
    }
    return OkStatus();
  }

  JpegHeader out_;
  std::string_view first_profile_;  // the first one in the order of bytes
  size_t profiles_ = 0;
};

}  // namespace

Result<JpegHeader> ReadJpegHeader(std::span<const std::byte> bytes) {
  const std::string_view file = Text(bytes);
  if (!file.starts_with("\xff\xd8\xff")) return Damaged("it does not start as a JPEG");
  Walk walk;
  size_t at = 2;
  for (;;) {
    // To the next marker: FF and another byte; FFs before it fill up, and FF 00 is no marker.
    const size_t found = file.find('\xff', at);
    if (found == file.npos) break;
    at = found + 1;
    while (at < file.size() && Byte(file, at) == 0xff) ++at;
    if (at == file.size()) break;
    const uint32_t marker = Byte(file, at++);
    if (marker == 0) continue;
    if (marker < 0xc0) return Damaged("an unknown marker before the first scan");
    if (IsAlone(marker)) continue;
    if (!Has(file, at, 2)) break;
    const size_t length = U16(file, at);
    at += 2;
    const size_t body = length < 2 ? 0 : length - 2;
    if (!Has(file, at, body)) break;
    CLIPGLOT_RETURN_IF_ERROR(walk.Segment(marker, file.substr(at, body)));
    at += body;
    if (marker == 0xda) return walk.Finish();
  }
  return Status(Code::kInvalidImage, "truncated JPEG: the file ends before its first scan");
}

int JpegOrientation(std::span<const std::byte> file) {
  const Result<JpegHeader> header = ReadJpegHeader(file);
  return header.ok() ? OrientationOf(header->exif, header->xmp) : kOrientationUpright;
}

}  // namespace clipglot
