// Turns a model folder into the tensors of a pack (docs/FORMAT.md), piece by piece: the engine's
// own reader with a listener that names the parts instead of building towers from them. Files,
// hashes and the manifest are the caller's affair (tools/pack), because only the caller has a disk.
//
// Takes: the conversation of loading (see engine.h). Gives: after each Commit, the tensors that are
// finished. At most one part of the model is in memory. Not thread-safe.
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
#include "container/demand.h"

namespace clipglot {

struct PackOptions {
  bool text = true;  // towers to convert
  bool vision = true;
  std::string dtype = "q8";  // "f32" or "q8"
};

// One tensor as it goes into a shard.
struct PackTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<uint64_t> shape;
  // "text-embeddings", "text-layers" or "vision": a shard holds tensors of one group only.
  std::string group;
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
  // `files`: all that the source can give. Errors: those of ModelReader.
  virtual Status Begin(std::vector<FileEntry> files) = 0;
  virtual std::optional<ByteRange> Want() const = 0;
  virtual Result<std::span<std::byte>> Reserve() = 0;
  virtual Status Commit() = 0;
  // Tensor bytes of the source to be read in all (0 until known) and read so far.
  virtual uint64_t total_bytes() const = 0;
  virtual uint64_t read_bytes() const = 0;

  // Tensors that the last Commit finished (often none), in the order in which they belong into the
  // pack. Their bytes are valid until the next Commit or Begin.
  virtual std::span<const PackTensor> tensors() const = 0;
  // Everything was read and handed out.
  virtual bool done() const = 0;
  // Name of the source's tokenizer file that belongs into the pack, e.g. "tokenizer.json"; known
  // when done(). Empty when the text tower was not asked for.
  virtual std::string tokenizer_file() const = 0;
};

}  // namespace clipglot
