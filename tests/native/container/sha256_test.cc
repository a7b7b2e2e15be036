#include "container/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace clipglot {
namespace {

std::string HexOf(const std::string& text) {
  return Sha256Hex(Sha256(std::as_bytes(std::span(text))));
}

// NIST's examples (FIPS 180-4, "SHA-256 Example" documents) and the well-known million of a's.
TEST(Sha256, GivesTheStandardsExamples) {
  EXPECT_EQ(HexOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(HexOf(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Lengths around the border where the padding needs a second block (hashes by sha256sum).
TEST(Sha256, PadsAtEveryLengthAroundABlock) {
  EXPECT_EQ(HexOf(std::string(55, 'x')),
            "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072");
  EXPECT_EQ(HexOf(std::string(56, 'x')),
            "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e");
  EXPECT_EQ(HexOf(std::string(63, 'x')),
            "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2");
  EXPECT_EQ(HexOf(std::string(64, 'x')),
            "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c");
  EXPECT_EQ(HexOf(std::string(65, 'x')),
            "9537c5fdf120482f7d58d25e9ed583f52c02b4e304ea814db1633ad565aed7e9");
}

TEST(Sha256, BlocksMayComeApart) {
  const std::string text(320, 'x');
  const auto bytes = std::as_bytes(std::span(text));
  Sha256State whole{}, parts{};  // any state will do
  Sha256Blocks(whole, bytes);
  for (const size_t block : {size_t{0}, size_t{1}, size_t{3}})
    Sha256Blocks(parts, bytes.subspan(64 * block, block == 1 ? 128 : block == 0 ? 64 : 128));
  EXPECT_EQ(parts, whole);
  Sha256Blocks(parts, {});
  EXPECT_EQ(parts, whole);
}

TEST(Sha256, AcceptsOnlyOneSpelling) {
  const std::string hex = HexOf("abc");
  EXPECT_TRUE(IsSha256Hex(hex));
  EXPECT_FALSE(IsSha256Hex(hex.substr(1)));
  std::string upper = hex;
  upper[0] = 'B';
  EXPECT_FALSE(IsSha256Hex(upper));
  std::string other = hex;
  other[0] = 'g';
  EXPECT_FALSE(IsSha256Hex(other));
}

}  // namespace
}  // namespace clipglot
