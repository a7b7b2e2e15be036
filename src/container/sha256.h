// SHA-256 (FIPS 180-4), to verify a pack while it is loaded. Checks against damage, not a place for
// secrets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace clipglot {

using Sha256Digest = std::array<uint8_t, 32>;

// Digest of `bytes`.
Sha256Digest Sha256(std::span<const std::byte> bytes);

// 64 lower-case hexadecimal digits.
std::string Sha256Hex(const Sha256Digest& digest);

// True if `hex` is 64 lower-case hexadecimal digits. Upper case does not count: a pack has one
// spelling of a hash, so that no bit of it can change unnoticed.
bool IsSha256Hex(std::string_view hex);

}  // namespace clipglot
