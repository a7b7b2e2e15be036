// Base64 with the standard alphabet and padding, as in a tokenizer.json or a pack's manifest.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace clipglot {

// The decoded bytes, or nothing when `text` is not exactly one canonical encoding.
std::optional<std::string> DecodeBase64(std::string_view text);
std::string EncodeBase64(std::string_view bytes);

}  // namespace clipglot
