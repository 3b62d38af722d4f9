#include "worker/infer/quiet_errors.h"

#include <iostream>
#include <mutex>
#include <streambuf>

namespace consort {
namespace {

thread_local int quiet = 0;

// Has no state of its own, so any number of threads may write at once.
class Filter : public std::streambuf {
 public:
  explicit Filter(std::streambuf* below) : below_(below) {}

 private:
  int_type overflow(int_type c) override {
    if (quiet > 0 || traits_type::eq_int_type(c, traits_type::eof())) {
      return traits_type::not_eof(c);
    }
    return below_->sputc(traits_type::to_char_type(c));
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    return quiet > 0 ? size : below_->sputn(text, size);
  }
  int sync() override { return quiet > 0 ? 0 : below_->pubsync(); }

  std::streambuf* below_;
};

}  // namespace

QuietErrors::QuietErrors() {
  static std::once_flag once;
  // Never taken out nor destroyed: libraries write to std::cerr until the very end.
  std::call_once(once, [] { std::cerr.rdbuf(new Filter(std::cerr.rdbuf())); });
  ++quiet;
}

QuietErrors::~QuietErrors() { --quiet; }

}  // namespace consort
