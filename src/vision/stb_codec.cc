#include "vision/stb_codec.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <memory>
#include <new>

#include "base/checked.h"
#include "base/strings.h"
#include "vision/jpeg_dct.h"
#include "vision/rgb_writer.h"

// Every allocation of stb_image is refused (see the header). Its assertions only repeat what the
// surrounding code guarantees (code lengths of at most 16 bits, table indices below their length),
// none guards a memory access.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_NO_SIMD
#define STBI_MAX_DIMENSIONS 65535
#define STBI_ASSERT(condition) ((void)0)
#define STBI_MALLOC(size) (static_cast<void>(size), static_cast<void*>(nullptr))
#define STBI_REALLOC(block, size) \
  (static_cast<void>(block), static_cast<void>(size), static_cast<void*>(nullptr))
#define STBI_FREE(block) static_cast<void>(block)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wunused-value"
#include "stb_image.h"
#pragma GCC diagnostic pop

namespace clipglot {
namespace {

// More scans than any encoder writes; each costs a walk over the whole picture, whatever its length
// in the file.
constexpr int kMaxScans = 256;
// Samples of a component with its padding: stb_image counts them, and 64 times the blocks, in an
// int.
constexpr uint64_t kMaxPlaneSamples = uint64_t{1} << 30;

Status Damaged(const char* what) {
  const char* reason = stbi_failure_reason();
  return {Code::kInvalidImage, StrCat("damaged ", what, ": ", reason ? reason : "bad data")};
}

void InverseDct(stbi_uc* out, int stride, short* coefficients) {
  JpegInverseDct(out, stride, coefficients);
}

// The decoder and the memory that it points into.
struct JpegReader {
  stbi__context input;
  stbi__jpeg jpeg;
  AlignedBuffer coefficients[4];  // progressive files: 64 numbers a block

