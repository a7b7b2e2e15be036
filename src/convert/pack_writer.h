// Turns a model folder into the tensors of a pack (docs/FORMAT.md), piece by piece: the engine's
// own reader with a sink that quantises the parts instead of building towers from them, and
// computes the pack's self-test on the way. Files, hashes and the manifest are the caller's job
// (js/src/convert), because only the caller has a disk.
//
// Takes: the conversation of loading (see engine.h). Gives: first the list of all tensors, then
// after each Commit those that are finished. At most one part of the model is in memory, and of the
// word embedding one block of 16 MiB. What was emitted need not be computed again: a state can
// be saved after each Commit, and another writer continues from it. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "base/weight_format.h"
#include "container/demand.h"

namespace clipglot {

struct PackOptions {
  bool text = true;  // towers to convert
  bool vision = true;
  WeightFormat format = WeightFormat::kInt8PerRow;
  size_t threads = 1;  // for the self-test, as EngineOptions
};

// One tensor as it goes into a shard.
struct PackTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<uint64_t> shape;
  // "text-embeddings", "text-layers" or "vision": a shard holds tensors of one group only.
  std::string group;
  // Tensors of one unit are finished by one Commit, and a Commit finishes at most one unit.
  size_t unit = 0;
  std::span<const std::byte> bytes;  // little-endian, row-major; at most 16 MiB
};

class PackWriter {
 public:
  // Errors: kInvalidArgument naming the option.
  static Result<std::unique_ptr<PackWriter>> Create(const PackOptions& options);
  virtual ~PackWriter() = default;

  // The conversation, as Engine's:
  //   Begin(files); while (auto range = Want()) { auto to = Reserve(); copy the range into *to;
  //   Commit(); write tensors() }
  // `files`: all that the source can give, an upstream checkpoint. `state`: what SaveState gave in
  // a conversion of the same files with the same options, or empty. Errors: those of ModelReader;
  // kInvalidArgument when the source is a pack, or the state is not of this conversion.
  virtual Status Begin(std::vector<FileEntry> files, std::span<const std::byte> state) = 0;
  virtual std::optional<ByteRange> Want() const = 0;
  virtual Result<std::span<std::byte>> Reserve() = 0;
  virtual Status Commit() = 0;
  // Tensor bytes of the source to be read in all (0 until known) and read so far.
  virtual uint64_t total_bytes() const = 0;
  virtual uint64_t read_bytes() const = 0;

  // All tensors of the pack in their order, without bytes. Known before the first tensor comes,
  // empty until then.
  virtual std::span<const PackTensor> plan() const = 0;
  // Tensors that the last Commit finished (often none), in the order of plan(). Their bytes are
  // valid until the next Commit or Begin.
  virtual std::span<const PackTensor> tensors() const = 0;
  // Everything was read and emitted.
  virtual bool done() const = 0;
  // What Begin needs to continue after the tensors that were emitted so far. Valid until the next
  // call.
  virtual std::span<const std::byte> SaveState() = 0;
  // Name of the source's tokenizer file that belongs into the pack, e.g. "tokenizer.json"; known
  // when done(). Empty when the text tower was not asked for.
  virtual std::string tokenizer_file() const = 0;
  // The manifest's member `selfTest`; when done(). Errors: kInternal when a vector is not finite.
  virtual Result<std::string> SelfTestJson() const = 0;
};

}  // namespace clipglot
