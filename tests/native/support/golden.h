// Reads test data of golden-a's layout: expected.safetensors (plain reader, no checks beyond
// bounds), JSON, whole files. For tests only: a failure is a failed expectation and an empty value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace clipglot::testing {

// Path of a file below tests/data, e.g. TestData("golden-a/expected.json").
std::string TestData(const std::string& relative);

// A whole file; a failed expectation and no bytes when it cannot be read.
std::vector<std::byte> ReadFile(const std::string& path);

// A whole JSON file; null when it cannot be read.
nlohmann::json ReadJson(const std::string& path);

class GoldenTensors {
 public:
  // `path`: a .safetensors file.
  static GoldenTensors Load(const std::string& path);

  bool Has(const std::string& name) const { return entries_.contains(name); }
  std::vector<std::string> Names() const;
  std::vector<size_t> Shape(const std::string& name) const;
  // Elements of a tensor, row-major; a failed expectation if it is missing or of another dtype.
  std::vector<float> F32(const std::string& name) const;
  std::vector<uint8_t> U8(const std::string& name) const;
  std::vector<int32_t> I32(const std::string& name) const;

 private:
  struct Entry {
    std::string dtype;
    std::vector<size_t> shape;
    size_t begin = 0, end = 0;  // in data_
  };
  template <typename T>
  std::vector<T> Get(const std::string& name, const char* dtype) const;

  std::map<std::string, Entry> entries_;
  std::vector<std::byte> data_;
};

}  // namespace clipglot::testing
