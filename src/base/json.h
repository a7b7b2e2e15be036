// JSON from outside, read with bounds: size, depth and UTF-8 are checked before anything is built.
// The parser behind it is yyjson; no other file knows that.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace clipglot {

// A parsed document and a view into it. Copying a Json copies a pointer: all views share the
// document, which lives as long as any of them. Looking up what is not there gives a view for which
// exists() is false, so that paths can be written without checks between:
// config["text_config"]["embed_dim"].AsInt(). Errors name a view's path. It is looked for only
// then, because a tokenizer has half a million views.
class Json {
 public:
  struct Limits {
    size_t max_bytes = size_t{1} << 20;
    int max_depth = 32;
  };

  Json() = default;
  // `text`: UTF-8. `what` names the document in errors ("config.json").
  // Errors: kCorruptModel when it is too large, too deep or not JSON.
  static Result<Json> Parse(std::string_view text, std::string what, Limits limits);
  static Result<Json> Parse(std::string_view text, std::string what) {
    return Parse(text, std::move(what), Limits());
  }

  bool exists() const { return node_ != nullptr; }  // there, null included
  bool is_null() const;                             // there and null
  bool is_object() const;
  bool is_array() const;
  bool is_string() const;
  bool is_number() const;
  bool is_bool() const;

  size_t size() const;                          // elements of an array or object, else 0
  Json operator[](std::string_view key) const;  // member of an object
  Json operator[](const char* key) const { return (*this)[std::string_view(key)]; }
  Json At(size_t index) const;            // element of an array
  std::vector<std::string> Keys() const;  // of an object, in order of the document's sorted keys

  // Typed readings. Errors: kCorruptModel naming the path, when missing or of another kind.
  Result<int64_t> AsInt() const;    // integers, and floats without a fraction
  Result<double> AsDouble() const;  // finite
  Result<bool> AsBool() const;
  Result<std::string> AsString() const;
  // Without a copy; valid while the document lives.
  Result<std::string_view> AsStringView() const;

  // The same with a default for what is missing or null; another kind is still an error.
  Result<int64_t> AsIntOr(int64_t fallback) const;
  Result<double> AsDoubleOr(double fallback) const;
  Result<bool> AsBoolOr(bool fallback) const;
  Result<std::string> AsStringOr(std::string fallback) const;

  // "config.json: text_config.embed_dim", for errors.
  std::string Path() const;
  // kCorruptModel: "<path>: <problem>".
  Status Error(std::string_view problem) const;

 private:
  struct Document;
  // A view of what is below this one, at `step` (".key" or "[3]").
  Json Below(const void* node, std::string_view step) const;

  std::shared_ptr<const Document> document_;
  const void* node_ = nullptr;   // null: not there
  const void* there_ = nullptr;  // node_, or the last one on the way that is there
  std::string missing_;          // the way from there_ on
};

// `text` as a JSON string with its quotes. Invalid UTF-8 is replaced by U+FFFD.
std::string JsonQuote(std::string_view text);

}  // namespace clipglot
