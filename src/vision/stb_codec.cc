#include "vision/stb_codec.h"

#include <climits>
#include <cstring>

#include "base/strings.h"

// Every allocation of stb_image is refused (see the header). Its assertions only repeat what the
// surrounding code guarantees (code lengths of at most 16 bits, table indices below their length),
// none guards a memory access.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
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

Status Damaged(const char* what) {
  const char* reason = stbi_failure_reason();
  return {Code::kInvalidImage, StrCat("damaged ", what, ": ", reason ? reason : "bad data")};
}

}  // namespace

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
