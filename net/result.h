// Result<T, E>: a value, or the reason why there is none. And TRY, which passes the reason on.
//
//   Result<Address, Error> parse(std::string_view text);
//   ...
//   Address address = TRY(parse(text));   // returns the Error from this function
//
// The project is compiled without exceptions; this is how failure travels. Part of the floor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cassert>
#include <optional>
#include <utility>

namespace sockeye {

template <typename T, typename E>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(E error) : error_(std::move(error)) {}

  explicit operator bool() const { return value_.has_value(); }

  // The value; only where the result holds one.
  T& operator*() {
    assert(value_);
    return *value_;
  }
  const T& operator*() const {
    assert(value_);
    return *value_;
  }
  T&& take() { return std::move(**this); }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }

  // Why there is no value; only where there is none.
  const E& error() const {
    assert(!value_);
    return error_;
  }

 private:
  std::optional<T> value_;
  E error_{};
};

// Nothing to hand over but that it worked.
template <typename E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() = default;
  Result(E error) : error_(std::move(error)) {}

  explicit operator bool() const { return !error_.has_value(); }
  void take() const { assert(!error_); }
  const E& error() const {
    assert(error_);
    return *error_;
  }

 private:
  std::optional<E> error_;
};

}  // namespace sockeye

// Evaluates to the value of a Result, or returns its error from the enclosing function.
// (A statement expression: g++ and clang++ both have them, and no other construct returns early.)
#define TRY(expression)                         \
  ({                                            \
    auto try_result = (expression);             \
    if (!try_result) return try_result.error(); \
    try_result.take();                          \
  })
