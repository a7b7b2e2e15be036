#include <gtest/gtest.h>

#include <string>

#include "base/base64.h"
#include "base/utf8.h"

namespace clipglot {
namespace {

TEST(Utf8, AcceptsOnlyWellFormedText) {
  for (const char* good :
       {"", "abc", "\u00e9", "\u732b", "\U0001F431", "\uFFFF", "\U0010FFFF", "\u0080", "\u0800"}) {
    EXPECT_TRUE(IsUtf8(good, nullptr)) << good;
  }
  const std::pair<std::string, size_t> bad[] = {
      {"\x80", 0},
      {"a\xC3", 1},
      {"\xC0\xAF", 0},
      {"ab\xE0\x80\x80", 2},
      {"\xED\xA0\x80", 0},
      {"\xF4\x90\x80\x80", 0},
      {"\xF8\x88\x80\x80\x80", 0},
      {"x\xFFy", 1},
      {"\xF0\x9F\x90", 0},
  };
  for (const auto& [text, offset] : bad) {
    size_t at = 99;
    EXPECT_FALSE(IsUtf8(text, &at));
    EXPECT_EQ(at, offset);
  }
}

TEST(Base64, OnlyCanonical) {
  EXPECT_EQ(DecodeBase64(""), "");
  EXPECT_EQ(DecodeBase64("TWFu"), "Man");
  EXPECT_EQ(DecodeBase64("TWE="), "Ma");
  EXPECT_EQ(DecodeBase64("TQ=="), "M");
  for (const char* bad :
       {"T", "TQ", "TQ=", "T===", "TR==", "TWF=", "TW=u", "TQ==TQ==", "TW u", "TWFu\n"}) {
    EXPECT_EQ(DecodeBase64(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace clipglot
