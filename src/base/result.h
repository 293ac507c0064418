// Result<T>: a value or an error, the return type of every public function that can fail. Result<T, E> is one
// whose error says more than a sentence; E can be made of an Error, and is one.
//
// Exceptions do not cross folders. An Error is one sentence for a person: what is wrong, where, what to do.
// Errors judge input; CAIRN_ASSERT guards invariants and never judges input.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace cairn {

struct Error {
  std::string message;

  // The same error, told from further out: "recipe.toml: batch: must be at least 1".
  Error within(const std::string& place) const { return {place + ": " + message}; }
};

template <typename T, typename E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}  // NOLINT: a value is a result
  Result(E error) : state_(std::move(error)) {}  // NOLINT: so is an error
  template <std::same_as<Error> Sentence>
  requires(!std::same_as<E, Error>) Result(Sentence error) : state_(E(std::move(error))) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition: ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Precondition: !ok().
  const E& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, E> state_;
};

template <typename E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() = default;
  Result(E error) : error_(std::move(error)) {}  // NOLINT
  template <std::same_as<Error> Sentence>
  requires(!std::same_as<E, Error>) Result(Sentence error) : error_(E(std::move(error))) {}  // NOLINT

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const E& error() const { return *error_; }

 private:
  std::optional<E> error_;
};

using Status = Result<void>;

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace cairn

#define CAIRN_ASSERT(condition) \
  ((condition) ? void(0) : ::cairn::assertion_failed(#condition, __FILE__, __LINE__))

#define CAIRN_CONCAT_(a, b) a##b
#define CAIRN_CONCAT(a, b) CAIRN_CONCAT_(a, b)

// CAIRN_CHECK(status): returns the error to the caller, if there is one.
#define CAIRN_CHECK(expression) CAIRN_CHECK_(CAIRN_CONCAT(cairn_status_, __COUNTER__), expression)
#define CAIRN_CHECK_(status, expression)                            \
  do {                                                              \
    if (auto status = (expression); !status) return status.error(); \
  } while (false)

// CAIRN_TRY(auto x, f()): declares x as the value of f(), or returns f()'s error to the caller.
#define CAIRN_TRY(declaration, expression) \
  CAIRN_TRY_(CAIRN_CONCAT(cairn_result_, __COUNTER__), declaration, expression)
#define CAIRN_TRY_(result, declaration, expression) \
  auto result = (expression);                       \
  if (!result) return result.error();               \
  declaration = std::move(result).value()
