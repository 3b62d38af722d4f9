#include "supervisor/view/summary.h"

#include <cstdio>
#include <numeric>
#include <string_view>
#include <vector>

#include "supervisor/view/number.h"
#include "supervisor/view/report_line.h"

namespace consort {
namespace {

double PerSecond(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

std::string Files(const JobSummary& summary) {
  std::string text = WithThousands(summary.files_done) + " done";
  uint64_t failed = 0;
  std::string reasons;
  for (const auto& [code, count] : summary.files_failed) {
    if (count == 0) continue;
    failed += count;
    reasons += (reasons.empty() ? "" : ", ") + WithThousands(count) + ' ';
    reasons += ErrorCodeName(code);
  }
  if (failed > 0) text += ", " + WithThousands(failed) + " failed (" + reasons + ")";
  const uint64_t ended = summary.files_done + failed;
  if (ended < summary.files_total) {
    text += ", " + WithThousands(summary.files_total - ended) + " not reached";
  }
  return text + ", of " + WithThousands(summary.files_total);
}

std::string Audio(const JobSummary& summary) {
  const double hours = summary.audio_seconds / 3600;
  return ShortNumber(hours) +
         (hours < 1 ? " hours (" + HoursMinutes(summary.audio_seconds) + ")"
                    : std::string(" hours")) +
         " in " + HoursMinutes(summary.elapsed_s) + ", " +
         ShortNumber(PerSecond(summary.audio_seconds, summary.elapsed_s)) + " × real time";
}

std::string Segments(const JobSummary& summary) {
  return WithThousands(summary.segments) + ", " +
         ShortNumber(PerSecond(static_cast<double>(summary.segments), summary.elapsed_s)) +
         " a second, by " + CountedLong(static_cast<uint64_t>(summary.workers), "worker") +
         " with " + CountedLong(static_cast<uint64_t>(summary.engines), "engine") +
         (summary.workers == 1 ? "" : " each");
}

std::string Stages(const JobSummary& summary) {
  const int64_t total =
      std::accumulate(summary.stage_ns.begin(), summary.stage_ns.end(), int64_t{0});
  if (total <= 0 || summary.segments == 0) return {};
  std::string text = ReportLine("stage", " share   ms a segment");
  for (uint32_t i = 0; i < kStageCount; ++i) {
    // Waiting is no part of the work: last, where the eye finds it.
    const uint32_t stage = (i + 1) % kStageCount;
    const auto spent = static_cast<double>(summary.stage_ns[stage]);
    char cells[64];
    std::snprintf(cells, sizeof(cells), "%5.1f %% %12.3f", 100 * spent / static_cast<double>(total),
                  spent * 1e-6 / static_cast<double>(summary.segments));
    text += ReportLine("  " + std::string(StageName(static_cast<Stage>(stage))), cells);
  }
  return text;
}

std::string Restarts(const JobSummary& summary) {
  const auto of = [](const JobSummary::Restarts& restarts, const char* one) {
    const uint64_t all = restarts.crashed + restarts.killed + restarts.replaced;
    std::string text = CountedLong(all, one);
    if (all == 0) return text;
    text += " (" + WithThousands(restarts.crashed) + " crashed, " + WithThousands(restarts.killed) +
            " killed";
    if (restarts.replaced > 0) {
      text += ", " + WithThousands(restarts.replaced) + " replaced for memory";
    }
    return text + ")";
  };
  return of(summary.workers_restarted, "worker") + ", " +
         of(summary.templates_restarted, "template");
}

}  // namespace

std::string FormatSummary(const JobSummary& summary) {
  std::string text = ReportLine("files", Files(summary));
  text += ReportLine("audio", Audio(summary));
  text += ReportLine("segments", Segments(summary));
  text += Stages(summary);
  text += ReportLine("restarts", Restarts(summary));
  if (const auto& lost = summary.lost_wakeups) {
    text +=
        ReportLine("wake-ups", WithThousands(lost->by_supervisor) + " lost by the supervisor, " +
                                   WithThousands(lost->by_engines) + " by engines");
  }
  if (summary.peak_pss_bytes > 0) {
    text +=
        ReportLine("memory", Bytes(summary.peak_pss_bytes) + " at the peak, all processes (PSS)");
  }
  return text;
}

}  // namespace consort
