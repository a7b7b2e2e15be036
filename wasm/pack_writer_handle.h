// A model folder on its way into a pack, as JavaScript holds it: the conversation of loading, and
// tensors instead of an engine.
//
// Lifetime: JavaScript makes and deletes it. Methods other than Create need a Create that succeeded
// before.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "convert/pack_writer.h"
#include "convert_objects.h"
#include "result_objects.h"

namespace clipglot {

class PackWriterHandle {
 public:
  StatusObject Create(const PackOptionsObject& in);
  void AddFile(const std::string& path, double bytes);
  // `state`: `bytes` bytes that SaveState gave, or none.
  StatusObject Begin(double state, double bytes);
  RangeObject Want() const;
  MemoryObject Reserve();
  StatusObject Commit();
  double TotalBytes() const { return static_cast<double>(writer_->total_bytes()); }
  double ReadBytes() const { return static_cast<double>(writer_->read_bytes()); }
  int PlannedCount() const { return static_cast<int>(writer_->plan().size()); }
  PackTensorObject Planned(int index) const;
  int TensorCount() const { return static_cast<int>(writer_->tensors().size()); }
  PackTensorObject Tensor(int index) const;
  bool Done() const { return writer_->done(); }
  MemoryObject SaveState();
  std::string TokenizerFile() const { return writer_->tokenizer_file(); }
  TextObject SelfTestJson() const;

 private:
  std::unique_ptr<PackWriter> writer_;
  std::vector<FileEntry> files_;
};

}  // namespace clipglot
