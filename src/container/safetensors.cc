#include "container/safetensors.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "base/checked.h"
#include "base/json.h"
#include "base/strings.h"

namespace clipglot {
namespace {

constexpr int kHeaderDepth = 3;  // header, tensor, shape
constexpr size_t kMaxRank = 8;

std::optional<DType> ParseDType(std::string_view name) {
  for (const DType dtype :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI32, DType::kI64}) {
    if (name == DTypeName(dtype)) return dtype;
  }
  return std::nullopt;
}

std::string TensorName(std::string_view file, std::string_view name) {
  return StrCat(file, ": tensor ", Printable(name));
}

// Members of all objects in a text that is known to be JSON: each has one colon outside strings. A
// parser that builds objects keeps one of two members with the same name; the difference of the
// counts betrays it.
size_t CountColons(std::string_view json) {
  size_t colons = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    if (in_string) {
      if (json[i] == '\\')
        ++i;
      else if (json[i] == '"')
        in_string = false;
    } else if (json[i] == '"') {
      in_string = true;
    } else if (json[i] == ':') {
      ++colons;
    }
  }
  return colons;
}

// The member name at depth 1 that stands twice in valid JSON, as it is spelled; empty when none
// does (a name may be spelled in two ways, or the repeated member is one inside a tensor).
std::string_view RepeatedName(std::string_view json) {
  std::vector<std::string_view> names;
  int depth = 0;
  bool expects_name = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') {
      const size_t begin = ++i;
      while (i < json.size() && json[i] != '"') i += json[i] == '\\' ? 2 : 1;
      if (depth == 1 && expects_name && i <= json.size()) {
        names.push_back(json.substr(begin, i - begin));
        expects_name = false;
      }
    } else if (c == '{' || c == '[') {
      if (++depth == 1) expects_name = true;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ',' && depth == 1) {
      expects_name = true;
    }
  }
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() ? std::string_view() : *twice;
}

// Members of all objects inside `json`. Recursion ends at kHeaderDepth.
size_t CountMembers(const Json& json) {
  size_t members = 0;
  for (const std::string& key : json.Keys()) members += 1 + CountMembers(json[key]);
  for (size_t i = 0; json.is_array() && i < json.size(); ++i) members += CountMembers(json.At(i));
  return members;
}

// __metadata__ maps texts to texts and is not used.
Status CheckMetadata(const Json& metadata) {
  if (!metadata.is_object()) return metadata.Error("an object is expected");
  for (const std::string& key : metadata.Keys()) {
    if (!metadata[key].is_string()) return metadata[key].Error("a string is expected");
  }
  return OkStatus();
}

// One entry of the header; `data_begin`: where the tensor data starts in the file.
Result<Section> ParseSection(std::string_view file, const std::string& name, const Json& entry,
                             uint64_t data_begin, uint64_t file_bytes) {
  const std::string what = TensorName(file, name);
  const auto corrupt = [&](std::string_view problem) {
    return Status(Code::kCorruptModel, StrCat(what, ": ", problem));
  };
  if (!entry.is_object() || entry.size() != 3)
    return corrupt("exactly dtype, shape and data_offsets are expected");

  Section section;
  section.name = name;
  const auto dtype_name = entry["dtype"].AsStringView();
  if (!dtype_name.ok()) return corrupt("dtype is not a string");
  const auto dtype = ParseDType(*dtype_name);
  if (!dtype) {
    return Status(Code::kUnsupportedModel,
                  StrCat(what, ": unknown number format ", Printable(*dtype_name, 20)));
  }
  section.dtype = *dtype;

  const Json shape = entry["shape"];
  if (!shape.is_array() || shape.size() > kMaxRank)
    return corrupt("shape is not a list of at most 8 sizes");
  uint64_t bytes = DTypeSize(section.dtype);
  for (size_t i = 0; i < shape.size(); ++i) {
    const auto size = shape.At(i).AsInt();
    if (!size.ok() || *size < 0) return corrupt("a size in shape is not a whole number");
    section.shape.push_back(static_cast<uint64_t>(*size));
    const auto product = CheckedMul(bytes, section.shape.back());
    if (!product) return corrupt("the shape is too large");
    bytes = *product;
  }
  section.bytes = bytes;

  const Json offsets = entry["data_offsets"];
  const auto begin = offsets.At(0).AsInt(), end = offsets.At(1).AsInt();
  if (offsets.size() != 2 || !begin.ok() || !end.ok() || *begin < 0 || *end < *begin) {
    return corrupt("data_offsets is not a pair of ascending whole numbers");
  }
  if (static_cast<uint64_t>(*end - *begin) != bytes) {
    return corrupt(
        StrCat("data_offsets span ", *end - *begin, " bytes, but shape and dtype need ", bytes));
  }
  const uint64_t data_bytes = file_bytes - data_begin;
  if (static_cast<uint64_t>(*end) > data_bytes) {
    return corrupt(StrCat("its data ends ", static_cast<uint64_t>(*end) - data_bytes,
                          " bytes past the end of the file (", file_bytes, " bytes)"));
  }
  section.offset = data_begin + static_cast<uint64_t>(*begin);
  return section;
}

}  // namespace

