// Stands in for Emscripten's val.h where clang-tidy reads our files: that header compiles for wasm
// only. It declares what wasm/ uses of it, and defines nothing.
#pragma once

#include <string>
#include <vector>

namespace emscripten {

class val {
 public:
  template <typename T>
  explicit val(const T& value);
  static val array();
  template <typename T>
  static val array(const std::vector<T>& values);
  template <typename Iterator>
  static val array(Iterator begin, Iterator end);
  static val undefined();
  bool isString() const;
  template <typename T>
  T as() const;
  template <typename Return, typename... Args>
  Return call(const char* name, Args&&... args) const;
};

}  // namespace emscripten

#define EMSCRIPTEN_DECLARE_VAL_TYPE(name)                                       \
  struct name : ::emscripten::val {                                             \
    explicit name(const ::emscripten::val& value) : ::emscripten::val(value) {} \
  }
