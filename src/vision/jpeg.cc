// JPEG planes to RGB rows: upsampling and colour conversion as libjpeg does by default, so that
// photos equal PIL's.
//
// Source: libjpeg(-turbo) jdsample.c ("fancy" triangle filter) and jdcolor.c (16-bit fixed point,
// JFIF's matrix), PIL's Convert.c (cmyk2rgb).
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "vision/decoders.h"
#include "vision/exif.h"
#include "vision/jpeg_header.h"
#include "vision/rgb_writer.h"
#include "vision/stb_codec.h"

namespace clipglot {
namespace {

const uint8_t* PlaneRow(const JpegPlane& plane, size_t y) {
  return plane.samples.as<uint8_t>().data() + y * plane.stride;
}

// Twice as wide; each result is 3/4 of the nearer and 1/4 of the farther sample, with alternating
// rounding.
void DoubleWidth(const uint8_t* in, size_t width, uint8_t* out) {
  out[0] = in[0];
  out[1] = static_cast<uint8_t>((in[0] * 3 + in[1] + 2) >> 2);
  for (size_t i = 1; i + 1 < width; ++i) {
    out[2 * i] = static_cast<uint8_t>((in[i] * 3 + in[i - 1] + 1) >> 2);
    out[2 * i + 1] = static_cast<uint8_t>((in[i] * 3 + in[i + 1] + 2) >> 2);
  }
  out[2 * width - 2] = static_cast<uint8_t>((in[width - 1] * 3 + in[width - 2] + 1) >> 2);
  out[2 * width - 1] = in[width - 1];
}

// Twice as wide and as high: weights 9, 3, 3, 1 over 16. `near`: the row whose sample covers the
// pixel; `sums`: scratch for `width` numbers.
void DoubleBoth(const uint8_t* near, const uint8_t* far, size_t width, uint16_t* sums,
                uint8_t* out) {
  for (size_t i = 0; i < width; ++i) sums[i] = static_cast<uint16_t>(near[i] * 3 + far[i]);
  out[0] = static_cast<uint8_t>((sums[0] * 4 + 8) >> 4);
  out[1] = static_cast<uint8_t>((sums[0] * 3 + sums[1] + 7) >> 4);
  for (size_t i = 1; i + 1 < width; ++i) {
    out[2 * i] = static_cast<uint8_t>((sums[i] * 3 + sums[i - 1] + 8) >> 4);
    out[2 * i + 1] = static_cast<uint8_t>((sums[i] * 3 + sums[i + 1] + 7) >> 4);
  }
  out[2 * width - 2] = static_cast<uint8_t>((sums[width - 1] * 3 + sums[width - 2] + 8) >> 4);
  out[2 * width - 1] = static_cast<uint8_t>((sums[width - 1] * 4 + 7) >> 4);
}

// One component, row by row at full size.
class Upsampler {
 public:
  // `plane`: outlives this. Errors: kOutOfMemory.
  Status Init(const JpegPlane* plane, size_t image_width) {
    plane_ = plane;
    image_width_ = image_width;
    if (plane->scale_x == 1 && plane->scale_y == 1) return OkStatus();
    CLIPGLOT_ASSIGN_OR_RETURN(row_, AlignedBuffer::TryAllocate(
                                        (plane->width + 1) * uint64_t{plane->scale_x}, "JPEG row"));
    CLIPGLOT_ASSIGN_OR_RETURN(sums_,
                              AlignedBuffer::TryAllocateArray<uint16_t>(plane->width, "JPEG row"));
    return OkStatus();
  }

  // Row `y` of the image; valid until the next call.
  const uint8_t* Row(size_t y) {
    const size_t sx = plane_->scale_x, sy = plane_->scale_y;
    const uint8_t* near = PlaneRow(*plane_, y / sy);
    if (sx == 1 && sy == 1) return near;
    uint8_t* out = row_.as<uint8_t>().data();
    const size_t width = plane_->width;
    // libjpeg filters only planes that are wider than two samples.
    if (sx == 2 && sy == 1 && width > 2) {
      DoubleWidth(near, width, out);
    } else if (sx == 2 && sy == 2 && width > 2) {
      DoubleBoth(near, Neighbour(y), width, sums_.as<uint16_t>().data(), out);
    } else if (sx == 1 && sy == 2) {
      const uint8_t* far = Neighbour(y);
      const int bias = y % 2 == 0 ? 1 : 2;
      for (size_t i = 0; i < width; ++i) {
        out[i] = static_cast<uint8_t>((near[i] * 3 + far[i] + bias) >> 2);
      }
    } else {
      for (size_t i = 0; i < image_width_; ++i) out[i] = near[i / sx];
    }
    return out;
  }

