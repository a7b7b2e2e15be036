// What a Workspace holds, for the other files of nn. Private to nn.
#pragma once

#include <pthreadpool.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/aligned_buffer.h"
#include "base/limits.h"
#include "base/math.h"
#include "base/status.h"
#include "nn/runtime/workspace.h"
#include "nn/runtime/xnnpack_handle.h"

namespace clipglot {

// Work that one thread does in less than this is not spread: a worker that sleeps needs 0.05 ms
// (natively) to 0.5 ms (in a browser) to wake.
inline constexpr uint64_t kMinParallelNanoseconds = 250'000;

// What a task packs as it goes (tiles of attention), for each thread: 422 KiB.
inline constexpr size_t kTaskScratchBytes = 422 << 10;
static_assert(kTaskScratchBytes % AlignedBuffer::kAlignment == 0, "each thread's part is aligned");

struct Workspace::Impl {
  ~Impl();

  XnnpackHandle xnnpack;
  pthreadpool_t pool = nullptr;  // null for one thread: everything runs on the caller
  size_t threads = 1;
  Profile profile;
  std::atomic<uint64_t> seen = 0;  // bit t: thread t has run a task

  // Scratch of one call at a time: grown by Reserve, what it held is lost.
  AlignedBuffer activations;  // what the call needs, then what each thread needs
  AlignedBuffer row_params;
  // Errors: kOutOfMemory.
  Status Reserve(const ScratchNeed& need);

  // kTaskScratchBytes for each thread.
  AlignedBuffer task_scratch;

  // The pool to hand to XNNPACK for work that takes one thread about `nanoseconds`.
  pthreadpool_t PoolFor(uint64_t nanoseconds) const {
    return nanoseconds < kMinParallelNanoseconds ? nullptr : pool;
  }

  void NoteThread(size_t thread) {
    const uint64_t bit = uint64_t{1} << thread;
    // Read first: a write by every task would move the cache line between cores.
    if ((seen.load(std::memory_order_relaxed) & bit) == 0) {
      seen.fetch_or(bit, std::memory_order_relaxed);
    }
  }
};

inline Workspace::Impl& ImplOf(Workspace& workspace) { return *workspace.impl_; }

// Put before the function that does one row (or one piece of some thousand elements). A browser's
// engine runs new code in a slow tier and changes to the fast one only when a function is called
// again, so a loop over all rows must not swallow the loop inside a row.
#define CLIPGLOT_NOINLINE [[gnu::noinline]]

// task(thread, index) for index 0 ... count - 1, on the threads if one thread would need about
// `nanoseconds` and that is worth it. Allocates nothing. Each call of `task` must be long enough to
// be worth a jump (some microseconds).
template <typename Task>
void RunTasks(Workspace::Impl& impl, size_t count, uint64_t nanoseconds, const Task& task) {
  struct Context {
    Workspace::Impl* impl;
    const Task* task;
  } context = {&impl, &task};
  pthreadpool_parallelize_1d_with_thread(
      impl.PoolFor(nanoseconds),
      [](void* opaque, size_t thread, size_t index) {
        auto* c = static_cast<Context*>(opaque);
        c->impl->NoteThread(thread);
        (*c->task)(thread, index);
      },
      &context, count, /*flags=*/0);
}

// Calls task(thread, begin, end) for parts of 0 ... count - 1, on the threads of `impl` as RunTasks
// does, or all at once on the caller where it is null.
template <typename Task>
void RunPacking(Workspace::Impl* impl, size_t count, uint64_t nanoseconds, const Task& task) {
  const bool alone = impl == nullptr || impl->PoolFor(nanoseconds) == nullptr;
  const size_t parts = alone ? 1 : std::min(count, 4 * impl->threads);
  if (parts <= 1) return task(0, 0, count);
  RunTasks(*impl, parts, nanoseconds, [&](size_t thread, size_t index) {
    task(thread, count * index / parts, count * (index + 1) / parts);
  });
}

// Splits 0 ... count - 1 into ranges of at least `grain` (all but the last a multiple of it), a few
// per thread, and runs task(begin, end) for each.
template <typename Task>
void RunRanges(Workspace::Impl& impl, size_t count, size_t grain, uint64_t nanoseconds,
               const Task& task) {
  const size_t grains = CeilDiv(count, grain);
  const size_t wanted = impl.PoolFor(nanoseconds) == nullptr ? 1 : impl.threads * 4;
  const size_t step = CeilDiv(grains, wanted) * grain;
  if (step == 0) return;
  RunTasks(impl, CeilDiv(count, step), nanoseconds, [&](size_t, size_t index) {
    const size_t begin = index * step;
    task(begin, begin + step < count ? begin + step : count);
  });
}

}  // namespace clipglot
