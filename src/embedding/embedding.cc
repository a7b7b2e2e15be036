#include "embedding/embedding.h"

#include <cmath>

#include "base/strings.h"

namespace clipglot {

Result<size_t> EmbeddingLength(size_t full, size_t dimensions, bool normalized) {
  if (dimensions > full) {
    return Status(Code::kInvalidArgument,
                  StrCat("dimensions ", dimensions, ": the model gives 1 to ", full));
  }
  if (!normalized && dimensions != 0 && dimensions != full) {
    return Status(Code::kInvalidArgument,
                  StrCat("dimensions ", dimensions, " with normalized false: raw vectors have ",
                         full, " dimensions"));
  }
  return dimensions == 0 ? full : dimensions;
}

Status FinishEmbedding(std::span<const float> pooled, size_t dimensions, bool normalized,
                       std::span<float> out) {
  CLIPGLOT_ASSIGN_OR_RETURN(const size_t length,
                            EmbeddingLength(pooled.size(), dimensions, normalized));
  if (out.size() != length)
    return Status(Code::kInvalidArgument, StrCat("output of ", out.size(), ", not ", length));
  double squares = 0;
  for (size_t i = 0; i < length; ++i) {
    if (!std::isfinite(pooled[i]))
      return Status(Code::kInternal, StrCat("vector[", i, "] is not finite"));
    squares += double{pooled[i]} * pooled[i];
  }
  const double scale = normalized && squares > 0 ? 1.0 / std::sqrt(squares) : 1.0;
  for (size_t i = 0; i < length; ++i) out[i] = static_cast<float>(pooled[i] * scale);
  return OkStatus();
}

}  // namespace clipglot
