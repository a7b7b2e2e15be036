// Reads a model, piece by piece, without ever holding more of the source than one piece.
//
// Takes: the list of files that a source can give: an upstream checkpoint folder (config.json,
// preprocessor_config.json, tokenizer.json or sentencepiece.bpe.model, model.safetensors in F32,
// F16 or BF16) or a pack (manifest.json and what it names). Gives: checked parts to a ModelSink.
// The names and shapes of all tensors are computed from the configuration; the files are checked
// against that list and never trusted. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "container/demand.h"
#include "weights/model_weights.h"

namespace clipglot {

struct ReadOptions {
  bool text = true;
  bool vision = true;
  // Weights of an unquantised checkpoint become this. A pack has its own and ignores this.
  WeightFormat format = WeightFormat::kInt8PerRow;
  // To go on with a checkpoint where an earlier reader stopped: parts (ListParts) that the sink
  // does not need again, and rows of the word embedding after the first part. The sink asked for
  // word rows then as now. Packs ignore both.
  size_t first_part = 0;
  size_t first_word_row = 0;
  // The files of a pack may lack hashes: they come from this process, not from outside.
  bool hashes_optional = false;
};

class ModelReader {
 public:
  // `files`: what the source can give, any order. `sink` must outlive the reader.
  // Errors: kCorruptModel when a needed file is not listed, kInvalidArgument when no tower is asked
  // for.
  static Result<std::unique_ptr<ModelReader>> Create(std::vector<FileEntry> files,
                                                     const ReadOptions& options, ModelSink* sink);
  virtual ~ModelReader() = default;

  // The range that is needed next; nothing when the model is complete. At most 64 MiB long (row
  // blocks of a large matrix, single tensors, or one shard). Changes only in Commit.
  virtual std::optional<ByteRange> Want() const = 0;
  // Where the bytes of Want() go: exactly Want()->length bytes, owned by the reader, valid until
  // Commit. Errors: kOutOfMemory; kInvalidArgument when nothing is wanted.
  virtual Result<std::span<std::byte>> Reserve() = 0;
  // The bytes are there: verifies (SHA-256 for packs), converts, delivers finished parts to the
  // sink. Errors: those of the format (kCorruptModel, kUnsupportedModel, kUnsupportedVersion) and
  // of the sink. A hash that does not fit is found before anything is used: Want() stays, and the
  // range may be fetched again. After any other error the reader delivers nothing more. `sha256`:
  // of exactly these bytes, in lower-case hexadecimal, where the caller's platform has computed it
  // meanwhile; empty: the reader computes what it needs.
  virtual Status Commit(std::string_view sha256 = {}) = 0;
  // Bytes of tensor data that will be read in all, and those read so far, for progress. The total
  // is 0 until known.
  virtual uint64_t total_bytes() const = 0;
  virtual uint64_t read_bytes() const = 0;
};

}  // namespace clipglot
