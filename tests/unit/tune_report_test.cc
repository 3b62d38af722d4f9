#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "supervisor/tune/report.h"

namespace consort {
namespace {

using Objective = TuneOptions::Objective;

const std::vector<Candidate> kCandidates = {
    {.split = {2, 1}, .automatic = true}, {.split = {1, 2}}, {.split = {1, 1}, .intra = 2}};

TuneReport MakeReport() {
  TuneReport report;
  report.bundle = "cnn14";
  report.candidates = &kCandidates;
  report.decision = {.chosen = 0,
                     .next = 1,
                     .sure = 0.97,
                     .tried = {{.candidate = 0,
                                .trials = 5,
                                .per_second = 141.2,
                                .error = 0.011,
                                .p95_ms = 14.2,
                                .peak_bytes = 310 << 20},
                               {.candidate = 1,
                                .trials = 4,
                                .per_second = 138,
                                .error = 0.012,
                                .p95_ms = 14.6,
                                .peak_bytes = 290 << 20,
                                .value = 0.98,
                                .latency = 1.03},
                               {.candidate = 2, .failed = true}}};
  report.seconds = 61.2;
  report.path = "/home/a/.config/consort/profiles/cnn14-0.json";
  return report;
}

TEST(TuneReport, SaysWhatIsBestHowSureThatIsAndWhatTheNextBestWouldCost) {
  EXPECT_EQ(Verdict(MakeReport()),
            "2 processes x 1 thread: 141 segments/s ± 1 %; next best 1 x 2: 2 % slower");
  const std::string text = TextReport(MakeReport());
  EXPECT_NE(text.find("97 % sure that no split is more than 2 % better, after 61 s; 3 of 3 splits "
                      "tried\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("does not run here"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\nprofile /home/a/.config/consort/profiles/cnn14-0.json\n"));
}

TEST(TuneReport, SaysWhatMoreTimeWouldDoWhereItEndedForWantOfIt) {
  TuneReport report = MakeReport();
  const auto second_line = [&] {
    const std::string text = TextReport(report);
    const size_t begin = text.find('\n') + 1;
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  report.decision.sure = 0.61;
  EXPECT_TRUE(second_line().ends_with(" splits tried")) << "all was tried that is worth it";
  report.decision.out_of_budget = true;
  for (const auto& [asked_s, more] : std::map<double, std::string>{
           {120, "300"}, {6, "20"}, {10, "20"}, {2.5, "5"}, {60, "200"}, {30'000, ""}}) {
    report.asked_s = asked_s;
    const std::string hint = more.empty() ? "" : "; --seconds " + more + " would say more";
    EXPECT_TRUE(second_line().ends_with("3 of 3 splits tried" + hint)) << second_line();
  }
  report.asked_s = 120;
  report.decision.sure = 0.8;
  EXPECT_TRUE(second_line().ends_with(" splits tried"));
  EXPECT_EQ(nlohmann::json::parse(JsonReport(report))["out_of_time"], true);
}

TEST(TuneReport, SaysWhatTheObjectiveIsAbout) {
  TuneReport report = MakeReport();
  report.objective = Objective::kLatency;
  EXPECT_EQ(
      Verdict(report),
      "2 processes x 1 thread: p95 14.2 ms, 141 segments/s ± 1 %; next best 1 x 2: 3 % later, "
      "2 % slower");
  report.objective = Objective::kMemory;
  EXPECT_EQ(Verdict(report),
            "2 processes x 1 thread: 310 MiB, 141 segments/s ± 1 %; next best 1 x 2: 6 % less "
            "memory, 2 % slower");
  report.objective = Objective::kThroughput;
  report.decision.tried[1].value = 1.003;
  EXPECT_TRUE(Verdict(report).ends_with("next best 1 x 2: as fast"));
  report.decision.next.reset();
  EXPECT_EQ(Verdict(report), "2 processes x 1 thread: 141 segments/s ± 1 %");
}

TEST(TuneReport, IsTheSameAsJson) {
  const auto json = nlohmann::json::parse(JsonReport(MakeReport()));
  EXPECT_EQ(json["tune"], 1);
  EXPECT_EQ(json["objective"], "throughput");
  EXPECT_EQ(json["best"]["processes"], 2);
  EXPECT_EQ(json["best"]["automatic"], true);
  EXPECT_EQ(json["next_best"]["threads"], 2);
  EXPECT_EQ(json["tried"].size(), 3U);
  EXPECT_EQ(json["tried"][2]["runs"], false);
  EXPECT_TRUE(json["tried"][2]["segments_per_second"].is_null());
  EXPECT_TRUE(json["memory_limit_bytes"].is_null());
  EXPECT_EQ(json["profile"], "/home/a/.config/consort/profiles/cnn14-0.json");
}

TEST(TuneReport, NamesTheSmallestPeakIfNothingFits) {
  TuneReport report = MakeReport();
  report.limit_words = "--memory-limit 100M";
  report.decision.chosen.reset();
  for (auto& it : report.decision.tried) it.fits = false;
  EXPECT_EQ(
      NothingChosen(report).what,
      "no split fits into --memory-limit 100M: the smallest peak that was measured is 290 MiB "
      "(1 process x 2 threads)");
}

}  // namespace
}  // namespace consort
