#include "vision/rgb_writer.h"

#include <cstring>
#include <utility>

#include "base/checked.h"
#include "base/strings.h"

namespace clipglot {
namespace {

constexpr size_t kChannels = 3;
constexpr size_t kTurnedBandRows = 16;
// Of a pixel that is put into another place, in units of StopCheck.
constexpr uint64_t kMoveWork = 4;

}  // namespace

Status CheckImageSize(uint64_t width, uint64_t height, uint64_t max_pixels) {
  if (width == 0 || height == 0) {
    return {Code::kInvalidImage, StrCat("the image is ", width, " x ", height, " pixels")};
  }
  const auto pixels = CheckedMul(width, height);
  if (!pixels || *pixels > max_pixels) {
    return {Code::kInvalidImage, StrCat("the image is ", width, " x ", height, " pixels; at most ",
                                        max_pixels, " pixels are allowed")};
  }
  // Whatever limit the caller chose: byte offsets of the image must be representable.
  if (*pixels > static_cast<uint64_t>(PTRDIFF_MAX) / 8) {
    return {Code::kInvalidImage, StrCat("the image is ", width, " x ", height,
                                        " pixels, more than this machine can address")};
  }
  return OkStatus();
}

Result<RgbWriter> RgbWriter::Create(size_t width, size_t height, int orientation, StopCheck* stop) {
  RgbWriter writer(stop);
  const bool turned = orientation >= 5;
  writer.width_ = width;
  writer.height_ = height;
  writer.image_.width = turned ? height : width;
  writer.image_.height = turned ? width : height;
  const auto bytes = CheckedMul(uint64_t{width} * height, kChannels);
  CLIPGLOT_ASSIGN_OR_RETURN(writer.image_.pixels, AlignedBuffer::TryAllocate(
                                                      bytes.value_or(UINT64_MAX), "decoded image"));
  writer.pixels_ = writer.image_.pixels.as<uint8_t>().data();

  // Upright place (X, Y) of stored pixel (x, y); "last" is the highest index of that upright axis.
  //   1: (x, y)   2: (last - x, y)   3: (last - x, last - y)   4: (x, last - y)
  //   5: (y, x)   6: (last - y, x)   7: (last - y, last - x)   8: (y, last - x)
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const auto row_bytes = static_cast<ptrdiff_t>(writer.image_.width * kChannels);
  ptrdiff_t step_right = kChannels;
  ptrdiff_t step_down = row_bytes;
  if (from_right) {
    writer.offset_ += row_bytes - static_cast<ptrdiff_t>(kChannels);
    step_right = -step_right;
  }
  if (from_bottom) {
    writer.offset_ += static_cast<ptrdiff_t>(writer.image_.height - 1) * row_bytes;
    step_down = -step_down;
  }
  writer.step_x_ = turned ? step_down : step_right;
  writer.step_y_ = turned ? step_right : step_down;

  if (writer.step_x_ != static_cast<ptrdiff_t>(kChannels)) {
    writer.band_capacity_ = turned ? kTurnedBandRows : 1;
    CLIPGLOT_ASSIGN_OR_RETURN(
        writer.band_, AlignedBuffer::TryAllocate(
                          uint64_t{writer.band_capacity_} * width * kChannels, "image rows"));
  }
  return writer;
}

uint8_t* RgbWriter::NextRow() {
  if (band_capacity_ == 0) return pixels_ + offset_ + static_cast<ptrdiff_t>(row_) * step_y_;
  return band_.as<uint8_t>().data() + band_rows_ * width_ * kChannels;
}

Status RgbWriter::CommitRow() {
  ++row_;
  if (band_capacity_ == 0) return OkStatus();
  ++band_rows_;
  return band_rows_ == band_capacity_ || row_ == height_ ? FlushBand() : OkStatus();
}

Status RgbWriter::FlushBand() {
  const uint8_t* band = band_.as<uint8_t>().data();
  const size_t first_row = row_ - band_rows_;
  CLIPGLOT_RETURN_IF_ERROR(
      stop_->InPieces(width_, band_rows_ * kMoveWork, [&](size_t begin, size_t end) {
        for (size_t x = begin; x < end; ++x) {
          for (size_t i = 0; i < band_rows_; ++i) {
            const uint8_t* in = band + (i * width_ + x) * kChannels;
            PutPixel(x, first_row + i, in[0], in[1], in[2]);
          }
        }
      }));
  band_rows_ = 0;
  return OkStatus();
}

Status RgbWriter::Fill(const uint8_t* rgb) {
  return stop_->InPieces(width_ * height_, kChannels, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) std::memcpy(pixels_ + i * kChannels, rgb, kChannels);
  });
}

RgbImage RgbWriter::Finish() && {
  pixels_ = nullptr;
  return std::move(image_);
}

}  // namespace clipglot
