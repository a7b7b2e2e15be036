#include "base/status.h"

namespace clipglot {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalidArgument:
      return "invalid-argument";
    case Code::kUnsupportedVersion:
      return "unsupported-version";
    case Code::kUnsupportedModel:
      return "unsupported-model";
    case Code::kCorruptModel:
      return "corrupt-model";
    case Code::kOutOfMemory:
      return "out-of-memory";
    case Code::kInvalidText:
      return "invalid-text";
    case Code::kInvalidImage:
      return "invalid-image";
    case Code::kTooLong:
      return "too-long";
    case Code::kNotLoaded:
      return "not-loaded";
    case Code::kCancelled:
      return "cancelled";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

}  // namespace clipglot
