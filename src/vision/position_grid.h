// Position embeddings for fewer patches than the model has: as upstream makes them for another
// image size.
#pragma once

#include <cstddef>
#include <span>

namespace clipglot {

// `from` [grid · grid, width], row by row; `to` [size · size, width]: bicubic interpolation of the
// grid, each number of a position for itself, edges repeated. (Keys' cubic convolution with a =
// -0.75 and pixel centres at halves: what torch.nn.functional.interpolate(mode="bicubic",
// align_corners=False) does, which upstream EVA-CLIP calls in resize_evaclip_pos_embed, utils.py.)
// 1 <= size <= grid.
void ResizePositions(std::span<const float> from, size_t grid, size_t width, size_t size,
                     std::span<float> to);

}  // namespace clipglot
