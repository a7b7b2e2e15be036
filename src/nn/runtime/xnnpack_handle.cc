#include "nn/runtime/xnnpack_handle.h"

#include <xnnpack.h>

#include <cstdlib>

#include "base/strings.h"

namespace clipglot {
namespace {

thread_local size_t bytes_allocated = 0;

void* Allocate(void*, size_t size) {
  bytes_allocated += size;
  return std::malloc(size);
}

void* Reallocate(void*, void* pointer, size_t size) {
  bytes_allocated += size;
  return std::realloc(pointer, size);
}

void Deallocate(void*, void* pointer) { std::free(pointer); }

void* AllocateAligned(void*, size_t alignment, size_t size) {
  void* pointer = nullptr;
  if (posix_memalign(&pointer, alignment < sizeof(void*) ? sizeof(void*) : alignment, size) != 0)
    return nullptr;
  bytes_allocated += size;
  return pointer;
}

// XNNPACK keeps a pointer to this for the rest of the program.
const xnn_allocator kAllocator = {
    .context = nullptr,
    .allocate = Allocate,
    .reallocate = Reallocate,
    .deallocate = Deallocate,
    .aligned_allocate = AllocateAligned,
    .aligned_deallocate = Deallocate,
};

}  // namespace

XnnpackHandle::~XnnpackHandle() {
  if (acquired_) (void)xnn_deinitialize();
}

Status XnnpackHandle::Acquire() {
  if (acquired_) return OkStatus();
  CLIPGLOT_RETURN_IF_ERROR(FromXnnpack(xnn_initialize(&kAllocator), "xnn_initialize"));
  acquired_ = true;
  return OkStatus();
}

Status FromXnnpack(int status, const char* what) {
  if (status == xnn_status_success) return OkStatus();
  if (status == xnn_status_out_of_memory)
    return Status(Code::kOutOfMemory, StrCat("XNNPACK: ", what));
  return Status(Code::kInternal, StrCat("XNNPACK: ", what, " gave status ", status));
}

size_t XnnpackBytesAllocated() { return bytes_allocated; }

}  // namespace clipglot
