// The precompiled character map inside a tokenizer's file.
#include "text/charsmap.h"
#include "tokenizer_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clipglot;
  const Result<Charsmap> map = Charsmap::Create("tokenizer.json", fuzz::Text(data, size));
  if (!map.ok()) {
    fuzz::CheckModelError(map.status());
    return 0;
  }
  for (const std::string_view text : fuzz::kTexts) {
    std::string out;
    const Status status = map->Append(text, &out);
    if (!status.ok()) fuzz::CheckModelError(status);
  }
  return 0;
}
