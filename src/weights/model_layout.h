// The one description of a model's tensors: for every part, which values it holds, which tensors
// of a checkpoint they come from, and under which names they lie in a pack. Everything is computed
// from the configuration; checkpoint reader, pack reader and pack writer all go by it, so that they
// cannot disagree.
//
// Names of checkpoint tensors: jina-clip-v2's. Names in a pack: docs/FORMAT.md. Thread-safe: no
// state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "weights/model_config.h"
#include "weights/model_weights.h"

namespace clipglot {

// All parts in the order in which a reader delivers them.
std::vector<PartId> ListParts(const ModelConfig& config, bool text, bool vision);

// "text" or "vision".
std::string_view PartTower(PartId id);
// "text-embeddings", "text-layers" or "vision": shards of a pack hold one group each.
std::string_view PartGroup(PartId id);

// An empty part of that kind, to be filled through its slots.
PartData MakePart(PartId id);

// One tensor of a checkpoint and the place in a slot that it fills.
struct Source {
  std::string name;
  std::vector<uint64_t> shape;
  size_t rows = 0, columns = 0;  // the same shape as a matrix; a vector is one row
  size_t offset = 0;             // of its first element in the slot
  // With an adapter, W + scale · R C: R [adapters, rows, rank] has a row for each row of W, C
  // [adapters, rank, columns] a column for each column (upstream's lora_B and lora_A for linears,
  // lora_A and lora_B for embeddings). Else empty.
  std::string row_factor, column_factor;
};

// One field of a part: a matrix, or a vector (then `rows` is 1 and `vector` is set).
struct Slot {
  std::string name;  // in a pack, without the suffix of a number format
  size_t rows = 0, columns = 0;
  bool quantised = false;  // kept as int8 or in 4 bits when the model's arithmetic is q8 or q4
  Matrix* matrix = nullptr;
  std::vector<float>* vector = nullptr;
  std::vector<Source> sources;
};

// The fields of `part`, which is of the kind `id` names, in their order in a pack. The pointers
// point into `part`. `part` may be empty: sizes come from `config`.
std::vector<Slot> ListSlots(const ModelConfig& config, PartId id, PartData& part);

// Bytes of the slot's values at `format`, scales included.
uint64_t SlotBytes(const Slot& slot, WeightFormat format);
// Allocates the slot's values at `format`. Vectors are zero, matrices not initialised.
// Errors: kOutOfMemory.
Status AllocateSlot(const Slot& slot, WeightFormat format);

// A checkpoint's tensors, as they must be.
struct ExpectedTensor {
  std::string name;
  std::vector<uint64_t> shape;
};
// All tensors of both towers, except logit_scale.
std::vector<ExpectedTensor> ListCheckpointTensors(const ModelConfig& config);
// True for names that a checkpoint may hold besides: logit_scale and tables that are computed
// anyway.
bool IsIgnoredTensor(std::string_view name);
// Shapes of the adapter's factors of `source`, all adapters.
std::vector<uint64_t> RowFactorShape(const TextConfig& config, const Source& source);
std::vector<uint64_t> ColumnFactorShape(const TextConfig& config, const Source& source);

// One tensor of a pack and the memory of its values. Matrices above 16 MiB lie in row blocks.
struct PackEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<uint64_t> shape;
  std::span<std::byte> bytes;
};
// The slot's tensors in a pack, in their order. The slot is allocated (AllocateSlot) or filled.
std::vector<PackEntry> ListPackEntries(const Slot& slot);

}  // namespace clipglot
