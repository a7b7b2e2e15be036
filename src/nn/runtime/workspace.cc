#include <pthreadpool.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/checked.h"
#include "base/strings.h"
#include "nn/runtime/workspace_impl.h"

#if defined(__EMSCRIPTEN_PTHREADS__)
#include <emscripten/em_js.h>
#elif !defined(__EMSCRIPTEN__)
#include <pthread.h>
#endif

namespace clipglot {

namespace {

#if defined(__EMSCRIPTEN_PTHREADS__)
// Workers that wait for a thread to run. A worker that is not there yet would only come up after
// this call returns to the event loop, and pthreadpool_create waits for all: it would never return.
// -1: cannot be seen from this thread.
EM_JS(int, clipglot_waiting_workers, (),
      { return ENVIRONMENT_IS_PTHREAD ? -1 : PThread.unusedWorkers.length; });

bool CanStartThreads(size_t count) {
  const int waiting = clipglot_waiting_workers();
  return waiting < 0 || static_cast<size_t>(waiting) >= count;
}
#elif defined(__EMSCRIPTEN__)
bool CanStartThreads(size_t count) { return count == 0; }
#else
// pthreadpool_create waits for ever for a thread that the system refused, so `count` threads are
// started on trial.
bool CanStartThreads(size_t count) {
  pthread_t started[kMaxThreads];
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&gate);
  size_t n = 0;
  while (n < count && pthread_create(
                          &started[n], nullptr,
                          [](void* mutex) -> void* {
                            pthread_mutex_lock(static_cast<pthread_mutex_t*>(mutex));
                            pthread_mutex_unlock(static_cast<pthread_mutex_t*>(mutex));
                            return nullptr;
                          },
                          &gate) == 0) {
    ++n;
  }
  pthread_mutex_unlock(&gate);
  for (size_t i = 0; i < n; ++i) pthread_join(started[i], nullptr);
  pthread_mutex_destroy(&gate);
  return n == count;
}
#endif

}  // namespace

Workspace::Impl::~Impl() {
  if (pool != nullptr) pthreadpool_destroy(pool);
}

// Makes `buffer` at least so large. What it held is lost.
static Status Grow(AlignedBuffer& buffer, uint64_t bytes, const char* what) {
  if (bytes <= buffer.size()) return OkStatus();
  buffer = AlignedBuffer();  // let go before taking
  CLIPGLOT_ASSIGN_OR_RETURN(buffer, AlignedBuffer::TryAllocate(bytes, what));
  return OkStatus();
}

ScratchNeed ScratchNeed::Max(const ScratchNeed& a, const ScratchNeed& b) {
  return {.activations = std::max(a.activations, b.activations),
          .row_params = std::max(a.row_params, b.row_params),
          .per_thread = std::max(a.per_thread, b.per_thread)};
}

Status Workspace::Impl::Reserve(const ScratchNeed& need) {
  const auto of_threads = CheckedMul(need.per_thread, threads);
  const auto all = of_threads ? CheckedAdd(need.activations, *of_threads) : std::nullopt;
  if (!all) return Status(Code::kOutOfMemory, "quantised activations");
  CLIPGLOT_RETURN_IF_ERROR(Grow(activations, *all, "quantised activations"));
  return Grow(row_params, need.row_params, "scales of quantised activations");
}

Workspace::Workspace(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Workspace::~Workspace() = default;

Result<std::unique_ptr<Workspace>> Workspace::Create(size_t threads) {
  if (threads == 0 || threads > kMaxThreads) {
    return Status(Code::kInvalidArgument,
                  StrCat("threads: ", threads, ", allowed are 1 ... ", kMaxThreads));
  }
#if defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)
  if (threads != 1)
    return Status(Code::kInvalidArgument,
                  StrCat("threads: ", threads, ", this build has only one"));
#endif
  auto impl = std::make_unique<Impl>();
  CLIPGLOT_RETURN_IF_ERROR(impl->xnnpack.Acquire());
  CLIPGLOT_ASSIGN_OR_RETURN(
      impl->task_scratch,
      AlignedBuffer::TryAllocate(threads * kTaskScratchBytes, "scratch of tasks"));
  if (threads > 1) {
    if (!CanStartThreads(threads - 1)) {
      return Status(Code::kInternal, StrCat("cannot start ", threads - 1, " more threads"));
    }
    impl->pool = pthreadpool_create(threads);
    if (impl->pool == nullptr)
      return Status(Code::kOutOfMemory, StrCat("pool of ", threads, " threads"));
    if (pthreadpool_get_threads_count(impl->pool) != threads) {
      return Status(Code::kInvalidArgument,
                    StrCat("threads: ", threads, ", this build has only one"));
    }
  }
  impl->threads = threads;
  return std::unique_ptr<Workspace>(new Workspace(std::move(impl)));
}

size_t Workspace::threads() const { return impl_->threads; }
Profile& Workspace::profile() { return impl_->profile; }

Status Workspace::Reserve(const ScratchNeed& need) { return impl_->Reserve(need); }

void Workspace::ParallelFor(size_t count, const std::function<void(size_t)>& task) {
  RunTasks(*impl_, count, kMinParallelNanoseconds, [&](size_t, size_t index) { task(index); });
}

size_t Workspace::threads_seen() const {
  return static_cast<size_t>(std::popcount(impl_->seen.load(std::memory_order_relaxed)));
}

}  // namespace clipglot
