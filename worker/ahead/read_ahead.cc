#include "worker/ahead/read_ahead.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "shared/base/clock.h"
#include "shared/base/unique_fd.h"

namespace consort {
namespace {

// The kernel takes no more of one advice than a device's read-ahead.
constexpr int64_t kAdviceBytes = 128 << 10;
constexpr size_t kRemembered = 4 * kMostAheadItems;

}  // namespace

ReadAhead::ReadAhead() {
  const char* asked = std::getenv("CONSORT_READ_AHEAD");
  if (asked != nullptr && std::string_view(asked) == "0") rest_until_ns_ = INT64_MAX;
}

ReadAhead::~ReadAhead() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    items_.clear();
  }
  changed_.notify_one();
  thread_.join();
}

void ReadAhead::Begin() {
  if (MonotonicNs() < rest_until_ns_) return;
  try {
    if (!thread_.joinable()) thread_ = std::thread([this] { Live(); });
    wanted_ = true;
  } catch (const std::system_error&) {  // there may be no more threads: the engine reads by itself
    rest_until_ns_ = MonotonicNs() + kRestNs;
  }
}

void ReadAhead::Want(std::vector<AheadItem> items, double usual_segment_bytes) {
  {
    const std::lock_guard lock(mutex_);
    items_ = std::move(items);
    usual_segment_bytes_ = usual_segment_bytes;
    fresh_ = true;
  }
  changed_.notify_one();
}

void ReadAhead::Live() {
  pthread_setname_np(pthread_self(), "read-ahead");
  scratch_.resize(kChunkBytes);
  std::vector<AheadItem> items;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return fresh_ || ending_; });
      if (ending_) return;
      fresh_ = false;
      items = items_;
    }
    // All are asked for at once, so that their latencies pass together; then each is read.
    std::vector<Opened> opened;
    int64_t budget = kMostAheadBytes;
    for (const auto& item : items) {
      if (std::find(done_.begin(), done_.end(), item) == done_.end()) Ask(item, budget, opened);
    }
    for (const auto& it : opened) {
      if (IsStale()) break;
      if (!Read(it)) continue;
      done_.push_back(it.item);
      if (done_.size() > kRemembered) done_.erase(done_.begin());
    }
    if (quick_ >= kQuickInARow) {
      quick_ = 0;
      rest_until_ns_ = MonotonicNs() + kRestNs;
      wanted_ = false;
    }
  }
}

bool ReadAhead::IsStale() {
  const std::lock_guard lock(mutex_);
  return fresh_ || ending_;
}

bool ReadAhead::StillWanted(const AheadItem& item) {
  const std::lock_guard lock(mutex_);
  return std::find(items_.begin(), items_.end(), item) != items_.end();
}

void ReadAhead::Ask(const AheadItem& item, int64_t& budget, std::vector<Opened>& opened) {
  if (budget <= 0) return;
  double usual = 0;
  {
    const std::lock_guard lock(mutex_);
    usual = usual_segment_bytes_;
  }
  // As the engine opens it, and no more: whatever is wrong with a file is for the engine to find.
  UniqueFd fd(::open(item.path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  AheadRange range = RangeOf(item, status.st_size, usual);
  range.end = std::min(range.end, range.begin + budget);
  budget -= range.end - range.begin;
  for (int64_t at = range.begin; at < range.end; at += kAdviceBytes) {
    ::posix_fadvise(fd.get(), at, std::min(kAdviceBytes, range.end - at), POSIX_FADV_WILLNEED);
  }
  opened.push_back({item, std::move(fd), range});
}

bool ReadAhead::Read(const Opened& it) {
  for (int64_t at = it.range.begin; at < it.range.end;) {
    if (!StillWanted(it.item)) return false;
    const auto wanted = static_cast<size_t>(std::min(it.range.end - at, kChunkBytes));
    const int64_t began_ns = MonotonicNs();
    const ssize_t got = ::pread(it.fd.get(), scratch_.data(), wanted, at);
    quick_ = MonotonicNs() - began_ns < kQuickChunkNs ? quick_ + 1 : 0;
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    at += got;
  }
  return true;
}

}  // namespace consort
