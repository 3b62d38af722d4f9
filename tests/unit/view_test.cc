#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "shared/base/clock.h"
#include "shared/base/unique_fd.h"
#include "supervisor/view/number.h"
#include "supervisor/view/rates.h"
#include "supervisor/view/status_line.h"
#include "supervisor/view/summary.h"

namespace consort {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr char kClear[] = "\r\x1b[K";

// What was written to the "terminal".
class View : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    reader_.Reset(ends[0]);
    writer_.Reset(ends[1]);
  }
  std::unique_ptr<Progress> Make(ProgressStyle style, int columns = 200) {
    return MakeProgress(style, {.fd = writer_.get(), .columns = columns});
  }
  std::string Written() {
    char buffer[65536];
    const ssize_t got = ::read(reader_.get(), buffer, sizeof(buffer));
    return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : std::string();
  }
  static JobView At(uint64_t seconds) {
    JobView view;
    view.files_total = 12'000;
    view.files_done = 100 * seconds;
    view.segments_done = 250 * seconds;
    view.audio_seconds = 750.0 * static_cast<double>(seconds);
    view.workers_alive = 2;
    view.workers_wanted = 2;
    view.elapsed_s = static_cast<double>(seconds);
    return view;
  }
  UniqueFd reader_;
  UniqueFd writer_;
};
using Bar = View;
using PlainLines = View;
using NoView = View;

TEST_F(Bar, ShowsFilesSpeedTimeLeftAndWorkers) {
  auto bar = Make(ProgressStyle::kBar);
  bar->Update(At(0), 0);
  Written();
  bar->Update(At(20), 20 * kSecond);
  EXPECT_EQ(Written(), std::string(kClear) +
                           "2,000/12,000 files | 250 segments/s | 750 × real time | 0:01:40 left "
                           "| 2 workers");
}

TEST_F(Bar, ShowsFailuresDeadWorkersAndDraining) {
  auto bar = Make(ProgressStyle::kBar);
  bar->Update(At(0), 0);
  Written();
  JobView view = At(20);
  view.files_failed = 3;
  view.workers_alive = 1;
  view.draining = true;
  bar->Update(view, 20 * kSecond);
  const std::string line = Written();
  EXPECT_NE(line.find("files, 3 failed |"), std::string::npos) << line;
  EXPECT_NE(line.find("| ending what was begun | 1/2 workers"), std::string::npos) << line;
}

TEST_F(Bar, IsRedrawnAtMostTenTimesASecond) {
  auto bar = Make(ProgressStyle::kBar);
  int redrawn = 0;
  for (int64_t ns = 0; ns < kSecond; ns += kSecond / 1000) {
    bar->Update(At(0), ns);
    redrawn += Written().empty() ? 0 : 1;
  }
  EXPECT_EQ(redrawn, 10);
}

TEST_F(Bar, IsCutToTheTerminalInWholeCharacters) {
  for (int columns = 2; columns < 100; ++columns) {
    auto bar = Make(ProgressStyle::kBar, columns);
    bar->Update(At(1), 0);
    const std::string line = Written().substr(sizeof(kClear) - 1);
    int characters = 0;
    for (const char c : line) characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    EXPECT_LE(characters, columns - 1);
    EXPECT_NE(line.back(), '\xc3') << "half of ×";
  }
}

TEST_F(Bar, MakesWayForMessages) {
  auto bar = Make(ProgressStyle::kBar);
  bar->Update(At(1), 0);
  const std::string line = Written().substr(sizeof(kClear) - 1);
  bar->Message("could not read \"x\"");
  EXPECT_EQ(Written(), kClear + std::string("could not read \"x\"\n") + line);
}

TEST_F(Bar, LeavesAnEmptyLine) {
  auto bar = Make(ProgressStyle::kBar);
  bar->Update(At(1), 0);
  Written();
  bar->Finish(At(2));
  EXPECT_EQ(Written(), kClear);
  bar->Message("done");
  EXPECT_EQ(Written(), std::string(kClear) + "done\n");
}

