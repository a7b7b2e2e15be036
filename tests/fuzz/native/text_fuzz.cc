// Texts: golden-a's two tokenizer files give the same ids for any of them, and normalisation form C
// changes a text once.
#include <cstdio>
#include <vector>

#include "tokenizer_fuzz.h"

namespace clipglot::fuzz {
namespace {

std::unique_ptr<Tokenizer> Golden(const char* name) {
  const std::string path = std::string(CLIPGLOT_TEST_DATA "/golden-a/") + name;
  std::FILE* file = std::fopen(path.c_str(), "rb");
  FUZZ_CHECK(file != nullptr);
  std::vector<uint8_t> bytes(1 << 20);
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
  std::fclose(file);
  auto tokenizer = Tokenizer::Create(name, std::as_bytes(std::span(bytes)));
  FUZZ_CHECK(tokenizer.ok());
  return std::move(tokenizer).value();
}

}  // namespace
}  // namespace clipglot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clipglot;
  static const std::unique_ptr<Tokenizer> json = fuzz::Golden("tokenizer.json"),
                                          model = fuzz::Golden("sentencepiece.bpe.model");
  const std::string_view text = fuzz::Text(data, size);
  const size_t max_tokens = 2 + size % 64;
  const Result<Encoding> encoding = json->Encode(text, max_tokens),
                         other = model->Encode(text, max_tokens);
  const Result<std::string> composed = NormalizeNfc(text);
  FUZZ_CHECK(encoding.ok() == other.ok() && encoding.ok() == composed.ok());
  if (!encoding.ok()) {
    FUZZ_CHECK(encoding.status().code() == Code::kInvalidText);
    return 0;
  }
  fuzz::CheckEncoding(*json, *encoding, max_tokens);
  FUZZ_CHECK(encoding->ids == other->ids);
  FUZZ_CHECK(NormalizeNfc(*composed).value() == *composed);
  return 0;
}
