#include <cstring>
#include <utility>

#include "base/checked.h"
#include "base/strings.h"
#include "vision/decoders.h"
#include "vision/exif.h"
#include "vision/image.h"
#include "vision/rgb_writer.h"
#include "vision/stop_check.h"

namespace clipglot {

Result<RgbImage> DecodeImage(std::span<const std::byte> file, const DecodeOptions& options) {
  if (file.empty()) return Status(Code::kInvalidImage, "the image file is empty");
  if (IsJpeg(file)) return DecodeJpeg(file, options);
  if (IsPng(file)) return DecodePng(file, options);
  if (IsGif(file)) return DecodeGif(file, options);
  if (IsBmp(file)) return DecodeBmp(file, options);
  return Status(Code::kInvalidImage,
                "unknown image format: the file begins like none of JPEG, PNG, GIF, BMP");
}

Result<RgbImage> ImageFromRgba(std::span<const uint8_t> rgba, size_t width, size_t height,
                               uint64_t max_pixels, CallObserver* observer) {
  CLIPGLOT_RETURN_IF_ERROR(CheckImageSize(width, height, max_pixels));
  const auto expected = CheckedMul(uint64_t{width} * height, 4);
  if (!expected || rgba.size() != *expected) {
    return Status(Code::kInvalidArgument,
                  StrCat("RGBA image of ", width, " x ", height, " pixels: ", rgba.size(),
                         " bytes, expected width x height x 4"));
  }
  StopCheck check(observer);
  CLIPGLOT_ASSIGN_OR_RETURN(RgbWriter writer,
                            RgbWriter::Create(width, height, kOrientationUpright, &check));
  for (size_t y = 0; y < height; ++y) {
    const uint8_t* in = rgba.data() + y * width * 4;
    uint8_t* out = writer.NextRow();
    CLIPGLOT_RETURN_IF_ERROR(check.InPieces(width, 3, [&](size_t begin, size_t end) {
      for (size_t x = begin; x < end; ++x) std::memcpy(out + 3 * x, in + 4 * x, 3);
    }));
    CLIPGLOT_RETURN_IF_ERROR(writer.CommitRow());
  }
  return std::move(writer).Finish();
}

}  // namespace clipglot
