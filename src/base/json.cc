#include "base/json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace clipglot {
namespace {

using Node = nlohmann::json;

const Node* AsNode(const void* node) { return static_cast<const Node*>(node); }

// nlohmann-json bounds neither depth nor size, so nesting is measured before it runs.
bool DepthWithin(std::string_view text, int max_depth) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > max_depth) return false;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return true;
}

}  // namespace

struct Json::Document {
  Node root;
  std::string what;
};

Result<Json> Json::Parse(std::string_view text, std::string what, Limits limits) {
  if (text.size() > limits.max_bytes) {
    return Status(Code::kCorruptModel, StrCat(what, ": ", text.size(), " bytes, at most ", limits.max_bytes, " allowed"));
  }
  if (!DepthWithin(text, limits.max_depth)) {
    return Status(Code::kCorruptModel, StrCat(what, ": nested deeper than ", limits.max_depth));
  }
  auto document = std::make_shared<Document>();
  document->root = Node::parse(text, nullptr, /*allow_exceptions=*/false);
  document->what = std::move(what);
  if (document->root.is_discarded()) {
    return Status(Code::kCorruptModel, StrCat(document->what, ": not valid JSON"));
  }
  Json json;
  json.node_ = &document->root;
  json.document_ = std::move(document);
  return json;
}

bool Json::is_null() const { return exists() && AsNode(node_)->is_null(); }
bool Json::is_object() const { return exists() && AsNode(node_)->is_object(); }
bool Json::is_array() const { return exists() && AsNode(node_)->is_array(); }
bool Json::is_string() const { return exists() && AsNode(node_)->is_string(); }
bool Json::is_number() const { return exists() && AsNode(node_)->is_number(); }
bool Json::is_bool() const { return exists() && AsNode(node_)->is_boolean(); }

size_t Json::size() const { return is_object() || is_array() ? AsNode(node_)->size() : 0; }

Json Json::operator[](std::string_view key) const {
  Json out;
  out.document_ = document_;
  out.path_ = path_.empty() ? Printable(key) : StrCat(path_, ".", Printable(key));
  if (is_object()) {
    const auto found = AsNode(node_)->find(std::string(key));
    if (found != AsNode(node_)->end()) out.node_ = &*found;
  }
  return out;
}

Json Json::At(size_t index) const {
  Json out;
  out.document_ = document_;
  out.path_ = StrCat(path_, "[", index, "]");
  if (is_array() && index < size()) out.node_ = &(*AsNode(node_))[index];
  return out;
}

std::vector<std::string> Json::Keys() const {
  std::vector<std::string> keys;
  if (is_object()) {
    for (auto it = AsNode(node_)->begin(); it != AsNode(node_)->end(); ++it) keys.push_back(it.key());
  }
  return keys;
}

Result<int64_t> Json::AsInt() const {
  if (!is_number()) return Error("an integer is expected");
  const Node& node = *AsNode(node_);
  if (node.is_number_unsigned()) {
    const auto value = node.get<uint64_t>();
    if (value > static_cast<uint64_t>(INT64_MAX)) return Error("the integer is too large");
    return static_cast<int64_t>(value);
  }
  if (node.is_number_integer()) return node.get<int64_t>();
  const auto value = node.get<double>();
  if (!(std::abs(value) < 9e15) || value != std::floor(value)) return Error("an integer is expected");
  return static_cast<int64_t>(value);
}

Result<double> Json::AsDouble() const {
  if (!is_number()) return Error("a number is expected");
  const auto value = AsNode(node_)->get<double>();
  if (!std::isfinite(value)) return Error("a finite number is expected");
  return value;
}

Result<bool> Json::AsBool() const {
  if (!is_bool()) return Error("true or false is expected");
  return AsNode(node_)->get<bool>();
}

Result<std::string_view> Json::AsStringView() const {
  if (!is_string()) return Error("a string is expected");
  return std::string_view(AsNode(node_)->get_ref<const std::string&>());
}

Result<std::string> Json::AsString() const {
  CLIPGLOT_ASSIGN_OR_RETURN(std::string_view view, AsStringView());
  return std::string(view);
}

Result<int64_t> Json::AsIntOr(int64_t fallback) const { return !exists() || is_null() ? fallback : AsInt(); }
Result<double> Json::AsDoubleOr(double fallback) const { return !exists() || is_null() ? fallback : AsDouble(); }
Result<bool> Json::AsBoolOr(bool fallback) const { return !exists() || is_null() ? fallback : AsBool(); }
Result<std::string> Json::AsStringOr(std::string fallback) const {
  if (!exists() || is_null()) return fallback;
  return AsString();
}

std::string Json::Path() const {
  std::string what = document_ ? document_->what : "JSON";
  return path_.empty() ? what : StrCat(what, ": ", path_);
}

Status Json::Error(std::string_view problem) const {
  return Status(Code::kCorruptModel, StrCat(Path(), ": ", exists() ? "" : "missing, ", problem));
}

std::string JsonQuote(std::string_view text) {
  return Node(std::string(text)).dump(-1, ' ', false, Node::error_handler_t::replace);
}

}  // namespace clipglot
