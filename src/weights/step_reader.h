// The conversation of a ModelReader, done once: a queue of steps, each a range of a file and what
// to do with its bytes. The readers of the two formats only plan steps.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/aligned_buffer.h"
#include "weights/model_reader.h"

namespace clipglot {

// Longest row block of a checkpoint that is asked for in one piece.
inline constexpr uint64_t kReadBytes = uint64_t{16} << 20;
// Longest tokenizer or other small file that is read in one piece.
inline constexpr uint64_t kMaxSmallFile = uint64_t{64} << 20;

class StepReader : public ModelReader {
 public:
  std::optional<ByteRange> Want() const final;
  Result<std::span<std::byte>> Reserve() final;
  Status Commit(std::string_view sha256 = {}) final;
  uint64_t total_bytes() const final { return total_bytes_; }
  uint64_t read_bytes() const final { return read_bytes_; }

  // Plans the first steps. Called once, by ModelReader::Create.
  Status Start() { return Advance(); }

 protected:
  struct Step {
    ByteRange range;       // not empty
    bool counted = false;  // its bytes count as progress
    std::function<Status(std::span<const std::byte>)> handle;
    bool ends_commit = false;  // what it hands out is looked at before the next step
    // Called for all steps of a commit before the first is handled. After an error of it nothing
    // has changed: the range stays wanted, and may be fetched again. The text is the hash of its
    // bytes, if that is known, else empty.
    std::function<Status(std::span<const std::byte>, std::string_view sha256)> verify = nullptr;
  };

  StepReader(std::vector<FileEntry> files, const ReadOptions& options, ModelSink* sink)
      : files_(std::move(files)), options_(options), sink_(sink) {}

  // Called when no step is left: adds the next ones with Add, or none when the model is complete.
  virtual Status Plan() = 0;
  void Add(Step step) { steps_.push_back(std::move(step)); }
  // A step that reads a whole file of 1 to `max_bytes` bytes. Errors: kCorruptModel when not
  // listed, empty or longer.
  Status AddWholeFile(std::string_view path, uint64_t max_bytes,
                      std::function<Status(std::span<const std::byte>)> handle);
  // Place of a file in the list. Errors: kCorruptModel when the source does not have it.
  Result<size_t> FindFile(std::string_view path) const;
  bool HasFile(std::string_view path) const { return FindFile(path).ok(); }
  // For progress: bytes that an earlier reader has read.
  void CountAsRead(uint64_t bytes) { read_bytes_ += bytes; }

  const std::vector<FileEntry> files_;
  const ReadOptions options_;
  ModelSink* const sink_;
  uint64_t total_bytes_ = 0;

 private:
  Status Advance();  // plans when the queue is empty, then fixes wanted_

  std::deque<Step> steps_;
  size_t batch_ = 0;  // steps whose ranges, concatenated, make up wanted_
  std::optional<ByteRange> wanted_;
  AlignedBuffer buffer_;
  bool reserved_ = false;
  uint64_t read_bytes_ = 0;
};

// Readers of the two formats (Create in model_reader.cc chooses).
std::unique_ptr<StepReader> NewCheckpointReader(std::vector<FileEntry> files,
                                                const ReadOptions& options, ModelSink* sink);
std::unique_ptr<StepReader> NewPackReader(std::vector<FileEntry> files, const ReadOptions& options,
                                          ModelSink* sink);

}  // namespace clipglot
