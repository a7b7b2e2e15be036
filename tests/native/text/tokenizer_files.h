// Tokenizer files for the tests, and short ways to use them.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace clipglot::testing {

// golden-a's tokenizer.json (the older shape), parsed.
nlohmann::json GoldenTokenizer();

// `tokenizer` (older shape) in another shape:
//   "old"       unchanged
//   "new"       Sequence[Precompiled, Replace " {2,}" by a space], Metaspace
//   "newer"     as "new", with Strip on the right and U+2581 as replacement
//   "nosplit"   as "new", words do not begin at U+2581
//   "never"     as "old", no U+2581 in front
//   "normmask"  as "new"; <mask> sought in the normalised text, two added tokens after the
//   vocabulary "strip2"    Sequence[Strip at both ends, Precompiled]; </s> eats white space after
//   it
nlohmann::json ShapeOf(nlohmann::json tokenizer, const std::string& shape);

Result<std::unique_ptr<Tokenizer>> CreateTokenizer(std::string_view name, std::string_view file);
Result<std::unique_ptr<Tokenizer>> CreateTokenizer(const nlohmann::json& tokenizer);
// A failed expectation and null when it cannot be made.
std::unique_ptr<Tokenizer> MustCreate(const nlohmann::json& tokenizer);

// The ids, or a failed expectation and none.
std::vector<int32_t> Ids(const Tokenizer& tokenizer, std::string_view text,
                         size_t max_tokens = 1 << 20);

}  // namespace clipglot::testing