Result<uint64_t> ParseSafetensorsPrefix(std::string_view file, std::span<const std::byte> prefix,
                                        uint64_t file_bytes) {
  if (prefix.size() != kSafetensorsPrefix || file_bytes < kSafetensorsPrefix) {
    return Status(Code::kCorruptModel,
                  StrCat(file, ": ", file_bytes, " bytes are too few for a safetensors file"));
  }
  uint64_t length = 0;
  for (size_t i = 0; i < kSafetensorsPrefix; ++i)
    length |= static_cast<uint64_t>(prefix[i]) << (8 * i);
  if (length < 2 || length > kMaxSafetensorsHeader || length > file_bytes - kSafetensorsPrefix) {
    return Status(Code::kCorruptModel,
                  StrCat(file, ": header of ", length, " bytes (at most ", kMaxSafetensorsHeader,
                         ", and within the file of ", file_bytes, " bytes)"));
  }
  return length;
}

Result<SectionTable> SectionTable::Parse(std::string_view file, std::string_view header,
                                         uint64_t file_bytes) {
  const auto data_begin = CheckedAdd(kSafetensorsPrefix, header.size());
  if (!data_begin || *data_begin > file_bytes) {
    return Status(Code::kCorruptModel, StrCat(file, ": the header is longer than the file"));
  }
  if (header.empty() || header.front() != '{') {
    return Status(Code::kCorruptModel, StrCat(file, ": the header does not begin with {"));
  }
  Json::Limits limits;
  limits.max_bytes = kMaxSafetensorsHeader;
  limits.max_depth = kHeaderDepth;
  CLIPGLOT_ASSIGN_OR_RETURN(const Json json,
                            Json::Parse(header, StrCat(file, " (header)"), limits));
  if (CountMembers(json) != CountColons(header)) {
    return Status(
        Code::kCorruptModel,
        StrCat(file, ": a name stands twice in the header: ", Printable(RepeatedName(header))));
  }

  SectionTable table;
  for (const std::string& name : json.Keys()) {
    if (name == "__metadata__") {
      CLIPGLOT_RETURN_IF_ERROR(CheckMetadata(json[name]));
      continue;
    }
    CLIPGLOT_ASSIGN_OR_RETURN(Section section,
                              ParseSection(file, name, json[name], *data_begin, file_bytes));
    table.sections_.push_back(std::move(section));
  }
  std::sort(table.sections_.begin(), table.sections_.end(), [](const Section& a, const Section& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.bytes < b.bytes;
  });

  uint64_t next = *data_begin;
  for (const Section& section : table.sections_) {
    if (section.offset != next) {
      return Status(Code::kCorruptModel,
                    StrCat(TensorName(file, section.name), ": begins at byte ", section.offset,
                           section.offset < next ? ", inside the tensor before it, which ends at "
                                                 : ", after a hole that begins at ",
                           next));
    }
    next += section.bytes;
  }
  if (next != file_bytes) {
    return Status(Code::kCorruptModel,
                  StrCat(file, ": ", file_bytes - next, " bytes after the last tensor"));
  }

  table.by_name_.resize(table.sections_.size());
  std::iota(table.by_name_.begin(), table.by_name_.end(), 0u);
  std::sort(table.by_name_.begin(), table.by_name_.end(), [&](uint32_t a, uint32_t b) {
    return table.sections_[a].name < table.sections_[b].name;
  });
  return table;
}

const Section* SectionTable::Find(std::string_view name) const {
  const auto found = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [&](uint32_t place, std::string_view wanted) { return sections_[place].name < wanted; });
  return found != by_name_.end() && sections_[*found].name == name ? &sections_[*found] : nullptr;
}

}  // namespace clipglot
