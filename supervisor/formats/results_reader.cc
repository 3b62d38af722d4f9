#include "supervisor/formats/results_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "supervisor/formats/parse_line.h"

namespace consort {
namespace {

constexpr size_t kPieceBytes = 256 * 1024;

}  // namespace

Result<ResultsReader> ResultsReader::Open(const std::string& path, uint64_t bytes) {
  ResultsReader reader;
  reader.path_ = path;
  reader.fd_.Reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status {};
  if (!reader.fd_ || ::fstat(reader.fd_.get(), &status) != 0) {
    return SystemError("open the results", path, errno);
  }
  if (!S_ISREG(status.st_mode) || static_cast<uint64_t>(status.st_size) < bytes) {
    return Error{
        "the results in \"" + path + "\" were altered: " + std::to_string(bytes) + " bytes count",
        "put them back as they were"};
  }
  reader.to_read_ = bytes;
  return reader;
}

Error ResultsReader::Bad(const std::string& why) const {
  return Error{
      "line " + std::to_string(number_) + " of \"" + path_ + "\" is no line of results: " + why,
      "put the results back as consort wrote them"};
}

Result<bool> ResultsReader::Fill() {
  if (to_read_ == 0) return false;
  buffer_.erase(0, at_);
  seen_ -= at_;
  at_ = 0;
  const size_t before = buffer_.size();
  if (before > kLongestLine) return Bad("it is too long");
  const auto piece = static_cast<size_t>(std::min<uint64_t>(kPieceBytes + before, to_read_));
  buffer_.resize(before + piece);
  ssize_t got = 0;
  do {
    got = ::read(fd_.get(), buffer_.data() + before, piece);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return SystemError("read the results", path_, errno);
  buffer_.resize(before + static_cast<size_t>(got));
  if (got == 0) return Bad("the file became shorter while it was read");
  to_read_ -= static_cast<uint64_t>(got);
  return true;
}

Result<bool> ResultsReader::Next(ResultLine& line) {
  ++number_;
  size_t end = 0;
  while ((end = buffer_.find('\n', seen_)) == std::string::npos) {
    seen_ = buffer_.size();
    CONSORT_TRY(const bool more, Fill());
    if (more) continue;
    if (at_ == buffer_.size()) return false;
    return Bad("it does not end");
  }
  const Status parsed = ParseResultLine(std::string_view(buffer_).substr(at_, end - at_), line);
  if (!parsed) return Bad(parsed.error().what);
  at_ = seen_ = end + 1;
  return true;
}

}  // namespace consort
