// An index, as JavaScript holds it: FlatIndex in the plain objects of result_objects.h.
//
// Lifetime: JavaScript makes and deletes it. Methods other than Create need a Create that succeeded
// before.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/index.h"
#include "result_objects.h"

namespace clipglot {

class IndexHandle {
 public:
  StatusObject Create(double dimensions);
  // `count` floats at `rows`: one or more vectors, contiguous.
  StatusObject Add(double rows, double count);
  HitsObject Search(double query, double count, double k);
  void Clear() { index_->Clear(); }
  int Size() const { return static_cast<int>(index_->size()); }

 private:
  std::unique_ptr<FlatIndex> index_;
  std::vector<uint32_t> rows_;  // what the last search gave
  std::vector<float> scores_;
};

}  // namespace clipglot
