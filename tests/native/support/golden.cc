#include "support/golden.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

namespace clipglot::testing {

std::string TestData(const std::string& relative) {
  return std::string(CLIPGLOT_TEST_DATA) + "/" + relative;
}

std::vector<std::byte> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << "cannot read " << path;
  const std::vector<char> chars((std::istreambuf_iterator<char>(in)),
                                std::istreambuf_iterator<char>());
  std::vector<std::byte> out(chars.size());
  if (!chars.empty()) std::memcpy(out.data(), chars.data(), chars.size());
  return out;
}

nlohmann::json ReadJson(const std::string& path) {
  const std::vector<std::byte> bytes = ReadFile(path);
  const char* begin = reinterpret_cast<const char*>(bytes.data());
  nlohmann::json out =
      nlohmann::json::parse(begin, begin + bytes.size(), nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(out.is_discarded()) << path << " is not JSON";
  return out;
}

GoldenTensors GoldenTensors::Load(const std::string& path) {
  GoldenTensors out;
  const std::vector<std::byte> file = ReadFile(path);
  uint64_t header_bytes = 0;
  if (file.size() < sizeof(header_bytes)) return out;
  std::memcpy(&header_bytes, file.data(), sizeof(header_bytes));
  EXPECT_LE(header_bytes, file.size() - sizeof(header_bytes)) << path;
  if (header_bytes > file.size() - sizeof(header_bytes)) return out;
  const char* begin = reinterpret_cast<const char*>(file.data()) + sizeof(header_bytes);
  const auto header =
      nlohmann::json::parse(begin, begin + header_bytes, nullptr, /*allow_exceptions=*/false);
  EXPECT_TRUE(header.is_object()) << path;
  if (!header.is_object()) return out;
  out.data_.assign(file.begin() + static_cast<ptrdiff_t>(sizeof(header_bytes) + header_bytes),
                   file.end());
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") continue;
    Entry entry;
    entry.dtype = value.at("dtype").get<std::string>();
    entry.shape = value.at("shape").get<std::vector<size_t>>();
    entry.begin = value.at("data_offsets").at(0).get<size_t>();
    entry.end = value.at("data_offsets").at(1).get<size_t>();
    EXPECT_LE(entry.begin, entry.end) << name;
    EXPECT_LE(entry.end, out.data_.size()) << name;
    if (entry.begin <= entry.end && entry.end <= out.data_.size()) out.entries_[name] = entry;
  }
  return out;
}

std::vector<std::string> GoldenTensors::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

std::vector<size_t> GoldenTensors::Shape(const std::string& name) const {
  const auto found = entries_.find(name);
  EXPECT_NE(found, entries_.end()) << "no tensor " << name;
  return found == entries_.end() ? std::vector<size_t>() : found->second.shape;
}

template <typename T>
std::vector<T> GoldenTensors::Get(const std::string& name, const char* dtype) const {
  const auto found = entries_.find(name);
  EXPECT_NE(found, entries_.end()) << "no tensor " << name;
  if (found == entries_.end()) return {};
  const Entry& entry = found->second;
  EXPECT_EQ(entry.dtype, dtype) << name;
  if (entry.dtype != dtype) return {};
  std::vector<T> out((entry.end - entry.begin) / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), data_.data() + entry.begin, out.size() * sizeof(T));
  return out;
}

std::vector<float> GoldenTensors::F32(const std::string& name) const {
  return Get<float>(name, "F32");
}
std::vector<uint8_t> GoldenTensors::U8(const std::string& name) const {
  return Get<uint8_t>(name, "U8");
}
std::vector<int32_t> GoldenTensors::I32(const std::string& name) const {
  return Get<int32_t>(name, "I32");
}

}  // namespace clipglot::testing
