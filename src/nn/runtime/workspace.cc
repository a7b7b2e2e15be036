#include <pthreadpool.h>
#include <xnnpack.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/checked.h"
#include "base/math.h"
#include "base/strings.h"
#include "nn/int4/quantize.h"
#include "nn/int8/product.h"
#include "nn/int8/quantize.h"
#include "nn/int8/strassen_winograd.h"
#include "nn/nn.h"
#include "nn/runtime/workspace_impl.h"

#if defined(__EMSCRIPTEN_PTHREADS__)
#include <emscripten/em_js.h>
#elif !defined(__EMSCRIPTEN__)
#include <pthread.h>
#endif

namespace clipglot {

static_assert(XNN_EXTRA_BYTES <= AlignedBuffer::kPadding,
              "XNNPACK reads past what AlignedBuffer pads");

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

static constexpr const char* kQuantizedWhat = "quantised activations";
static constexpr const char* kScalesWhat = "scales of quantised activations";

static Status TooMany(size_t rows, size_t columns) {
  return Status(Code::kOutOfMemory, StrCat("activations of ", rows, " x ", columns));
}

Status Workspace::Impl::ReserveQuantized(size_t rows, size_t columns) {
  const auto values = CheckedMul(rows, columns);
  const auto params =
      CheckedMul(uint64_t{rows} + XNN_EXTRA_QUANTIZATION_PARAMS, sizeof(xnn_quantization_params));
  if (!values || !params) return TooMany(rows, columns);
  CLIPGLOT_RETURN_IF_ERROR(Grow(quantized, *values, kQuantizedWhat));
  return Grow(row_params, *params, kScalesWhat);
}

Status Workspace::Impl::ReserveQ8(size_t rows, size_t columns, DotWay q8_way) {
  constexpr size_t kMostColumns = size_t{1} << 30;  // beyond memory, and no size overflows before
  if (columns > kMostColumns) return TooMany(rows, columns);
  rows = std::min(rows, kQ8PassRows);
  uint64_t values = uint64_t{rows} * Q8PaddedColumns(columns);
  if (q8_way == DotWay::kWide) {
    // As RunWidePass needs at most for so many rows or fewer.
    const size_t blocks = CeilDiv(rows, kWideBlockRows);
    values =
        std::max(values, blocks * WideBlockValues(blocks > 1 ? kWideBlockRows : rows + 3, columns) +
                             threads * WideScratchValues(columns));
  }
  CLIPGLOT_RETURN_IF_ERROR(Grow(quantized, values * Q8ValueBytes(q8_way), kQuantizedWhat));
  const size_t params =
      q8_way == DotWay::kNarrow ? Groups(columns) * 2 * sizeof(int32_t) : kQ8RowParamBytes;
  return Grow(row_params, uint64_t{rows} * params, kScalesWhat);
}

Status Workspace::Impl::ReserveQ4(size_t rows, size_t columns) {
  const auto blocks = CheckedMul(rows, Q4RowBlocks(columns));
  const auto bytes =
      blocks ? CheckedMul(*blocks, Q4Units(Q4Bytes(way)) * kQ4UnitBytes) : std::nullopt;
  if (!bytes) return TooMany(rows, columns);
  CLIPGLOT_RETURN_IF_ERROR(Grow(quantized, *bytes, kQuantizedWhat));
  return Grow(row_params, *blocks * (sizeof(float) + sizeof(int32_t)), kScalesWhat);
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
      impl->attention,
      AlignedBuffer::TryAllocate(threads * AttentionScratchBytes(), "tiles of attention"));
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

Status Workspace::Reserve(size_t rows, size_t columns, WeightFormat weights) {
  if (weights == WeightFormat::kInt4Block32) return impl_->ReserveQ4(rows, columns);
  return kOwnInt8 ? impl_->ReserveQ8(rows, columns, impl_->way)
                  : impl_->ReserveQuantized(rows, columns);
}

void Workspace::ParallelFor(size_t count, const std::function<void(size_t)>& task) {
  RunTasks(*impl_, count, kMinParallelNanoseconds, [&](size_t, size_t index) { task(index); });
}

size_t Workspace::threads_seen() const {
  return static_cast<size_t>(std::popcount(impl_->seen.load(std::memory_order_relaxed)));
}

}  // namespace clipglot
