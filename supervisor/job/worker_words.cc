#include "supervisor/job/worker_words.h"

#include <algorithm>

#include "shared/base/clock.h"

namespace consort {

void WorkerWords::KeepLog(const std::string& folder) {
  log_.emplace(folder, [this](const std::string& warning) { progress_.Message(warning); });
}

void WorkerWords::Said(pid_t pid, size_t slot, std::string_view line) {
  if (log_) log_->Add(pid, slot, line);
  if (quiet_ && log_) return;
  if (!limit_.Take(MonotonicNs())) return;
  std::string shown(line);
  std::ranges::replace(shown, '\t', ' ');  // the one control character that is no harm
  progress_.Message(shown);
}

void WorkerWords::Flush(int64_t now_ns) {
  if (log_) log_->Flush();
  TellHidden(limit_.TakeHidden(now_ns));
}

void WorkerWords::End() {
  if (log_) log_->Flush();
  TellHidden(limit_.TakeHidden(MonotonicNs(), true));
}

void WorkerWords::TellHidden(uint64_t lines) {
  if (lines == 0) return;
  progress_.Message("and " + std::to_string(lines) +
                    (lines == 1 ? " more line of workers" : " more lines of workers") +
                    (log_ ? ", all in \"" + log_->path() + '"' : ""));
}

}  // namespace consort
