// What multiplies the weights of one Linear: an implementation for each format and way of
// multiplying. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "nn/runtime/workspace_impl.h"

namespace clipglot {

// y = x Wᵀ + b with weights that were packed when it was made.
class Product {
 public:
  Product() = default;
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;
  virtual ~Product() = default;

  // `x` [rows, in], `y` [rows, out], rows >= 1; `nanoseconds`: about how long one thread takes, by
  // which threads are used. Errors: kOutOfMemory (scratch not reserved), kInternal.
  virtual Status Run(const float* x, size_t rows, float* y, uint64_t nanoseconds,
                     Workspace::Impl& workspace) = 0;
  // What Run takes of the workspace for `rows` rows or fewer.
  virtual ScratchNeed Scratch(size_t rows) const = 0;
  // Memory held.
  virtual size_t packed_bytes() const = 0;
};

}  // namespace clipglot