 private:
  // The second nearest sample row of image row `y`, for scale 2; the edge rows are their own
  // neighbours.
  const uint8_t* Neighbour(size_t y) const {
    const size_t row = y / 2;
    if (y % 2 == 0) return PlaneRow(*plane_, row == 0 ? 0 : row - 1);
    return PlaneRow(*plane_, std::min(row + 1, plane_->height - 1));
  }

  const JpegPlane* plane_ = nullptr;
  size_t image_width_ = 0;
  AlignedBuffer row_, sums_;
};

uint8_t Clip(int value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

constexpr int kFixedBits = 16;
constexpr int kHalf = 1 << (kFixedBits - 1);
// round(x · 2^16)
constexpr int kRedOfCr = 91881, kGreenOfCr = 46802, kGreenOfCb = 22554, kBlueOfCb = 116130;

int Red(int y, int cr) { return y + ((kRedOfCr * cr + kHalf) >> kFixedBits); }
int Green(int y, int cb, int cr) {
  return y + ((-kGreenOfCb * cb - kGreenOfCr * cr + kHalf) >> kFixedBits);
}
int Blue(int y, int cb) { return y + ((kBlueOfCb * cb + kHalf) >> kFixedBits); }

void YccToRgb(const uint8_t* const* in, size_t width, uint8_t* out) {
  for (size_t i = 0; i < width; ++i) {
    const int y = in[0][i], cb = in[1][i] - 128, cr = in[2][i] - 128;
    out[3 * i] = Clip(Red(y, cr));
    out[3 * i + 1] = Clip(Green(y, cb, cr));
    out[3 * i + 2] = Clip(Blue(y, cb));
  }
}

// a · b / 255, rounded, as PIL's MULDIV255.
int MulDiv255(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

// `ink` is stored inverted: 255 is no ink. PIL turns it round and takes white minus black minus the
// rest.
uint8_t InkToLight(int stored_ink, int stored_black) {
  return Clip(stored_black - MulDiv255(255 - stored_ink, stored_black));
}

void InksToRgb(const uint8_t* const* in, size_t width, bool ycck, uint8_t* out) {
  for (size_t i = 0; i < width; ++i) {
    int inks[3] = {in[0][i], in[1][i], in[2][i]};
    if (ycck) {
      const int y = inks[0], cb = inks[1] - 128, cr = inks[2] - 128;
      inks[0] = Clip(255 - Red(y, cr));
      inks[1] = Clip(255 - Green(y, cb, cr));
      inks[2] = Clip(255 - Blue(y, cb));
    }
    for (size_t c = 0; c < 3; ++c) out[3 * i + c] = InkToLight(inks[c], in[3][i]);
  }
}

void RowToRgb(JpegColor color, const uint8_t* const* in, size_t width, uint8_t* out) {
  switch (color) {
    case JpegColor::kGray:
      for (size_t i = 0; i < width; ++i) out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = in[0][i];
      break;
    case JpegColor::kRgb:
      for (size_t i = 0; i < width; ++i) {
        for (size_t c = 0; c < 3; ++c) out[3 * i + c] = in[c][i];
      }
      break;
    case JpegColor::kYcc:
      YccToRgb(in, width, out);
      break;
    case JpegColor::kCmyk:
    case JpegColor::kYcck:
      InksToRgb(in, width, color == JpegColor::kYcck, out);
      break;
  }
}

}  // namespace

bool IsJpeg(std::span<const std::byte> file) {
  return file.size() >= 3 && file[0] == std::byte{0xff} && file[1] == std::byte{0xd8} &&
         file[2] == std::byte{0xff};
}

Result<RgbImage> DecodeJpeg(std::span<const std::byte> file, const DecodeOptions& options) {
  CLIPGLOT_ASSIGN_OR_RETURN(JpegPlanes planes, ReadJpegPlanes(file, options.max_pixels));
  const int turn = options.orientation == Orientation::kApply ? JpegOrientation(file) : kOrientationUpright;
  CLIPGLOT_ASSIGN_OR_RETURN(RgbWriter writer, RgbWriter::Create(planes.width, planes.height, turn));
  std::array<Upsampler, 4> upsamplers;
  for (size_t i = 0; i < planes.count; ++i) {
    CLIPGLOT_RETURN_IF_ERROR(upsamplers[i].Init(&planes.planes[i], planes.width));
  }
  for (size_t y = 0; y < planes.height; ++y) {
    const uint8_t* rows[4] = {};
    for (size_t i = 0; i < planes.count; ++i) rows[i] = upsamplers[i].Row(y);
    RowToRgb(planes.color, rows, planes.width, writer.NextRow());
    writer.CommitRow();
  }
  return std::move(writer).Finish();
}

}  // namespace clipglot
