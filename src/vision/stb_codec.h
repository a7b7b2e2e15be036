// The part of stb_image that we use: its inflate. stb_codec.cc is the one file that compiles stb_image.
//
// The decoders around it are ours (vision/png, gif, bmp), because the pixels must equal PIL's and the memory must be
// bounded: stb_image recurses as deep as a GIF says, and differs from PIL in 16-bit, palette and transparency. stb_image allocates nothing here: its allocation hooks always
// refuse, every buffer is an AlignedBuffer of checked size. Thread-safe: no state but stb_image's
// thread-local failure text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"

namespace clipglot {

// Inflates a zlib stream (RFC 1950; the checksum is not looked at) until `out` is full or the
// stream ends; a stream with more data than fits is not an error.
// `out`: kInflateSlack bytes longer than `needed`, since one step is written whole or not at all.
// Errors: kInvalidImage (damaged, or ends before `needed` bytes were written).
inline constexpr size_t kInflateSlack = 65536;
Status InflateZlib(std::span<const std::byte> in, std::span<uint8_t> out, size_t needed);

}  // namespace clipglot
