#include "pack_writer_handle.h"

#include <span>
#include <utility>

#include "conversions.h"

namespace clipglot {
namespace {

PackTensorObject Get(std::span<const PackTensor> tensors, int index) {
  if (index < 0 || index >= static_cast<int>(tensors.size())) return {};
  const PackTensor& tensor = tensors[static_cast<size_t>(index)];
  double bytes = static_cast<double>(DTypeSize(tensor.dtype));
  for (const uint64_t side : tensor.shape) bytes *= static_cast<double>(side);
  return {tensor.name,  std::string(DTypeName(tensor.dtype)), ToArray(std::span(tensor.shape)),
          tensor.group, static_cast<double>(tensor.unit),     Address(tensor.bytes.data()),
          bytes};
}

}  // namespace

StatusObject PackWriterHandle::Create(const PackOptionsObject& in) {
  const Result<WeightFormat> dtype = ToWeightFormat(in.dtype);
  if (!dtype.ok()) return Failed<StatusObject>(dtype.status());
  PackOptions options{in.text, in.vision, *dtype};
  if (Status s = ToSize(in.threads, "threads", &options.threads); !s.ok())
    return Failed<StatusObject>(s);
  Result<std::unique_ptr<PackWriter>> writer = PackWriter::Create(options);
  if (!writer.ok()) return Failed<StatusObject>(writer.status());
  writer_ = std::move(*writer);
  return {};
}

void PackWriterHandle::AddFile(const std::string& path, double bytes) {
  files_.push_back({path, static_cast<uint64_t>(bytes)});
}

StatusObject PackWriterHandle::Begin(double state, double bytes) {
  return Failed<StatusObject>(
      writer_->Begin(std::exchange(files_, {}), Span<std::byte>(state, bytes)));
}

RangeObject PackWriterHandle::Want() const { return ToObject(writer_->Want()); }
MemoryObject PackWriterHandle::Reserve() { return ToObject(writer_->Reserve()); }
StatusObject PackWriterHandle::Commit() { return Failed<StatusObject>(writer_->Commit()); }

PackTensorObject PackWriterHandle::Planned(int index) const { return Get(writer_->plan(), index); }
PackTensorObject PackWriterHandle::Tensor(int index) const {
  return Get(writer_->tensors(), index);
}

MemoryObject PackWriterHandle::SaveState() {
  const std::span<const std::byte> state = writer_->SaveState();
  return {{}, Address(state.data()), static_cast<double>(state.size())};
}

TextObject PackWriterHandle::SelfTestJson() const {
  Result<std::string> json = writer_->SelfTestJson();
  if (!json.ok()) return Failed<TextObject>(json.status());
  return {{}, std::move(*json)};
}

}  // namespace clipglot
