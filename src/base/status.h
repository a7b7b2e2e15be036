// Errors as values: a code that survives up to the JavaScript caller, and a detail that names the
// offending thing.
//
// Nothing in the core throws, prints or aborts because of what came from outside. A function that
// may fail returns `Status` or `Result<T>`. Thread-safe: plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace clipglot {

// Numbers cross the border to JavaScript (js/src/errors.ts mirrors this list; a test compares the
// two) and are never reused.
enum class Code : int {
  kOk = 0,
  kInvalidArgument = 1,     // the caller broke a documented condition
  kUnsupportedVersion = 2,  // the pack is newer or older than this build reads
  kUnsupportedModel = 3,    // configuration, tokenizer or number format unknown to this build
  kCorruptModel = 4,        // a hash, bounds, shape or value check failed: download again
  kOutOfMemory = 5,         // a planned large allocation was refused
  kInvalidText = 6,         // not UTF-8 (the empty text is valid)
  kInvalidImage = 7,        // undecodable, zero-sized, or over the pixel limit
  kTooLong = 8,             // more tokens than allowed, and cutting was forbidden
  kNotLoaded = 9,           // the tower that is needed was not loaded
  kCancelled = 10,          // the CallObserver asked the call to stop
  kInternal = 11,           // a bug on our side
};

// The name that JavaScript users see, e.g. "corrupt-model".
std::string_view CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  // `detail` names the offending thing: file, tensor, byte offset, expected and found value.
  Status(Code code, std::string detail) : code_(code), detail_(std::move(detail)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& detail() const { return detail_; }

 private:
  Code code_ = Code::kOk;
  std::string detail_;
};

inline Status OkStatus() { return {}; }

// Either a value or a Status that is not ok. Shaped like std::expected, which C++20 lacks.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {
    if (status_.ok()) status_ = Status(Code::kInternal, "a result was made from an ok status");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  // Only when ok().
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace clipglot

#define CLIPGLOT_CONCAT_INNER(a, b) a##b
#define CLIPGLOT_CONCAT(a, b) CLIPGLOT_CONCAT_INNER(a, b)

// Returns the status of `expression` from the enclosing function unless it is ok.
#define CLIPGLOT_RETURN_IF_ERROR(expression)                                      \
  do {                                                                            \
    if (::clipglot::Status status_ = (expression); !status_.ok()) return status_; \
  } while (0)

// CLIPGLOT_ASSIGN_OR_RETURN(auto value, MayFail()): declares `value` or returns the status.
#define CLIPGLOT_ASSIGN_OR_RETURN(declaration, expression) \
  CLIPGLOT_ASSIGN_OR_RETURN_INNER(CLIPGLOT_CONCAT(result_, __LINE__), declaration, expression)
#define CLIPGLOT_ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                            \
  if (!result.ok()) return result.status();                              \
  declaration = *std::move(result)