TEST_F(View, NeverLetsAMessageMoveTheCursor) {
  for (const auto style : {ProgressStyle::kBar, ProgressStyle::kPlain, ProgressStyle::kNone}) {
    Make(style)->Message("a\x1b[2Jb\nc\x7f \xc3\xa9");
    EXPECT_TRUE(Written().ends_with("a?[2Jb?c? \xc3\xa9\n"));
  }
}

TEST_F(PlainLines, ComeEveryTenSeconds) {
  auto plain = Make(ProgressStyle::kPlain);
  std::string all;
  for (uint64_t s = 0; s <= 25; ++s) {
    plain->Update(At(s), static_cast<int64_t>(s) * kSecond);
    all += Written();
  }
  EXPECT_EQ(all,
            "1,000/12,000 files | 250 segments/s | 750 × real time | 0:01:50 left | 2 workers\n"
            "2,000/12,000 files | 250 segments/s | 750 × real time | 0:01:40 left | 2 workers\n");
}

TEST_F(NoView, ShowsMessagesOnly) {
  auto none = Make(ProgressStyle::kNone);
  for (uint64_t s = 0; s < 100; ++s) none->Update(At(s), static_cast<int64_t>(s) * kSecond);
  none->Finish(At(100));
  EXPECT_EQ(Written(), "");
  none->Message("careful");
  EXPECT_EQ(Written(), "careful\n");
}

TEST_F(View, OutlivesAReaderThatIsGone) {
  ::signal(SIGPIPE, SIG_IGN);
  auto bar = Make(ProgressStyle::kBar);
  reader_.Reset();
  bar->Update(At(1), 0);
  bar->Message("nobody reads this");
  bar->Finish(At(1));
}

