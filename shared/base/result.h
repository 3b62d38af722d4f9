// Errors are values: what went wrong and where, and what to do about it.
//
// A function that can fail for a reason its caller may want to tell a person returns Result<T>.
// Exceptions of libraries (LibTorch, nlohmann-json) are turned into an Error where they enter.
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/try.hpp>
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
using Result = BOOST_OUTCOME_V2_NAMESPACE::basic_result<
    T, Error, BOOST_OUTCOME_V2_NAMESPACE::policy::terminate>;

using Status = Result<void>;

inline Status Ok() { return BOOST_OUTCOME_V2_NAMESPACE::success(); }

// `could not VERB "path": strerror(errno_value)`.
Error SystemError(const std::string& verb, const std::string& path, int errno_value);

}  // namespace consort

// CONSORT_TRY(auto value, MayFail());  CONSORT_TRY(MayFailWithoutValue());
#define CONSORT_TRY(...) BOOST_OUTCOME_TRY(__VA_ARGS__)
