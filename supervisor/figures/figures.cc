#include "supervisor/figures/figures.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "supervisor/cli/version.h"

namespace consort {
namespace {

using Json = nlohmann::ordered_json;

// To a microsecond, a byte, six digits behind the point: no figure is better than that.
double Rounded(double value) { return std::round(value * 1e6) / 1e6; }

Json OrNull(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(Rounded(*value)) : Json();
}

double Ms(double ns) { return Rounded(ns * 1e-6); }

class Writer {
 public:
  explicit Writer(const Figures& figures) : figures_(figures) {}

  Json Whole() const {
    Json json;
    json["consort"] = kVersion;
    json["figures"] = kFiguresVersion;
    const auto& split = figures_.split;
    json["split"] = {{"processes", split ? Json(split->workers) : Json()},
                     {"threads", split ? Json(split->engines) : Json()},
                     {"intra", split ? Json(split->intra) : Json()}};
    json["split_trials"] = Trials();
    json["usable_cpus"] = split ? Json(split->usable_cpus) : Json();
    json["complete"] = figures_.complete;
    json["exit_status"] = figures_.exit_status;
    json["elapsed_s"] = Seconds(figures_.end_ns);
    json["ready_s"] = SecondsOrNull(figures_.ready_ns);
    const auto& window = figures_.window;
    json["window"] = {{"from_s", window ? Json(Seconds(window->from_ns)) : Json()},
                      {"to_s", window ? Json(Seconds(window->to_ns)) : Json()},
                      {"seconds", window ? Json(Rounded(window->seconds())) : Json()}};
    json["segments"] = {{"counted", figures_.counted},
                        {"per_second", OrNull(figures_.per_second)},
                        {"spread", OrNull(figures_.spread)}};
    json["audio_seconds"] = Rounded(figures_.audio_seconds);
    json["latency_ms"] = Latency();
    json["stages_ms"] = Stages();
    AddUsage(json);
    json["memory"] = {
        {"peak_pss_bytes", figures_.peak_pss_bytes > 0 ? Json(figures_.peak_pss_bytes) : Json()},
        {"mean_pss_bytes",
         figures_.mean_pss_bytes ? Json(std::llround(*figures_.mean_pss_bytes)) : Json()},
        {"samples", Series(figures_.memory)}};
    json["rate"] = Series(figures_.rate);
    json["deaths"] = Json::array();
    for (const auto& death : figures_.deaths) json["deaths"].push_back(Death(death));
    const auto& workers = figures_.workers_restarted;
    const auto& templates = figures_.templates_restarted;
    json["restarts"] = {
        {"workers",
         {{"crashed", workers.crashed},
          {"killed", workers.killed},
          {"replaced", workers.replaced}}},
        {"templates", {{"crashed", templates.crashed}, {"killed", templates.killed}}}};
    return json;
  }

 private:
  double Seconds(int64_t ns) const {
    return Rounded(static_cast<double>(ns - figures_.start_ns) * 1e-9);
  }
  Json SecondsOrNull(const std::optional<int64_t>& ns) const {
    return ns ? Json(Seconds(*ns)) : Json();
  }

  Json Trials() const {
    const auto& trials = figures_.trials;
    Json json = {{"start", trials.start ? Json(*trials.start) : Json()},
                 {"chosen", trials.chosen ? Json(*trials.chosen) : Json()},
                 {"chosen_s", SecondsOrNull(trials.chosen_ns)},
                 {"tried", Json::array()}};
    for (const auto& it : trials.tried) {
      json["tried"].push_back({{"workers", it.workers},
                               {"windows", it.windows},
                               {"gain", OrNull(it.gain)},
                               {"error", it.gain ? OrNull(it.error) : Json()}});
    }
    return json;
  }

  Json Latency() const {
    const auto& latency = figures_.latency;
    const auto of = [&](double ns) { return latency.count() > 0 ? Json(Ms(ns)) : Json(); };
    return {{"mean", of(latency.mean())},
            {"p50", of(latency.Quantile(0.50))},
            {"p95", of(latency.Quantile(0.95))},
            {"p99", of(latency.Quantile(0.99))},
            {"most", of(static_cast<double>(latency.most()))}};
  }

  Json Stages() const {
    Json json;
    for (uint32_t stage = 0; stage < kStageCount; ++stage) {
      const auto& ms = figures_.stage_ms;
      json[StageName(static_cast<Stage>(stage))] = ms ? Json(Rounded((*ms)[stage])) : Json();
    }
    return json;
  }

  void AddUsage(Json& json) const {
    const auto& usage = figures_.usage;
    const auto seconds = [&](double value) { return usage ? Json(Rounded(value)) : Json(); };
    // A thread that ended took its switches with it.
    const auto count = [&](int64_t value) {
      return usage ? Json(std::max<int64_t>(0, value)) : Json();
    };
    const Usage used = usage.value_or(Usage{});
    const double seconds_long = figures_.window ? figures_.window->seconds() : 0;
    Json share;
    if (usage && figures_.split && seconds_long > 0) {
      share = Rounded((used.user_s + used.system_s) / seconds_long / figures_.split->usable_cpus);
    }
    json["cpu"] = {{"user_s", seconds(used.user_s)},
                   {"system_s", seconds(used.system_s)},
                   {"of_usable", share},
                   {"supervisor_s", seconds(figures_.supervisor_s)}};
    json["context_switches"] = {{"voluntary", count(used.voluntary)},
                                {"involuntary", count(used.involuntary)}};
    json["page_faults"] = {{"minor", count(used.minor)}, {"major", count(used.major)}};
  }

  Json Series(const ThinnedSeries& series) const {
    Json json = Json::array();
    for (const auto& point : series.points()) {
      json.push_back(Json::array({Seconds(point.at_ns), point.value}));
    }
    return json;
  }

  Json Death(const DeathFigures& death) const {
    const auto since = [&](const std::optional<int64_t>& ns) {
      return ns ? Json(Ms(static_cast<double>(*ns - death.at_ns))) : Json();
    };
    return {{"at_s", Seconds(death.at_ns)},
            {"worker_slot", death.slot},
            {"lost_ms", Ms(static_cast<double>(death.lost_ns))},
            {"ready_ms", since(death.ready_ns)},
            {"next_result_ms", since(death.next_result_ns)}};
  }

  const Figures& figures_;
};

}  // namespace

std::string FiguresJson(const Figures& figures) { return Writer(figures).Whole().dump() + "\n"; }

}  // namespace consort
