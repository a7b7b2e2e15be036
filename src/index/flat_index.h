// A flat, exact index: every query is compared with every row.
//
// Takes: float32 vectors of one length. Gives: the rows with the largest dot product (cosine, when
// vectors have unit length). Rows are numbered 0, 1, ... in the order of adding. Not thread-safe
// while adding; searches are const.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"

namespace clipglot {

struct Hit {
  uint32_t row = 0;
  float score = 0;
};

class FlatIndex {
 public:
  // `dimensions`: 1 ... 4096. Errors: kInvalidArgument.
  static Result<FlatIndex> Create(size_t dimensions);

  size_t dimensions() const { return dimensions_; }
  size_t size() const { return size_; }  // rows

  // `rows` [count, dimensions], finite. All are added or none. Errors: kInvalidArgument naming the
  // row, kOutOfMemory.
  Status Add(std::span<const float> rows);
  // The `k` best rows, best first; equal scores in order of rows. `query` [dimensions], finite; k
  // above size() gives all. Errors: kInvalidArgument.
  Result<std::vector<Hit>> Search(std::span<const float> query, size_t k) const;
  void Clear() { size_ = 0; }

 private:
  explicit FlatIndex(size_t dimensions) : dimensions_(dimensions) {}
  Status Grow(uint64_t bytes);

  size_t dimensions_;
  size_t size_ = 0;
  AlignedBuffer values_;  // room for size_ rows and more
};

}  // namespace clipglot
