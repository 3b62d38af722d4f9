// Errors are values: what went wrong and where, and what to do about it.
//
// A function that can fail for a reason its caller may want to tell a person returns Result<T>.
// Exceptions of libraries (LibTorch, nlohmann-json) are turned into an Error where they enter.
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <string>
#include <utility>

namespace consort {

// `what` is one factual clause, lower case, without a full stop, file names in double quotes:
//   could not open "a.wav": permission denied
// `hint` is what the person can do, one sentence, or empty.
struct Error {
  std::string what;
  std::string hint = {};

  // Both on one line: `what; hint`.
  std::string Sentence() const { return hint.empty() ? what : what + "; " + hint; }
};

template <typename T>
using Result =
    BOOST_OUTCOME_V2_NAMESPACE::basic_result<T, Error,
                                             BOOST_OUTCOME_V2_NAMESPACE::policy::terminate>;

using Status = Result<void>;

inline Status Ok() { return BOOST_OUTCOME_V2_NAMESPACE::success(); }

// `could not VERB "path": strerror(errno_value)`.
Error SystemError(const std::string& verb, const std::string& path, int errno_value);

}  // namespace consort

// Returns the error of a failed Result or Status from the enclosing function.
//   CONSORT_TRY(const auto value, MayFail());   CONSORT_TRY(value, MayFail());
//   CONSORT_TRY(MayFailWithoutValue());
// The first declares (or assigns to) what comes before the comma; it is two statements. Boost's own
// macro of this kind changed its meaning between releases.
#define CONSORT_TRY(first, ...)                                          \
  CONSORT_TRY_PICK(__VA_OPT__(CONSORT_TRY_VALUE, ) CONSORT_TRY_STATUS, ) \
  (first __VA_OPT__(, ) __VA_ARGS__)

#define CONSORT_TRY_PICK(chosen, ...) chosen
#define CONSORT_TRY_GLUE_EXPANDED(a, b) a##b
#define CONSORT_TRY_GLUE(a, b) CONSORT_TRY_GLUE_EXPANDED(a, b)
#define CONSORT_TRY_STATUS(expression)                                         \
  do {                                                                         \
    auto&& consort_try = (expression);                                         \
    if (!consort_try.has_value()) {                                            \
      return static_cast<decltype(consort_try)&&>(consort_try).assume_error(); \
    }                                                                          \
  } while (false)
#define CONSORT_TRY_VALUE(target, ...) \
  CONSORT_TRY_VALUE_NAMED(CONSORT_TRY_GLUE(consort_try_, __COUNTER__), target, __VA_ARGS__)
#define CONSORT_TRY_VALUE_NAMED(result, target, ...)                                      \
  auto&& result = (__VA_ARGS__);                                                          \
  if (!result.has_value()) return static_cast<decltype(result)&&>(result).assume_error(); \
  target = static_cast<decltype(result)&&>(result).assume_value()
