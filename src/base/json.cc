#include "base/json.h"

#include <yyjson.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "base/strings.h"
#include "base/utf8.h"

namespace clipglot {
namespace {

using Node = yyjson_val;

// yyjson's readings take a pointer to what they don't change.
Node* AsNode(const void* node) { return const_cast<Node*>(static_cast<const Node*>(node)); }

std::string_view TextOf(Node* node) { return {yyjson_get_str(node), yyjson_get_len(node)}; }

struct Member {
  std::string_view key;
  Node* value;
};

// Of an object, sorted by key. Of two with the same key the last counts, as in most parsers.
std::vector<Member> SortedMembers(Node* object) {
  std::vector<Member> members;
  members.reserve(yyjson_obj_size(object));
  yyjson_obj_iter iter = yyjson_obj_iter_with(object);
  while (Node* key = yyjson_obj_iter_next(&iter))
    members.push_back({TextOf(key), yyjson_obj_iter_get_val(key)});
  std::stable_sort(members.begin(), members.end(),
                   [](const Member& a, const Member& b) { return a.key < b.key; });
  size_t kept = 0;
  for (const Member& member : members) {
    if (kept > 0 && members[kept - 1].key == member.key) --kept;
    members[kept++] = member;
  }
  members.resize(kept);
  return members;
}

// The tree is a list of lists, to be walked from the front. For what has more than a few children,
// a table: a file's header may have thousands of members, a vocabulary has a quarter million
// elements.
constexpr size_t kFewChildren = 16;
struct Tables {
  std::unordered_map<const void*, std::vector<Member>> members;  // sorted
  std::unordered_map<const void*, std::vector<Node*>> elements;
};

// Depth was measured before.
void MakeTables(Node* node, Tables& tables) {
  if (yyjson_is_obj(node)) {
    if (yyjson_obj_size(node) > kFewChildren) tables.members.emplace(node, SortedMembers(node));
    yyjson_obj_iter iter = yyjson_obj_iter_with(node);
    while (Node* key = yyjson_obj_iter_next(&iter))
      MakeTables(yyjson_obj_iter_get_val(key), tables);
  } else if (yyjson_is_arr(node)) {
    std::vector<Node*>* elements = nullptr;
    if (yyjson_arr_size(node) > kFewChildren) {
      elements = &tables.elements[node];
      elements->reserve(yyjson_arr_size(node));
    }
    yyjson_arr_iter iter = yyjson_arr_iter_with(node);
    while (Node* element = yyjson_arr_iter_next(&iter)) {
      if (elements != nullptr) elements->push_back(element);
      MakeTables(element, tables);
    }
  }
}

// The parser itself bounds no depth, and what walks over its tree is recursive.
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

// The way from `node` to `wanted`, in front of which `path` stands; false when it is not below.
bool FindPath(Node* node, const Node* wanted, std::string& path) {
  if (node == wanted) return true;
  const size_t length = path.size();
  const auto below = [&](Node* child, const std::string& step) {
    path += step;
    if (FindPath(child, wanted, path)) return true;
    path.resize(length);
    return false;
  };
  if (yyjson_is_obj(node)) {
    yyjson_obj_iter iter = yyjson_obj_iter_with(node);
    while (Node* key = yyjson_obj_iter_next(&iter)) {
      if (below(yyjson_obj_iter_get_val(key), StrCat(".", Printable(TextOf(key))))) return true;
    }
  } else if (yyjson_is_arr(node)) {
    yyjson_arr_iter iter = yyjson_arr_iter_with(node);
    size_t index = 0;
    while (Node* element = yyjson_arr_iter_next(&iter)) {
      if (below(element, StrCat("[", index++, "]"))) return true;
    }
  }
  return false;
}

}  // namespace

struct Json::Document {
  Document() = default;
  Document(const Document&) = delete;
  ~Document() { yyjson_doc_free(tree); }

