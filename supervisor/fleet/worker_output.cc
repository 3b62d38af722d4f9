#include "supervisor/fleet/worker_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace consort {
namespace {

// More than a pipe holds: whoever still writes into a dead worker's pipe is not waited for.
constexpr size_t kMostRestBytes = 1024 * 1024;
constexpr size_t kPieceBytes = 4096;

}  // namespace

Result<WorkerOutput> WorkerOutput::Make(UniqueFd& theirs) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("make a pipe", "", errno);
  UniqueFd reading(ends[0]);
  theirs.Reset(ends[1]);
  // Ours alone: the worker's end waits for room, so that nothing of what it says is lost.
  if (::fcntl(reading.get(), F_SETFL, O_NONBLOCK) != 0) {
    return SystemError("read from a pipe without waiting", "", errno);
  }
  return WorkerOutput(std::move(reading));
}

bool WorkerOutput::Read(const Tell& tell) {
  for (size_t bytes = 0; bytes < kTurnBytes; bytes += kPieceBytes) {
    const Got got = ReadOnce(tell);
    if (got != Got::kSome) return got == Got::kNothing;
  }
  return true;
}

void WorkerOutput::ReadRest(const Tell& tell) {
  for (size_t bytes = 0; bytes < kMostRestBytes; bytes += kPieceBytes) {
    if (ReadOnce(tell) != Got::kSome) break;
  }
  if (!line_.empty()) EndLine(tell);
}

WorkerOutput::Got WorkerOutput::ReadOnce(const Tell& tell) {
  std::array<char, kPieceBytes> buffer;
  const ssize_t got = ::read(reading_.get(), buffer.data(), buffer.size());
  if (got < 0 && errno == EINTR) return Got::kSome;
  if (got < 0) return errno == EAGAIN ? Got::kNothing : Got::kEnd;
  if (got == 0) return Got::kEnd;
  Take({buffer.data(), static_cast<size_t>(got)}, tell);
  return Got::kSome;
}

void WorkerOutput::Take(std::string_view bytes, const Tell& tell) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    const size_t room = kMostLineBytes - std::min(kMostLineBytes, line_.size());
    line_ += part.substr(0, room);
    cut_ = cut_ || part.size() > room;
    if (end == std::string_view::npos) return;
    EndLine(tell);
    bytes.remove_prefix(end + 1);
  }
}

void WorkerOutput::EndLine(const Tell& tell) {
  if (cut_) line_ += "…";
  tell(line_);
  tail_bytes_ += line_.size() + 1;
  tail_.push_back(std::move(line_));
  while (tail_bytes_ > kTailBytes && tail_.size() > 1) {
    tail_bytes_ -= tail_.front().size() + 1;
    tail_.pop_front();
  }
  line_.clear();
  cut_ = false;
}

}  // namespace consort