  JpegReader() {
    std::memset(&input, 0, sizeof(input));
    std::memset(&jpeg, 0, sizeof(jpeg));
  }
};

// Which colours the components stand for, as libjpeg decides it (default_decompress_parms).
Result<JpegColor> ColorOf(const stbi__jpeg& jpeg, int components) {
  const int adobe = jpeg.app14_color_transform;  // -1: no Adobe segment
  switch (components) {
    case 1:
      return JpegColor::kGray;
    case 3:
      if (jpeg.jfif) return JpegColor::kYcc;
      if (adobe >= 0) return adobe == 0 ? JpegColor::kRgb : JpegColor::kYcc;
      return jpeg.rgb == 3 ? JpegColor::kRgb : JpegColor::kYcc;
    case 4:
      return adobe <= 0 ? JpegColor::kCmyk : JpegColor::kYcck;
    default:
      return Status(Code::kInvalidImage, StrCat("JPEG with ", components, " components"));
  }
}

// Sets up sizes and memory of each component after the frame header: stb_image's
// process_frame_header with buffers of our own, zeroed (missing data must not show what was in
// memory before).
Status PrepareComponents(JpegReader* reader, JpegPlanes* out) {
  stbi__jpeg& jpeg = reader->jpeg;
  const int width = static_cast<int>(out->width), height = static_cast<int>(out->height);
  int h_max = 1, v_max = 1;
  for (size_t i = 0; i < out->count; ++i) {
    h_max = std::max(h_max, jpeg.img_comp[i].h);
    v_max = std::max(v_max, jpeg.img_comp[i].v);
  }
  jpeg.img_h_max = h_max;
  jpeg.img_v_max = v_max;
  jpeg.img_mcu_w = h_max * 8;
  jpeg.img_mcu_h = v_max * 8;
  jpeg.img_mcu_x = (width + jpeg.img_mcu_w - 1) / jpeg.img_mcu_w;
  jpeg.img_mcu_y = (height + jpeg.img_mcu_h - 1) / jpeg.img_mcu_h;
  uint64_t blocks = 0;
  for (size_t i = 0; i < out->count; ++i) {
    auto& component = jpeg.img_comp[i];
    if (h_max % component.h != 0 || v_max % component.v != 0) {
      return {Code::kInvalidImage, "JPEG with fractional subsampling"};
    }
    component.x = (width * component.h + h_max - 1) / h_max;
    component.y = (height * component.v + v_max - 1) / v_max;
    component.w2 = jpeg.img_mcu_x * component.h * 8;
    component.h2 = jpeg.img_mcu_y * component.v * 8;
    JpegPlane& plane = out->planes[i];
    plane.width = static_cast<size_t>(component.x);
    plane.height = static_cast<size_t>(component.y);
    plane.stride = static_cast<size_t>(component.w2);
    plane.scale_x = static_cast<size_t>(h_max / component.h);
    plane.scale_y = static_cast<size_t>(v_max / component.v);
    const uint64_t samples = uint64_t{plane.stride} * static_cast<uint64_t>(component.h2);
    if (samples > kMaxPlaneSamples) {
      return {Code::kInvalidImage, StrCat("the image is ", out->width, " x ", out->height,
                                          " pixels, too large to decode")};
    }
    blocks += uint64_t{(plane.width + 7) / 8} * ((plane.height + 7) / 8);
  }
  // Every block takes one bit at least. This refuses a few bytes that claim to be a huge picture
  // before they cost memory.
  const auto file_bytes =
      static_cast<uint64_t>(reader->input.img_buffer_end - reader->input.img_buffer_original);
  if (blocks > file_bytes * 8) {
    return {Code::kInvalidImage, StrCat("damaged JPEG: ", out->width, " x ", out->height,
                                        " pixels cannot come from ", file_bytes, " bytes")};
  }
  for (size_t i = 0; i < out->count; ++i) {
    auto& component = jpeg.img_comp[i];
    const uint64_t samples = out->planes[i].stride * static_cast<uint64_t>(component.h2);
    AlignedBuffer& buffer = jpeg.progressive ? reader->coefficients[i] : out->planes[i].samples;
    const uint64_t bytes = jpeg.progressive ? samples * sizeof(short) : samples;
    CLIPGLOT_ASSIGN_OR_RETURN(buffer, AlignedBuffer::TryAllocate(bytes, "JPEG component"));
    std::memset(buffer.data(), 0, buffer.size());
    if (jpeg.progressive) {
      component.coeff = buffer.as<short>().data();
      component.coeff_w = component.w2 / 8;
      component.coeff_h = component.h2 / 8;
    } else {
      component.data = buffer.as<stbi_uc>().data();
    }
  }
  return OkStatus();
}

// All segments from the frame header to the end marker.
Status DecodeScans(stbi__jpeg* jpeg, size_t components) {
  uint32_t seen = 0;  // bit i: component i was in a scan
  int scans = 0;
  int marker = stbi__get_marker(jpeg);
  while (!stbi__EOI(marker)) {
    if (stbi__SOS(marker)) {
      if (++scans > kMaxScans) {
        return {Code::kInvalidImage, StrCat("JPEG with more than ", kMaxScans, " scans")};
      }
      if (!stbi__process_scan_header(jpeg)) return Damaged("JPEG scan header");
      for (int i = 0; i < jpeg->scan_n; ++i) seen |= 1u << jpeg->order[i];
      if (!stbi__parse_entropy_coded_data(jpeg)) return Damaged("JPEG data");
      if (jpeg->marker == STBI__MARKER_none) jpeg->marker = stbi__skip_jpeg_junk_at_end(jpeg);
      marker = stbi__get_marker(jpeg);
      if (STBI__RESTART(marker)) marker = stbi__get_marker(jpeg);
    } else {
      if (marker == STBI__MARKER_none && stbi__at_eof(jpeg->s)) {
        return {Code::kInvalidImage, "truncated JPEG: the file ends before its end marker"};
      }
      if (stbi__DNL(marker)) {
        stbi__skip(jpeg->s, stbi__get16be(jpeg->s) - 2);
      } else if (!stbi__process_marker(jpeg, marker)) {
        return Damaged("JPEG segment");
      }
      marker = stbi__get_marker(jpeg);
    }
  }
  if (seen != (1u << components) - 1) {
    return {Code::kInvalidImage, "damaged JPEG: a colour component has no data"};
  }
  return OkStatus();
}

// Coefficients to samples, one component after the other, each giving back its coefficients.
Status FinishProgressive(JpegReader* reader, JpegPlanes* out) {
  for (size_t i = 0; i < out->count; ++i) {
    const auto& component = reader->jpeg.img_comp[i];
    JpegPlane& plane = out->planes[i];
    CLIPGLOT_ASSIGN_OR_RETURN(
        plane.samples,
        AlignedBuffer::TryAllocate(uint64_t{plane.stride} * static_cast<uint64_t>(component.h2),
                                   "JPEG component"));
    uint8_t* samples = plane.samples.as<uint8_t>().data();
    const size_t block_rows = (plane.height + 7) / 8, block_columns = (plane.width + 7) / 8;
    for (size_t row = 0; row < block_rows; ++row) {
      for (size_t column = 0; column < block_columns; ++column) {
        short* block =
            component.coeff + 64 * (row * static_cast<size_t>(component.coeff_w) + column);
        stbi__jpeg_dequantize(block, reader->jpeg.dequant[component.tq]);
        JpegInverseDct(samples + row * 8 * plane.stride + column * 8, component.w2, block);
      }
    }
    reader->coefficients[i] = AlignedBuffer();
  }
  return OkStatus();
}

}  // namespace

Result<JpegPlanes> ReadJpegPlanes(std::span<const std::byte> file, uint64_t max_pixels) {
  if (file.size() > INT_MAX) {
    return Status(Code::kInvalidImage, StrCat("JPEG file of ", file.size(), " bytes"));
  }
  const std::unique_ptr<JpegReader> reader(new (std::nothrow) JpegReader);
  if (reader == nullptr) return Status(Code::kOutOfMemory, "cannot allocate the JPEG decoder");
  stbi__g_failure_reason = nullptr;
  stbi__start_mem(&reader->input, reinterpret_cast<const stbi_uc*>(file.data()),
                  static_cast<int>(file.size()));
  stbi__jpeg& jpeg = reader->jpeg;
  jpeg.s = &reader->input;
  stbi__setup_jpeg(&jpeg);
  jpeg.idct_block_kernel = InverseDct;
  if (!stbi__decode_jpeg_header(&jpeg, STBI__SCAN_header)) return Damaged("JPEG header");

  JpegPlanes out;
  out.width = reader->input.img_x;
  out.height = reader->input.img_y;
  out.count = static_cast<size_t>(reader->input.img_n);
  CLIPGLOT_RETURN_IF_ERROR(CheckImageSize(out.width, out.height, max_pixels));
  CLIPGLOT_RETURN_IF_ERROR(PrepareComponents(reader.get(), &out));
  CLIPGLOT_RETURN_IF_ERROR(DecodeScans(&jpeg, out.count));
  // Only now: the Adobe segment may stand anywhere before the end.
  CLIPGLOT_ASSIGN_OR_RETURN(out.color, ColorOf(jpeg, static_cast<int>(out.count)));
  if (jpeg.progressive) CLIPGLOT_RETURN_IF_ERROR(FinishProgressive(reader.get(), &out));
  return out;
}

Status InflateZlib(std::span<const std::byte> in, std::span<uint8_t> out, size_t needed) {
  if (in.size() > INT_MAX || out.size() > INT_MAX) {
    return {Code::kInvalidImage, "compressed data too long"};
  }
  stbi__zbuf state;
  std::memset(&state, 0, sizeof(state));
  stbi__g_failure_reason = nullptr;
  // stb_image does not write to its input, though its pointer is not const.
  state.zbuffer = reinterpret_cast<stbi_uc*>(const_cast<std::byte*>(in.data()));
  state.zbuffer_end = state.zbuffer + in.size();
  const int complete =
      stbi__do_zlib(&state, reinterpret_cast<char*>(out.data()), static_cast<int>(out.size()),
                    /*exp=*/0, /*parse_header=*/1);
  const auto written = static_cast<size_t>(state.zout - state.zout_start);
  if (written < needed) {
    if (!complete) return Damaged("compressed data");
    return {Code::kInvalidImage,
            StrCat("damaged image: its data gives ", written, " bytes, ", needed, " are needed")};
  }
  return OkStatus();
}

}  // namespace clipglot
