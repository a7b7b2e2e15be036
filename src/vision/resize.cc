// PIL's 8-bit resampler and torchvision's centre crop, byte for byte.
//
// Source: Pillow Resample.c (precompute_coeffs, normalize_coeffs_8bpc,
// ImagingResampleHorizontal/Vertical_8bpc), bicubic with a = -0.5; torchvision Resize (long side
// truncated) and CenterCrop (Python's round: half to even). Compiled without fused multiply-adds:
// the weights are rounded as PIL's doubles are.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/strings.h"
#include "vision/image.h"
#include "vision/stop_check.h"

namespace clipglot {
namespace {

constexpr size_t kChannels = 3;
constexpr int kWeightBits = 32 - 8 - 2;
constexpr double kBicubicSupport = 2.0;

double Bicubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

// One axis of the picture: how long it gets, and which part of that is kept.
struct Axis {
  size_t in = 0;       // pixels before
  uint64_t out = 0;    // pixels after resizing
  uint64_t first = 0;  // first pixel that the crop keeps
  size_t kept = 0;     // how many it keeps
};

// Rounded to the nearest integer, halves to the even one: Python's round((whole - part) / 2).
uint64_t CropOffset(uint64_t whole, uint64_t part) {
  const uint64_t twice = whole - part;
  const uint64_t half = twice / 2;
  return half + (twice % 2 == 1 && half % 2 == 1 ? 1 : 0);
}

// Shorter side to `size`, the longer truncated: Python's int(size * long / short), a division in
// double.
uint64_t LongSide(uint64_t size, uint64_t longer, uint64_t shorter) {
  return static_cast<uint64_t>(static_cast<double>(size * longer) / static_cast<double>(shorter));
}

// Weights of the kept pixels of one axis.
class Weights {
 public:
  // Errors: kOutOfMemory, kCancelled.
  Status Init(const Axis& axis, StopCheck* stop) {
    const double scale =
        static_cast<double>(static_cast<float>(axis.in)) / static_cast<double>(axis.out);
    const double filter_scale = std::max(scale, 1.0);
    const double support = kBicubicSupport * filter_scale;
    taps_ = static_cast<size_t>(std::ceil(support)) * 2 + 1;
    CLIPGLOT_ASSIGN_OR_RETURN(spans_, AlignedBuffer::TryAllocateArray<Span>(axis.kept, "resize"));
    CLIPGLOT_ASSIGN_OR_RETURN(
        weights_, AlignedBuffer::TryAllocateArray<int32_t>(uint64_t{axis.kept} * taps_, "resize"));
    CLIPGLOT_ASSIGN_OR_RETURN(AlignedBuffer exact,
                              AlignedBuffer::TryAllocateArray<double>(taps_, "resize"));
    double* k = exact.as<double>().data();
    for (size_t i = 0; i < axis.kept; ++i) {
      if (stop->Spend(taps_ * 8)) return StopCheck::Stopped();
      const double centre = (static_cast<double>(axis.first + i) + 0.5) * scale;
      const double inverse = 1.0 / filter_scale;
      // Truncated like PIL's conversion to int, then clamped.
      const double low = std::max(std::trunc(centre - support + 0.5), 0.0);
      const double high =
          std::min(std::trunc(centre + support + 0.5), static_cast<double>(axis.in));
      const auto begin = static_cast<size_t>(low);
      const auto count = static_cast<size_t>(std::max(high - low, 0.0));
      double sum = 0.0;
      for (size_t x = 0; x < count; ++x) {
        k[x] = Bicubic((static_cast<double>(x + begin) - centre + 0.5) * inverse);
        sum += k[x];
      }
      int32_t* out = weights_.as<int32_t>().data() + i * taps_;
      for (size_t x = 0; x < count; ++x) {
        const double weight = sum != 0.0 ? k[x] / sum : k[x];
        const double scaled = weight * (1 << kWeightBits);
        out[x] = static_cast<int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5);
      }
      spans_.as<Span>()[i] = {begin, count};
    }
    return OkStatus();
  }

  struct Span {
    size_t begin, count;  // input pixels that the output pixel is made of
  };
  Span span(size_t i) const { return spans_.as<Span>()[i]; }
  const int32_t* of(size_t i) const { return weights_.as<int32_t>().data() + i * taps_; }

