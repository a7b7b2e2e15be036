// tokenizer.json.
#include "tokenizer_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clipglot;
  fuzz::ReadTokenizer("tokenizer.json", fuzz::Bytes(data, size));
  return 0;
}