  yyjson_doc* tree = nullptr;
  std::string what;
  Tables tables;
};

Result<Json> Json::Parse(std::string_view text, std::string what, Limits limits) {
  if (text.size() > limits.max_bytes) {
    return Status(Code::kCorruptModel, StrCat(what, ": ", text.size(), " bytes, at most ",
                                              limits.max_bytes, " allowed"));
  }
  if (!DepthWithin(text, limits.max_depth)) {
    return Status(Code::kCorruptModel, StrCat(what, ": nested deeper than ", limits.max_depth));
  }
  auto document = std::make_shared<Document>();
  document->what = std::move(what);
  yyjson_read_err problem = {};
  // Without the flag for reading in place the text is not changed.
  document->tree = yyjson_read_opts(const_cast<char*>(text.data()), text.size(), YYJSON_READ_NOFLAG,
                                    nullptr, &problem);
  if (document->tree == nullptr) {
    if (problem.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) {
      return Status(Code::kOutOfMemory, StrCat("cannot allocate memory for ", document->what));
    }
    return Status(Code::kCorruptModel, StrCat(document->what, ": not valid JSON"));
  }
  Node* root = yyjson_doc_get_root(document->tree);
  MakeTables(root, document->tables);
  Json json;
  json.node_ = json.there_ = root;
  json.document_ = std::move(document);
  return json;
}

bool Json::is_null() const { return exists() && yyjson_is_null(AsNode(node_)); }
bool Json::is_object() const { return exists() && yyjson_is_obj(AsNode(node_)); }
bool Json::is_array() const { return exists() && yyjson_is_arr(AsNode(node_)); }
bool Json::is_string() const { return exists() && yyjson_is_str(AsNode(node_)); }
bool Json::is_number() const { return exists() && yyjson_is_num(AsNode(node_)); }
bool Json::is_bool() const { return exists() && yyjson_is_bool(AsNode(node_)); }

size_t Json::size() const {
  if (is_array()) return yyjson_arr_size(AsNode(node_));
  return is_object() ? Keys().size() : 0;
}

Json Json::Below(const void* node, std::string_view step) const {
  Json out;
  out.document_ = document_;
  out.node_ = node;
  out.there_ = node != nullptr ? node : there_;
  if (node == nullptr) out.missing_ = StrCat(missing_, step);
  return out;
}

Json Json::operator[](std::string_view key) const {
  const void* found = nullptr;
  if (is_object()) {
    const auto table = document_->tables.members.find(node_);
    if (table != document_->tables.members.end()) {
      const std::vector<Member>& members = table->second;
      const auto at = std::lower_bound(
          members.begin(), members.end(), key,
          [](const Member& member, std::string_view wanted) { return member.key < wanted; });
      if (at != members.end() && at->key == key) found = at->value;
    } else {
      yyjson_obj_iter iter = yyjson_obj_iter_with(AsNode(node_));
      while (Node* name = yyjson_obj_iter_next(&iter)) {
        if (TextOf(name) == key) found = yyjson_obj_iter_get_val(name);
      }
    }
  }
  return Below(found, found != nullptr ? std::string() : StrCat(".", Printable(key)));
}

Json Json::At(size_t index) const {
  const void* found = nullptr;
  if (is_array() && index < size()) {
    const auto table = document_->tables.elements.find(node_);
    found = table != document_->tables.elements.end() ? table->second[index]
                                                      : yyjson_arr_get(AsNode(node_), index);
  }
  return Below(found, found != nullptr ? std::string() : StrCat("[", index, "]"));
}

std::vector<std::string> Json::Keys() const {
  std::vector<std::string> keys;
  if (!is_object()) return keys;
  const auto table = document_->tables.members.find(node_);
  const bool listed = table != document_->tables.members.end();
  for (const Member& member : listed ? table->second : SortedMembers(AsNode(node_)))
    keys.emplace_back(member.key);
  return keys;
}

Result<int64_t> Json::AsInt() const {
  if (!is_number()) return Error("an integer is expected");
  Node* node = AsNode(node_);
  if (yyjson_is_uint(node)) {
    const uint64_t value = yyjson_get_uint(node);
    if (value > static_cast<uint64_t>(INT64_MAX)) return Error("the integer is too large");
    return static_cast<int64_t>(value);
  }
  if (yyjson_is_sint(node)) return yyjson_get_sint(node);
  const double value = yyjson_get_real(node);
  if (!(std::abs(value) < 9e15) || value != std::floor(value))
    return Error("an integer is expected");
  return static_cast<int64_t>(value);
}

Result<double> Json::AsDouble() const {
  if (!is_number()) return Error("a number is expected");
  const double value = yyjson_get_num(AsNode(node_));
  if (!std::isfinite(value)) return Error("a finite number is expected");
  return value;
}

Result<bool> Json::AsBool() const {
  if (!is_bool()) return Error("true or false is expected");
  return yyjson_get_bool(AsNode(node_));
}

Result<std::string_view> Json::AsStringView() const {
  if (!is_string()) return Error("a string is expected");
  return TextOf(AsNode(node_));
}

Result<std::string> Json::AsString() const {
  CLIPGLOT_ASSIGN_OR_RETURN(std::string_view view, AsStringView());
  return std::string(view);
}

Result<int64_t> Json::AsIntOr(int64_t fallback) const {
  return !exists() || is_null() ? fallback : AsInt();
}
Result<double> Json::AsDoubleOr(double fallback) const {
  return !exists() || is_null() ? fallback : AsDouble();
}
Result<bool> Json::AsBoolOr(bool fallback) const {
  return !exists() || is_null() ? fallback : AsBool();
}
Result<std::string> Json::AsStringOr(std::string fallback) const {
  if (!exists() || is_null()) return fallback;
  return AsString();
}

std::string Json::Path() const {
  if (!document_) return "JSON";
  std::string path;
  FindPath(yyjson_doc_get_root(document_->tree), AsNode(there_), path);
  path += missing_;
  if (path.starts_with('.')) path.erase(0, 1);
  return path.empty() ? document_->what : StrCat(document_->what, ": ", path);
}

Status Json::Error(std::string_view problem) const {
  return Status(Code::kCorruptModel, StrCat(Path(), ": ", exists() ? "" : "missing, ", problem));
}

std::string JsonQuote(std::string_view text) {
  std::string out = "\"";
  for (size_t at = 0; at < text.size();) {
    size_t length = 0;
    const std::string_view rest = text.substr(at);
    if (IsUtf8(rest, &length)) length = rest.size();
    for (const char c : rest.substr(0, length)) {
      constexpr char kHex[] = "0123456789abcdef";
      if (c == '"' || c == '\\') {
        out.append({'\\', c});
      } else if (c == '\n') {
        out += "\\n";
      } else if (static_cast<unsigned char>(c) < 0x20) {
        out += StrCat("\\u00", std::string{kHex[c >> 4], kHex[c & 15]});
      } else {
        out += c;
      }
    }
    at += length;
    if (at < text.size()) {
      out += "\xEF\xBF\xBD";
      ++at;
    }
  }
  return out + "\"";
}

}  // namespace clipglot
