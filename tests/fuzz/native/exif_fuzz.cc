// EXIF and XMP: orientations of any bytes are 1 ... 8. The first byte says where the one ends and
// the other begins.
#include <algorithm>

#include "fuzz.h"
#include "vision/exif.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clipglot;
  const auto valid = [](int orientation) { return orientation >= 1 && orientation <= 8; };
  if (size == 0) return 0;
  const size_t exif_size = std::min<size_t>(data[0] * size_t{4}, size - 1);
  const auto exif = fuzz::Bytes(data + 1, exif_size);
  const auto xmp = fuzz::Text(data + 1 + exif_size, size - 1 - exif_size);
  FUZZ_CHECK(valid(TiffOrientation(exif)));
  FUZZ_CHECK(valid(XmpOrientation(xmp)));
  FUZZ_CHECK(valid(OrientationOf(exif, xmp)));
  return 0;
}
