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

// For a hash over bytes that come in pieces, whose state outlives the process: adds
// `blocks`, a multiple of 64 bytes, to `state`. The caller knows the first state and adds the end
// (FIPS 180-4 §5.3.3, §5.1.1).
using Sha256State = std::array<uint32_t, 8>;
void Sha256Blocks(Sha256State& state, std::span<const std::byte> blocks);

// 64 lower-case hexadecimal digits.
std::string Sha256Hex(const Sha256Digest& digest);

// True if `hex` is 64 lower-case hexadecimal digits. Upper case does not count: a pack has one
// spelling of a hash, so that no bit of it can change unnoticed.
bool IsSha256Hex(std::string_view hex);

}  // namespace clipglot
