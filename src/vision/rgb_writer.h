// Puts decoded rows into their upright place, so that a turned photo needs no second copy.
//
// Takes: rows in stored order, top first, or single pixels in any order. Gives: an upright
// RgbImage. Rows of pictures that are turned by a quarter are gathered in bands, because writing
// columns one by one would miss the cache with every pixel. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "vision/image.h"
#include "vision/stop_check.h"

namespace clipglot {

// Refuses a zero side and more than `max_pixels`. Errors: kInvalidImage.
Status CheckImageSize(uint64_t width, uint64_t height, uint64_t max_pixels);

class RgbWriter {
 public:
  // `width`, `height`: as stored, already checked; `orientation`: 1…8 as in vision/exif.h. Every
  // pixel must be written: the content is not initialised. `stop` is asked while rows are put into
  // their places, and must outlive this. Errors: kOutOfMemory.
  static Result<RgbWriter> Create(size_t width, size_t height, int orientation, StopCheck* stop);

  // Where the next stored row goes: 3 · width bytes, valid until CommitRow, which must follow
  // before the next call. At most `height` rows. Errors: kCancelled.
  uint8_t* NextRow();
  Status CommitRow();

  // All pixels of one colour, `rgb`. Errors: kCancelled.
  Status Fill(const uint8_t* rgb);

  // One pixel at its stored place; not to be mixed with rows. The caller asks to stop.
  void PutPixel(size_t x, size_t y, uint8_t red, uint8_t green, uint8_t blue) {
    uint8_t* out = pixels_ + offset_ + static_cast<ptrdiff_t>(x) * step_x_ +
                   static_cast<ptrdiff_t>(y) * step_y_;
    out[0] = red;
    out[1] = green;
    out[2] = blue;
  }

  // The image. Call after the last row; the writer is empty then.
  RgbImage Finish() &&;

 private:
  explicit RgbWriter(StopCheck* stop) : stop_(stop) {}
  Status FlushBand();

  StopCheck* stop_;
  RgbImage image_;
  AlignedBuffer band_;  // stored rows that wait for their place
  uint8_t* pixels_ = nullptr;
  size_t width_ = 0, height_ = 0;  // as stored
  size_t row_ = 0;                 // stored row that comes next
  size_t band_rows_ = 0, band_capacity_ = 0;
  // Byte offset of stored pixel (0, 0) in the image, and of one step along the stored axes.
  ptrdiff_t offset_ = 0, step_x_ = 0, step_y_ = 0;
};

}  // namespace clipglot
