// Product with 8-bit weights of many rows, by StrassenWinogradGemm. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nn/int8/panel.h"
#include "nn/int8/strassen_winograd.h"
#include "nn/runtime/workspace_impl.h"

namespace clipglot {

// Writes into the panels' tails what the weights' own products add (StrassenOffsets). `workspace`:
// whose threads do it, or null.
void FoldStrassenOffsets(Int8Panels& panels, Workspace::Impl* workspace);

// Gives the very bits of Int8Isa::kI16Madd's kernels on the same panels.
class Int8StrassenProduct {
 public:
  // `panels` after FoldStrassenOffsets; they must outlive this.
  explicit Int8StrassenProduct(const Int8Panels& panels) : panels_(panels) {}

  // As Product::Run, with the scratch reserved.
  void Run(const float* x, size_t rows, float* y, uint64_t nanoseconds,
           Workspace::Impl& workspace) const;
  // What Run takes for `rows` rows or fewer of `in` columns.
  static ScratchNeed Scratch(size_t rows, size_t in);

 private:
  struct Blocks;  // how the rows are cut, and where what is made of them lies
  void QuantizeBlocks(const Blocks& blocks, const float* x, Workspace::Impl& workspace) const;
  void RunTask(const Blocks& blocks, size_t block, size_t first_panel, float* y) const;

  const Int8Panels& panels_;
};

}  // namespace clipglot
