// Lets a caller watch the numbers between the stages of one call. Off unless a sink is given.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/tensor.h"

namespace clipglot {

// Receives each stage while a call runs, on the calling thread. The data is valid only during the
// call; a sink that keeps it must copy. Stage names, in the order of computation:
//   text:  "ids" I32 [tokens]; "hidden.0" (after emb_ln), "hidden.1" ... (after each layer) F32
//   [tokens, hidden];
//          "raw" F32 [hidden] (pooled, before truncation). Texts of one pass lie one after the
//          other; each has its "raw".
//   image: "decoded_rgb" U8 [height, width, 3]; "resized_cropped" U8 [size, size, 3]; "pixels" F32
//   [3, size, size];
//          "hidden.0" (after pos_embed), "hidden.1" ... F32 [tokens, width]; "raw" F32 [width]
//          (before normalisation)
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void OnStage(std::string_view name, DType dtype, std::span<const size_t> shape,
                       std::span<const std::byte> data) = 0;
};

// Hands `values` with `shape` to `sink`, or does nothing when there is none.
template <typename T>
void Trace(TraceSink* sink, std::string_view name, DType dtype, std::initializer_list<size_t> shape,
           std::span<const T> values) {
  if (sink != nullptr)
    sink->OnStage(name, dtype, std::span(shape.begin(), shape.size()), std::as_bytes(values));
}

}  // namespace clipglot
