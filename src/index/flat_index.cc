#include "index/flat_index.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/strings.h"

namespace clipglot {
namespace {

constexpr size_t kMaxDimensions = 4096;
// Rows are 32-bit and the table must fit a 32-bit address space beside a model.
constexpr uint64_t kMaxBytes = uint64_t{2} << 30;

// In a fixed order with eight partial sums: the same result everywhere, and the compiler can use
// vectors.
float Dot(const float* a, const float* b, size_t n) {
  float sums[8] = {};
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (size_t k = 0; k < 8; ++k) sums[k] += a[i + k] * b[i + k];
  }
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

bool Better(const Hit& a, const Hit& b) {
  return a.score != b.score ? a.score > b.score : a.row < b.row;
}

}  // namespace

Result<FlatIndex> FlatIndex::Create(size_t dimensions) {
  if (dimensions == 0 || dimensions > kMaxDimensions) {
    return Status(Code::kInvalidArgument,
                  StrCat("dimensions ", dimensions, ": an index has 1 to ", kMaxDimensions));
  }
  return FlatIndex(dimensions);
}

Status FlatIndex::Add(std::span<const float> rows) {
  if (rows.size() % dimensions_ != 0) {
    return Status(Code::kInvalidArgument, StrCat(rows.size(), " numbers are not whole rows of ",
                                                 dimensions_, " dimensions"));
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!std::isfinite(rows[i])) {
      return Status(Code::kInvalidArgument, StrCat("row ", i / dimensions_, ": number ",
                                                   i % dimensions_, " is not finite"));
    }
  }
  const uint64_t needed =
      (uint64_t{size_} + rows.size() / dimensions_) * dimensions_ * sizeof(float);
  if (needed > kMaxBytes)
    return Status(Code::kOutOfMemory, StrCat("an index of ", needed, " bytes"));
  CLIPGLOT_RETURN_IF_ERROR(Grow(needed));
  std::copy(rows.begin(), rows.end(),
            values_.as<float>().begin() + static_cast<ptrdiff_t>(size_ * dimensions_));
  size_ += rows.size() / dimensions_;
  return OkStatus();
}

Status FlatIndex::Grow(uint64_t bytes) {
  if (bytes <= values_.size()) return OkStatus();
  const uint64_t doubled = std::min<uint64_t>(kMaxBytes, uint64_t{values_.size()} * 2);
  CLIPGLOT_ASSIGN_OR_RETURN(AlignedBuffer larger,
                            AlignedBuffer::TryAllocate(std::max(bytes, doubled), "an index"));
  const std::span<const std::byte> used =
      values_.bytes().first(size_ * dimensions_ * sizeof(float));
  std::copy(used.begin(), used.end(), larger.data());
  values_ = std::move(larger);
  return OkStatus();
}

Result<std::vector<Hit>> FlatIndex::Search(std::span<const float> query, size_t k) const {
  if (query.size() != dimensions_) {
    return Status(Code::kInvalidArgument,
                  StrCat("query of ", query.size(), " dimensions, the index has ", dimensions_));
  }
  for (size_t i = 0; i < query.size(); ++i) {
    if (!std::isfinite(query[i]))
      return Status(Code::kInvalidArgument, StrCat("query[", i, "] is not finite"));
  }
  if (k == 0) return Status(Code::kInvalidArgument, "k is 0");
  // A heap of the k best so far, its worst on top.
  std::vector<Hit> best;
  best.reserve(std::min(k, size_));
  const float* rows = values_.as<float>().data();
  for (size_t row = 0; row < size_; ++row) {
    const Hit hit{static_cast<uint32_t>(row),
                  Dot(rows + row * dimensions_, query.data(), dimensions_)};
    if (best.size() < k) {
      best.push_back(hit);
      std::push_heap(best.begin(), best.end(), Better);
    } else if (Better(hit, best.front())) {
      std::pop_heap(best.begin(), best.end(), Better);
      best.back() = hit;
      std::push_heap(best.begin(), best.end(), Better);
    }
  }
  std::sort_heap(best.begin(), best.end(), Better);
  return best;
}

}  // namespace clipglot
