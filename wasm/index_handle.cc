#include "index_handle.h"

#include <utility>

#include "conversions.h"

namespace clipglot {

StatusObject IndexHandle::Create(double dimensions) {
  size_t size = 0;
  if (Status s = ToSize(dimensions, "dimensions", &size); !s.ok()) return Failed<StatusObject>(s);
  Result<FlatIndex> index = FlatIndex::Create(size);
  if (!index.ok()) return Failed<StatusObject>(index.status());
  index_ = std::make_unique<FlatIndex>(std::move(*index));
  return {};
}

StatusObject IndexHandle::Add(double rows, double count) {
  return Failed<StatusObject>(index_->Add(Span<float>(rows, count)));
}

HitsObject IndexHandle::Search(double query, double count, double k) {
  size_t wanted = 0;
  if (Status s = ToSize(k, "k", &wanted); !s.ok()) return Failed<HitsObject>(s);
  const Result<std::vector<Hit>> hits = index_->Search(Span<float>(query, count), wanted);
  if (!hits.ok()) return Failed<HitsObject>(hits.status());
  rows_.clear();
  scores_.clear();
  for (const Hit& hit : *hits) rows_.push_back(hit.row), scores_.push_back(hit.score);
  return {{}, Address(rows_.data()), Address(scores_.data()), static_cast<int>(rows_.size())};
}

}  // namespace clipglot
