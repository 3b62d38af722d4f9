#include "supervisor/view/status_line.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <optional>

#include "supervisor/view/number.h"
#include "supervisor/view/rates.h"

namespace consort {
namespace {

constexpr int64_t kRedrawNs = 100'000'000;
constexpr int kUsualColumns = 80;
constexpr const char kClearLine[] = "\r\x1b[K";

// Waits for nobody: what a full pipe or a stopped terminal does not take is not told. The job goes
// on, and so do its signals.
void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    pollfd ready{fd, POLLOUT, 0};
    if (::poll(&ready, 1, 0) <= 0) return;
    // A pipe that is ready has room for PIPE_BUF bytes: writing more may wait.
    const ssize_t put = ::write(fd, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (put > 0) {
      text.remove_prefix(static_cast<size_t>(put));
    } else if (put == 0 || errno != EINTR) {
      return;
    }
  }
}

// Control characters would move the cursor, or worse: file names come from strangers.
std::string Shown(std::string_view line) {
  std::string shown(line);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return shown;
}

// Every character that we write is one column wide.
std::string CutToColumns(std::string_view line, int columns) {
  int seen = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool starts_character = (static_cast<unsigned char>(line[i]) & 0xc0) != 0x80;
    if (starts_character && ++seen > columns) return std::string(line.substr(0, i));
  }
  return std::string(line);
}

std::string Describe(const JobView& view, const Rates& rates) {
  std::string line = WithThousands(view.files_done) + "/" + WithThousands(view.files_total) +
                     (view.files_total == 1 ? " file" : " files");
  if (view.files_failed > 0) line += ", " + WithThousands(view.files_failed) + " failed";
  line += " | " + ShortNumber(rates.segments_per_s()) + " segments/s | " +
          ShortNumber(rates.times_real_time()) + " × real time | ";
  if (view.draining) {
    line += "ending what was begun";
  } else if (const auto left = rates.seconds_left()) {
    line += HoursMinutes(*left) + " left";
  } else {
    line += HoursMinutes(view.elapsed_s);
  }
  line += " | ";
  if (view.workers_alive != view.workers_wanted) line += std::to_string(view.workers_alive) + '/';
  return line + Counted(view.workers_wanted, "worker");
}

class NoProgress : public Progress {
 public:
  explicit NoProgress(const ProgressSettings& settings) : settings_(settings) {}
  void Update(const JobView&, int64_t) override {}
  void Message(std::string_view line) override { WriteAll(settings_.fd, Shown(line) + '\n'); }
  void Finish(const JobView&) override {}

 protected:
  const ProgressSettings settings_;
  Rates rates_;
  std::optional<int64_t> shown_ns_;
};

class PlainProgress : public NoProgress {
 public:
  using NoProgress::NoProgress;
  void Update(const JobView& view, int64_t now_ns) override {
    rates_.Add(view, now_ns);
    // The first line comes after one interval: a short job needs none.
    if (!shown_ns_) shown_ns_ = now_ns;
    if (now_ns - *shown_ns_ < settings_.plain_interval_ns) return;
    shown_ns_ = now_ns;
    WriteAll(settings_.fd, Describe(view, rates_) + '\n');
  }
};

class BarProgress : public NoProgress {
 public:
  using NoProgress::NoProgress;
  void Update(const JobView& view, int64_t now_ns) override {
    rates_.Add(view, now_ns);
    if (shown_ns_ && now_ns - *shown_ns_ < kRedrawNs) return;
    shown_ns_ = now_ns;
    // One column stays free: a full line would wrap on some terminals.
    line_ = CutToColumns(Describe(view, rates_), Columns() - 1);
    WriteAll(settings_.fd, kClearLine + line_);
  }
  void Message(std::string_view line) override {
    WriteAll(settings_.fd, kClearLine + Shown(line) + '\n' + line_);
  }
  void Finish(const JobView&) override {
    if (!line_.empty()) WriteAll(settings_.fd, kClearLine);
    line_.clear();
  }

 private:
  int Columns() const {
    if (settings_.columns > 0) return settings_.columns;
    winsize size{};
    if (::ioctl(settings_.fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return kUsualColumns;
  }

  std::string line_;  // on the terminal now
};

}  // namespace

std::unique_ptr<Progress> MakeProgress(ProgressStyle style, const ProgressSettings& settings) {
  switch (style) {
    case ProgressStyle::kBar:
      return std::make_unique<BarProgress>(settings);
    case ProgressStyle::kPlain:
      return std::make_unique<PlainProgress>(settings);
    case ProgressStyle::kNone:
      break;
  }
  return std::make_unique<NoProgress>(settings);
}

ProgressStyle AutoProgressStyle(bool results_to_standard_output) {
  const char* terminal = std::getenv("TERM");
  const bool redraws =
      ::isatty(STDERR_FILENO) && terminal != nullptr && std::string_view(terminal) != "dumb";
  const bool shared = results_to_standard_output && ::isatty(STDOUT_FILENO);
  return redraws && !shared ? ProgressStyle::kBar : ProgressStyle::kPlain;
}

}  // namespace consort
