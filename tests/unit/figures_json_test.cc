// The JSON of figures: every key is always there.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "supervisor/cli/version.h"
#include "supervisor/figures/figures.h"

namespace consort {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1000 * kMs;

Figures Some() {
  Figures figures;
  figures.start_ns = 100 * kSecond;
  figures.split = {2, 3, 1, 4};
  figures.trials.start = 4;
  figures.trials.chosen = 2;
  figures.trials.chosen_ns = 109 * kSecond;
  figures.trials.tried = {{.workers = 8, .windows = 1, .gain = -0.125, .error = 0.01},
                          {.workers = 2, .windows = 0, .gain = std::nullopt, .error = 0}};
  figures.complete = true;
  figures.end_ns = 112 * kSecond;
  figures.ready_ns = 101'500 * kMs;
  figures.window = {102 * kSecond, 110 * kSecond};
  figures.counted = 80;
  figures.per_second = 10.0 / 3;
  figures.spread = 0.0125;
  figures.audio_seconds = 240;
  for (int i = 1; i <= 100; ++i) figures.latency.Add(i * kMs);
  figures.stage_ms = {1, 2, 3, 4, 5, 6, 7};
  figures.usage =
      Usage{.user_s = 12, .system_s = 4, .voluntary = 5, .involuntary = -1, .minor = 6, .major = 7};
  figures.supervisor_s = 0.25;
  figures.peak_pss_bytes = 1'000'000'007;
  figures.mean_pss_bytes = 999.6;
  figures.memory.Add(101 * kSecond, 500);
  figures.rate.Add(103 * kSecond, 7);
  figures.deaths.push_back({.at_ns = 104 * kSecond,
                            .slot = 1,
                            .lost_ns = 30 * kMs,
                            .ready_ns = 104'005 * kMs,
                            .next_result_ns = std::nullopt});
  figures.workers_restarted = {1, 2, 3};
  figures.templates_restarted = {4, 5, 0};
  return figures;
}

TEST(FiguresJson, IsOneLineOfWhatIsKnown) {
  const std::string text = FiguresJson(Some());
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  EXPECT_TRUE(text.starts_with("{\"consort\":\"" + std::string(kVersion) + "\",\"figures\":"))
      << "by which a file of figures is known";
  const Json is = Json::parse(text);
  Json must = Json::parse(R"({
    "figures": 1, "split": {"processes": 2, "threads": 3, "intra": 1},
    "split_trials": {"start": 4, "chosen": 2, "chosen_s": 9.0,
                     "tried": [{"workers": 8, "windows": 1, "gain": -0.125, "error": 0.01},
                               {"workers": 2, "windows": 0, "gain": null, "error": null}]},
    "usable_cpus": 4,
    "complete": true, "exit_status": 0, "elapsed_s": 12.0, "ready_s": 1.5,
    "window": {"from_s": 2.0, "to_s": 10.0, "seconds": 8.0},
    "segments": {"counted": 80, "per_second": 3.333333, "spread": 0.0125},
    "audio_seconds": 240.0,
    "latency_ms": {"mean": 50.5, "most": 100.0},
    "stages_ms": {"waiting": 1.0, "validate": 2.0, "read": 3.0, "resample": 4.0, "features": 5.0,
                  "forward": 6.0, "post": 7.0},
    "cpu": {"user_s": 12.0, "system_s": 4.0, "of_usable": 0.5, "supervisor_s": 0.25},
    "context_switches": {"voluntary": 5, "involuntary": 0}, "page_faults": {"minor": 6, "major": 7},
    "memory": {"peak_pss_bytes": 1000000007, "mean_pss_bytes": 1000, "samples": [[1.0, 500]]},
    "rate": [[3.0, 7]],
    "deaths": [{"at_s": 4.0, "worker_slot": 1, "lost_ms": 30.0, "ready_ms": 5.0, "next_result_ms": null}],
    "restarts": {"workers": {"crashed": 1, "killed": 2, "replaced": 3},
                 "templates": {"crashed": 4, "killed": 5}}})");
  must["consort"] = kVersion;
  for (const auto& [name, value] : {std::pair{"p50", 50.0}, {"p95", 95.0}, {"p99", 99.0}}) {
    EXPECT_NEAR(is["latency_ms"][name].get<double>(), value, 0.02 * value) << name;
    must["latency_ms"][name] = is["latency_ms"][name];
  }
  EXPECT_EQ(is, must);
}

void ExpectSameKeys(const Json& a, const Json& b, const std::string& where) {
  ASSERT_EQ(a.is_object(), b.is_object()) << where;
  if (!a.is_object()) return;
  for (const auto& [key, value] : a.items()) {
    ASSERT_TRUE(b.contains(key)) << where << key;
    ExpectSameKeys(value, b[key], where + key + ".");
  }
  EXPECT_EQ(a.size(), b.size()) << where;
}

TEST(FiguresJson, OfARunThatNeverBeganHasAllKeysToo) {
  Figures none;
  none.exit_status = 1;
  const Json json = Json::parse(FiguresJson(none));
  ExpectSameKeys(Json::parse(FiguresJson(Some())), json, "");
  EXPECT_EQ(json["exit_status"], 1);
  EXPECT_EQ(json["complete"], false);
  EXPECT_EQ(json["segments"]["counted"], 0);
  for (const char* known : {"/elapsed_s", "/audio_seconds"}) {
    EXPECT_EQ(json[Json::json_pointer(known)], 0.0) << known;
  }
  for (const char* key : {"start", "chosen", "chosen_s"}) {
    EXPECT_TRUE(json["split_trials"][key].is_null()) << key;
  }
  for (const char* unknown :
       {"/split/processes", "/usable_cpus", "/ready_s", "/window/seconds", "/segments/per_second",
        "/segments/spread", "/latency_ms/mean", "/latency_ms/p99", "/latency_ms/most",
        "/stages_ms/forward", "/cpu/user_s", "/cpu/of_usable", "/cpu/supervisor_s",
        "/context_switches/voluntary", "/page_faults/minor", "/memory/peak_pss_bytes",
        "/memory/mean_pss_bytes"}) {
    EXPECT_TRUE(json[Json::json_pointer(unknown)].is_null()) << unknown;
  }
}

}  // namespace
}  // namespace consort