// A pipe is ready as soon as one of its pages is free.
TEST(Messages, ThatAPipeHasNoRoomForAreNotWaitedFor) {
  ::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const int size = static_cast<int>(2 * page);
  ASSERT_EQ(::fcntl(writer.get(), F_SETPIPE_SZ, size), size);
  const std::string text(2 * page, 'x');
  ASSERT_EQ(::write(writer.get(), text.data(), page), static_cast<ssize_t>(page));
  auto told = std::async(std::launch::async, [&] {
    MakeProgress(ProgressStyle::kNone, {.fd = writer.get()})->Message(text);
  });
  EXPECT_EQ(told.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  reader.Reset();  // who waits all the same is free
}

TEST(RatesJustNow, ForgetWhatIsLongAgo) {
  Rates rates;
  JobView view;
  for (int s = 0; s <= 20; ++s) {
    rates.Add(view, s * kSecond);
    view.segments_done += s < 10 ? 1000 : 10;
  }
  EXPECT_DOUBLE_EQ(rates.segments_per_s(), 10);
}

TEST(RatesJustNow, AreNeverLessThanNothing) {
  Rates rates;
  JobView view;
  view.segments_done = 5000;
  view.audio_seconds = 15000;
  rates.Add(view, 0);
  view.segments_done = 100;  // a fault was found before what was done
  view.audio_seconds = 300;
  rates.Add(view, 1'000'000'000);
  EXPECT_EQ(rates.segments_per_s(), 0);
  EXPECT_EQ(rates.times_real_time(), 0);
}

TEST(RatesJustNow, GuessNoEndBeforeAFileIsDone) {
  Rates rates;
  JobView view;
  view.files_total = 10;
  view.files_done = 4;  // done before this run
  rates.Add(view, 0);
  rates.Add(view, kSecond);
  EXPECT_EQ(rates.seconds_left(), std::nullopt);
  view.files_done = 6;
  rates.Add(view, 4 * kSecond);
  EXPECT_DOUBLE_EQ(rates.seconds_left().value(), 8);
}

TEST(Numbers, ReadWell) {
  EXPECT_EQ(WithThousands(0), "0");
  EXPECT_EQ(WithThousands(999), "999");
  EXPECT_EQ(WithThousands(1'000), "1,000");
  EXPECT_EQ(WithThousands(12'345'678), "12,345,678");
  EXPECT_EQ(HoursMinutes(59.6), "0:01:00");
  EXPECT_EQ(HoursMinutes(100 * 3600 + 61), "100:01:01");
  EXPECT_EQ(HoursMinutes(-1), "0:00:00");
  EXPECT_EQ(ShortNumber(0), "0.00");
  EXPECT_EQ(ShortNumber(9.994), "9.99");
  EXPECT_EQ(ShortNumber(9.996), "10.0");
  EXPECT_EQ(ShortNumber(99.94), "99.9");
  EXPECT_EQ(ShortNumber(99.96), "100");
  EXPECT_EQ(ShortNumber(43'210.4), "43,210");
  EXPECT_EQ(Bytes(345 << 20), "345 MiB");
  EXPECT_EQ(Bytes(int64_t{3} << 29), "1.50 GiB");
}

TEST(Summary, TellsWhatWasDoneAndWhereTheTimeWent) {
  JobSummary summary;
  summary.files_total = 300;
  summary.files_done = 297;
  summary.files_failed = {{ErrorCode::kNotFound, 1}, {ErrorCode::kTruncated, 2}};
  summary.segments = 1'824;
  summary.audio_seconds = 5'472;
  summary.elapsed_s = 42;
  summary.workers = 2;
  summary.engines = 1;
  const auto ms = [](int64_t n) { return n * 1'000'000; };
  summary.stage_ns = {ms(1'824), ms(912), ms(1'824), ms(3'648), ms(1'824), ms(25'536), ms(912)};
  summary.workers_restarted = {.crashed = 1, .killed = 2, .replaced = 0};
  summary.peak_pss_bytes = 734 << 20;
  EXPECT_EQ(FormatSummary(summary),
            "files       297 done, 3 failed (1 not_found, 2 truncated), of 300\n"
            "audio       1.52 hours in 0:00:42, 130 × real time\n"
            "segments    1,824, 43.4 a second, by 2 workers with 1 engine each\n"
            "stage        share   ms a segment\n"
            "  validate    2.5 %        0.500\n"
            "  read        5.0 %        1.000\n"
            "  resample   10.0 %        2.000\n"
            "  features    5.0 %        1.000\n"
            "  forward    70.0 %       14.000\n"
            "  post        2.5 %        0.500\n"
            "  waiting     5.0 %        1.000\n"
            "restarts    3 workers (1 crashed, 2 killed), 0 templates\n"
            "memory      734 MiB at the peak, all processes (PSS)\n");
}

TEST(Summary, TellsWorkersThatWereReplacedForTheirMemory) {
  JobSummary summary;
  summary.workers_restarted = {.crashed = 0, .killed = 0, .replaced = 1'234};
  EXPECT_NE(FormatSummary(summary).find("restarts    1,234 workers (0 crashed, 0 killed, 1,234 "
                                        "replaced for memory), 0 templates\n"),
            std::string::npos);
}

TEST(Summary, TellsOfLostWakeUpsIfSomebodyAsks) {
  JobSummary summary;
  EXPECT_EQ(FormatSummary(summary).find("wake-ups"), std::string::npos);
  summary.lost_wakeups = {.by_supervisor = 1, .by_engines = 2};
  EXPECT_NE(FormatSummary(summary).find("\nwake-ups    1 lost by the supervisor, 2 by engines\n"),
            std::string::npos);
}

TEST(Summary, OfAJobThatEndedEarlySaysWhatWasNotReached) {
  JobSummary summary;
  summary.files_total = 10;
  summary.files_done = 1;
  summary.audio_seconds = 90;
  summary.workers = 1;
  summary.engines = 4;
  const std::string text = FormatSummary(summary);
  EXPECT_NE(text.find("1 done, 9 not reached, of 10\n"), std::string::npos) << text;
  EXPECT_NE(text.find("0.03 hours (0:01:30) in 0:00:00, 0.00 × real time\n"), std::string::npos);
  EXPECT_NE(text.find("by 1 worker with 4 engines\n"), std::string::npos);
  EXPECT_EQ(text.find("stage"), std::string::npos);
  EXPECT_EQ(text.find("memory"), std::string::npos);
}

}  // namespace
}  // namespace consort
