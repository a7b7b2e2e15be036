// A visitor for std::visit out of lambdas, one for each alternative of a std::variant.
#pragma once

namespace clipglot {

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace clipglot
