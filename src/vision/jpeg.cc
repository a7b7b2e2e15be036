// JPEG files to upright RGB: PIL's walk over the header, libjpeg's decoding, PIL's colours.
#include <utility>

#include "base/strings.h"
#include "vision/decoders.h"
#include "vision/exif.h"
#include "vision/jpeg_codec.h"
#include "vision/jpeg_header.h"
#include "vision/rgb_writer.h"
#include "vision/stop_check.h"

namespace clipglot {
namespace {

// A picture needs data: this refuses a few bytes that claim to be a huge one before they cost
// memory. A block takes one bit at least, a sixteenth where every second scan is empty or the data
// ends early; arithmetic coding has fractions of bits. Pictures of up to kSmallBlocks may lie as
// they like: PIL opens them, mostly gray.
constexpr uint64_t kBlocksPerByte = 128;
constexpr uint64_t kBlocksPerArithmeticByte = 8192;
constexpr uint64_t kSmallBlocks = uint64_t{1} << 18;

Status Truncated() {
  return {Code::kInvalidImage, "truncated JPEG: the file ends before its end marker"};
}

// Whether the size is true, allowed, and worth the memory. `codec`: after its header.
Status CheckSize(const JpegCodec& codec, const JpegHeader& header, size_t file_bytes) {
  if (codec.width() != header.width || codec.height() != header.height ||
      codec.components() != header.components) {
    return {Code::kInvalidImage, "damaged JPEG: two frame headers"};
  }
  const uint64_t blocks = codec.blocks();
  const uint64_t possible =
      (codec.arithmetic() ? kBlocksPerArithmeticByte : kBlocksPerByte) * uint64_t{file_bytes};
  if (blocks > kSmallBlocks && blocks > possible) {
    return {Code::kInvalidImage, StrCat("damaged JPEG: ", header.width, " x ", header.height,
                                        " pixels cannot come from ", file_bytes, " bytes")};
  }
  return OkStatus();
}

// a · b / 255, rounded, as PIL's MULDIV255.
int MulDiv255(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

// `ink` is stored inverted: 255 is no ink. PIL turns it round and takes white minus black minus the
// rest.
uint8_t InkToLight(int stored_ink, int stored_black) {
  const int light = stored_black - MulDiv255(255 - stored_ink, stored_black);
  return static_cast<uint8_t>(light < 0 ? 0 : light);
}

// `in`: one or four bytes a pixel.
void RowToRgb(uint32_t components, const uint8_t* in, size_t width, uint8_t* out) {
  for (size_t i = 0; i < width; ++i) {
    for (size_t c = 0; c < 3; ++c) {
      out[3 * i + c] = components == 1 ? in[i] : InkToLight(in[4 * i + c], in[4 * i + 3]);
    }
  }
}

// A step that did not go through.
Status Failed(const JpegCodec& codec, JpegCodec::Step step) {
  return step == JpegCodec::Step::kCut ? Truncated() : codec.Refusal();
}

}  // namespace

bool IsJpeg(std::span<const std::byte> file) {
  return file.size() >= 3 && file[0] == std::byte{0xff} && file[1] == std::byte{0xd8} &&
         file[2] == std::byte{0xff};
}

Result<RgbImage> DecodeJpeg(std::span<const std::byte> file, const DecodeOptions& options) {
  using Step = JpegCodec::Step;
  CLIPGLOT_ASSIGN_OR_RETURN(const JpegHeader header, ReadJpegHeader(file));
  CLIPGLOT_RETURN_IF_ERROR(CheckImageSize(header.width, header.height, options.max_pixels));
  CLIPGLOT_ASSIGN_OR_RETURN(JpegCodec codec, JpegCodec::Create(file, options.observer));
  Step step = codec.ReadHeader();
  if (step != Step::kDone) return Failed(codec, step);
  CLIPGLOT_RETURN_IF_ERROR(CheckSize(codec, header, file.size()));
  step = codec.Start();
  if (step != Step::kDone) return Failed(codec, step);

  const int turn = options.orientation == Orientation::kApply
                       ? OrientationOf(header.exif, header.xmp)
                       : kOrientationUpright;
  StopCheck stop(options.observer);
  CLIPGLOT_ASSIGN_OR_RETURN(RgbWriter writer,
                            RgbWriter::Create(header.width, header.height, turn, &stop));
  AlignedBuffer row;
  const bool direct = header.components == 3;
  if (!direct) {
    CLIPGLOT_ASSIGN_OR_RETURN(
        row, AlignedBuffer::TryAllocate(uint64_t{header.width} * header.components, "JPEG row"));
  }
  for (size_t y = 0; y < header.height; ++y) {
    uint8_t* const out = writer.NextRow();
    uint8_t* const decoded = direct ? out : row.as<uint8_t>().data();
    step = codec.ReadRow(decoded);
    if (step != Step::kDone) return Failed(codec, step);
    if (!direct) RowToRgb(header.components, decoded, header.width, out);
    CLIPGLOT_RETURN_IF_ERROR(writer.CommitRow());
  }
  // PIL takes a picture whose end marker is missing if libjpeg could read all rows without it, but
  // looks at what follows.
  step = codec.Finish();
  if (step == Step::kRefused) return codec.Refusal();
  RgbImage image = std::move(writer).Finish();
  image.warnings = codec.Warnings();
  return image;
}

}  // namespace clipglot
