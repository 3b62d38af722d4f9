// Compiled code prints every exception with a page of backtrace to std::cerr before it hands it on.
// We get what it says as an error value and tell it once, with its file.
#pragma once

namespace consort {

// While one lives, what its thread writes to std::cerr is dropped; other threads are not concerned,
// nor is stderr itself.
class QuietErrors {
 public:
  QuietErrors();
  ~QuietErrors();
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
};

}  // namespace consort
