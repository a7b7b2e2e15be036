// The memory and the threads that layers run with; part of nn.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/profile.h"
#include "base/status.h"

namespace clipglot {

// Scratch memory that a call needs, in bytes.
struct ScratchNeed {
  uint64_t activations = 0;  // quantised activations of all rows
  uint64_t row_params = 0;   // what belongs to rows or blocks of them: steps, zero points, offsets
  uint64_t per_thread = 0;   // for each thread, after the activations

  // Enough for either of two calls that do not run at the same time.
  static ScratchNeed Max(const ScratchNeed& a, const ScratchNeed& b);
};

// Threads (pthreadpool) and scratch memory (quantised activations, attention tiles), sized once.
class Workspace {
 public:
  // `threads`: 1 ... 64, the calling thread included; builds without threads accept only 1.
  // In wasm the workers must wait already when this is called (Emscripten's PTHREAD_POOL_SIZE of
  // at least threads - 1): a new one would start only once the caller returns to its event loop.
  // Workers of a destroyed Workspace wait again only after such a return.
  // Errors: kInvalidArgument, kOutOfMemory, kInternal (XNNPACK refused to initialise; the threads
  // cannot be started).
  static Result<std::unique_ptr<Workspace>> Create(size_t threads);
  ~Workspace();

  size_t threads() const;
  // Sets scratch aside for calls that need this much at most, so that none of them allocates.
  // Attention needs nothing: its tiles are a fixed 422 KiB per thread, made by Create.
  // Errors: kOutOfMemory.
  Status Reserve(const ScratchNeed& need);
  // Runs task(0) ... task(count - 1), spread over the threads; returns when all are done.
  void ParallelFor(size_t count, const std::function<void(size_t)>& task);
  // Number of distinct threads that have run a task of ParallelFor, or of a layer here (not inside
  // XNNPACK), since creation: tests prove with it that all work.
  size_t threads_seen() const;
  // Every function below counts its time here, once this is started.
  Profile& profile();

  struct Impl;  // runtime/workspace_impl.h

 private:
  friend Impl& ImplOf(Workspace& workspace);
  explicit Workspace(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace clipglot
