// BMP files.
#include "image_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clipglot;
  fuzz::Decode(DecodeBmp, fuzz::Bytes(data, size));
  return 0;
}