 private:
  size_t taps_ = 0;
  AlignedBuffer spans_, weights_;
};

inline uint8_t Round(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

// `in`: one row of pixels; `out`: the kept pixels of the row.
void ResizeRow(const uint8_t* in, const Weights& weights, size_t kept, uint8_t* out) {
  for (size_t i = 0; i < kept; ++i) {
    const auto [begin, count] = weights.span(i);
    const int32_t* w = weights.of(i);
    const uint8_t* pixel = in + begin * kChannels;
    int32_t red = 1 << (kWeightBits - 1), green = red, blue = red;
    for (size_t x = 0; x < count; ++x) {
      red += pixel[3 * x] * w[x];
      green += pixel[3 * x + 1] * w[x];
      blue += pixel[3 * x + 2] * w[x];
    }
    out[3 * i] = Round(red);
    out[3 * i + 1] = Round(green);
    out[3 * i + 2] = Round(blue);
  }
}

// `in`: rows of `row_bytes`, of which the first is input row `first_row`. `sums`: scratch,
// `row_bytes` numbers.
void ResizeColumn(const uint8_t* in, size_t first_row, size_t row_bytes, const Weights& weights,
                  size_t i, int32_t* sums, uint8_t* out) {
  const auto [begin, count] = weights.span(i);
  const int32_t* w = weights.of(i);
  std::fill_n(sums, row_bytes, 1 << (kWeightBits - 1));
  for (size_t y = 0; y < count; ++y) {
    const uint8_t* row = in + (begin - first_row + y) * row_bytes;
    const int32_t weight = w[y];
    for (size_t x = 0; x < row_bytes; ++x) sums[x] += row[x] * weight;
  }
  for (size_t x = 0; x < row_bytes; ++x) out[x] = Round(sums[x]);
}

}  // namespace

Result<RgbImage> ResizeAndCrop(const RgbImage& image, size_t size, CallObserver* observer) {
  StopCheck check(observer);
  const size_t shorter = std::min(image.width, image.height);
  const size_t longer = std::max(image.width, image.height);
  if (shorter == 0) return Status(Code::kInvalidImage, "the image is empty");
  // Sizes past this are no model's, and the products below stay exact in a double.
  if (size == 0 || size > 65536 || longer > size_t{1} << 30) {
    return Status(Code::kInvalidImage, StrCat("cannot resize ", image.width, " x ", image.height,
                                              " pixels to ", size, " x ", size));
  }
  const uint64_t long_out = LongSide(size, longer, shorter);
  const auto axis = [&](size_t in) {
    const uint64_t out = in == shorter ? size : long_out;
    return Axis{in, out, CropOffset(out, size), size};
  };
  const Axis across = axis(image.width), down = axis(image.height);

  RgbImage result;
  result.width = result.height = size;
  const size_t row_bytes = size * kChannels;
  CLIPGLOT_ASSIGN_OR_RETURN(
      result.pixels, AlignedBuffer::TryAllocate(uint64_t{size} * row_bytes, "resized image"));
  const uint8_t* in = image.pixels.as<uint8_t>().data();
  uint8_t* out = result.pixels.as<uint8_t>().data();
  const size_t in_row_bytes = image.width * kChannels;

  // The rows that the vertical pass reads.
  const bool resize_down = down.in != down.out;
  Weights vertical;
  size_t first_row = resize_down ? 0 : static_cast<size_t>(down.first), rows = down.kept;
  if (resize_down) {
    CLIPGLOT_RETURN_IF_ERROR(vertical.Init(down, &check));
    first_row = vertical.span(0).begin;
    const auto last = vertical.span(down.kept - 1);
    rows = last.begin + last.count - first_row;
  }
  // Horizontal pass, or just the crop; straight into the result when nothing follows.
  AlignedBuffer between;
  if (resize_down) {
    CLIPGLOT_ASSIGN_OR_RETURN(
        between, AlignedBuffer::TryAllocate(uint64_t{rows} * row_bytes, "half-resized image"));
  }
  uint8_t* narrow = resize_down ? between.as<uint8_t>().data() : out;
  Weights horizontal;
  const bool resize_across = across.in != across.out;
  if (resize_across) CLIPGLOT_RETURN_IF_ERROR(horizontal.Init(across, &check));
  for (size_t y = 0; y < rows; ++y) {
    if (check.Spend(row_bytes + in_row_bytes)) return StopCheck::Stopped();
    const uint8_t* row = in + (first_row + y) * in_row_bytes;
    if (resize_across) {
      ResizeRow(row, horizontal, size, narrow + y * row_bytes);
    } else {
      std::memcpy(narrow + y * row_bytes, row + static_cast<size_t>(across.first) * kChannels,
                  row_bytes);
    }
  }
  if (!resize_down) return result;

  CLIPGLOT_ASSIGN_OR_RETURN(AlignedBuffer sums,
                            AlignedBuffer::TryAllocateArray<int32_t>(row_bytes, "resize"));
  for (size_t i = 0; i < size; ++i) {
    if (check.Spend(row_bytes * (vertical.span(i).count + 1))) return StopCheck::Stopped();
    ResizeColumn(narrow, first_row, row_bytes, vertical, i, sums.as<int32_t>().data(),
                 out + i * row_bytes);
  }
  return result;
}

void NormalizePixels(const RgbImage& image, const PreprocessConfig& config, std::span<float> out) {
  const uint8_t* in = image.pixels.as<uint8_t>().data();
  const size_t pixels = image.width * image.height;
  for (size_t c = 0; c < kChannels; ++c) {
    // Each of the 256 values once: three float32 operations, as torchvision's ToTensor and
    // Normalize.
    float values[256];
    for (int v = 0; v < 256; ++v) {
      const float unit = static_cast<float>(v) / 255.0f;
      values[v] = (unit - config.mean[c]) / config.std[c];
    }
    float* plane = out.data() + c * pixels;
    for (size_t i = 0; i < pixels; ++i) plane[i] = values[in[i * kChannels + c]];
  }
}

}  // namespace clipglot
