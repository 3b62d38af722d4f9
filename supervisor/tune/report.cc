#include "supervisor/tune/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "supervisor/place/words.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

using Objective = TuneOptions::Objective;

// A ratio's distance from 1 in words: "2 %", "0.5 %".
std::string Percent(double share) {
  char text[32];
  std::snprintf(text, sizeof(text), share < 0.00995 ? "%.1f %%" : "%.0f %%", 100 * share);
  return text;
}

// "± 1 %": never less than what is shown can tell.
std::string ErrorWords(double error) { return "± " + Percent(std::max(error, 0.001)); }

const Candidate& Of(const TuneReport& report, const Tried& tried) {
  return (*report.candidates)[tried.candidate];
}

const Tried& Chosen(const TuneReport& report) { return report.decision.tried.front(); }

const Tried* Next(const TuneReport& report) {
  if (!report.decision.next) return nullptr;
  const auto& tried = report.decision.tried;
  const auto found = std::ranges::find(tried, *report.decision.next, &Tried::candidate);
  return found == tried.end() ? nullptr : &*found;
}

// By how much more `ratio` is than 1, if it can be told at all.
std::string More(double ratio, const char* more, const char* less, const char* equal) {
  if (std::fabs(ratio - 1) < 0.005) return equal;
  return Percent(std::fabs(ratio - 1)) + ' ' + (ratio > 1 ? more : less);
}

// What the next best would cost.
std::string CostWords(const TuneReport& report, const Tried& next) {
  const Tried& chosen = Chosen(report);
  const std::string speed = More(next.value, "faster", "slower", "as fast");
  if (report.objective == Objective::kLatency) {
    return More(next.latency, "later", "sooner", "as soon") + ", " + speed;
  }
  if (report.objective == Objective::kMemory) {
    return More(static_cast<double>(next.peak_bytes) /
                    static_cast<double>(std::max<int64_t>(1, chosen.peak_bytes)),
                "more memory", "less memory", "as much memory") +
           ", " + speed;
  }
  return speed;
}

// Less is not sure at all: then it is said what would help.
constexpr double kSureEnough = 0.8;

// 1, 2, 3 or 5 times a power of ten: at least twice as much.
double RoundedTwice(double seconds) {
  for (double power = 1;; power *= 10) {
    for (const double digit : {1, 2, 3, 5}) {
      if (digit * power >= 2 * seconds) return digit * power;
    }
  }
}

// "; --seconds 300 would say more", where it was time that was short.
std::string MoreTimeWords(const TuneReport& report) {
  const double more = RoundedTwice(report.asked_s);
  const bool helps = report.decision.out_of_budget && report.decision.sure < kSureEnough &&
                     more <= TuneOptions::kMostSeconds;
  return helps ? "; --seconds " + DecimalWords(more) + " would say more" : "";
}

std::string Milliseconds(double ms) { return ms > 0 ? ShortNumber(ms) : "?"; }

std::string Padded(const std::string& text, size_t width) {
  // What is shown takes as many columns as it has code points.
  const auto columns =
      static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
  return columns < width ? std::string(width - columns, ' ') + text : text;
}

}  // namespace

const char* ObjectiveName(Objective objective) {
  switch (objective) {
    case Objective::kLatency:
      return "latency";
    case Objective::kMemory:
      return "memory";
    case Objective::kThroughput:
      break;
  }
  return "throughput";
}

std::string Verdict(const TuneReport& report) {
  const Tried& chosen = Chosen(report);
  const Candidate& split = Of(report, chosen);
  std::string words = SplitWords(split.split, split.intra) + ": ";
  if (report.objective == Objective::kLatency) {
    words += "p95 " + Milliseconds(chosen.p95_ms) + " ms, ";
  }
  if (report.objective == Objective::kMemory) words += Bytes(chosen.peak_bytes) + ", ";
  words += ShortNumber(chosen.per_second) + " segments/s " + ErrorWords(chosen.error);
  if (const Tried* next = Next(report)) {
    const Candidate& other = Of(report, *next);
    words += "; next best " + ShortSplitWords(other.split, other.intra) + ": " +
             CostWords(report, *next);
  }
  return words;
}

std::string TextReport(const TuneReport& report) {
  const auto& tried = report.decision.tried;
  std::string text = Verdict(report) + '\n';
  const double sure = std::min(report.decision.sure, 0.99);
  text += Percent(sure) + " sure that no split is more than " + Percent(Search::kSureWithin) +
          " better, after " + std::to_string(static_cast<int>(std::lround(report.seconds))) +
          " s; " + std::to_string(tried.size()) + " of " +
          Counted(static_cast<int64_t>(report.candidates->size()), "split") + " tried" +
          MoreTimeWords(report) + "\n\n";
  const bool intra =
      std::ranges::any_of(tried, [&](const Tried& it) { return Of(report, it).intra > 1; });
  const std::vector<size_t> widths = {11, 9, 7, 12, 8, 9, 10, 8};
  const auto row = [&](const std::vector<std::string>& cells, const std::string& note) {
    for (size_t i = 0; i < cells.size(); ++i) {
      if (i != 2 || intra) text += Padded(cells[i], widths[i]);
    }
    text += note.empty() ? "\n" : "  " + note + '\n';
  };
  row({"processes", "threads", "intra", "segments/s", "±", "p95 ms", "memory", "trials"}, "");
  for (const Tried& it : tried) {
    const Candidate& split = Of(report, it);
    std::string note;
    if (it.failed) note = "does not run here";
    if (!it.fits) note = "takes too much memory";
    if (split.automatic) note += note.empty() ? "automatic" : ", automatic";
    const bool counted = it.trials > 0;
    row({std::to_string(split.split.workers), std::to_string(split.split.engines),
         std::to_string(split.intra), counted ? ShortNumber(it.per_second) : "-",
         counted ? Percent(std::max(it.error, 0.001)) : "-",
         counted ? Milliseconds(it.p95_ms) : "-", it.peak_bytes > 0 ? Bytes(it.peak_bytes) : "-",
         std::to_string(it.trials)},
        note);
  }
  return text + "\nprofile " + report.path + '\n';
}

std::string JsonReport(const TuneReport& report) {
  using Json = nlohmann::ordered_json;
  const auto known = [](double number) { return number > 0 ? Json(number) : Json(); };
  const auto describe = [&](const Tried& it) {
    const Candidate& split = Of(report, it);
    Json json = {{"processes", split.split.workers},
                 {"threads", split.split.engines},
                 {"intra", split.intra},
                 {"automatic", split.automatic},
                 {"trials", it.trials},
                 {"runs", !it.failed},
                 {"fits", it.fits},
                 {"segments_per_second", known(it.per_second)},
                 {"relative_error", known(it.error)},
                 {"p95_ms", known(it.p95_ms)}};
    json["peak_pss_bytes"] = it.peak_bytes > 0 ? Json(it.peak_bytes) : Json();
    // To the chosen one's.
    json["speed_ratio"] = it.trials > 0 ? Json(it.value) : Json();
    json["p95_ratio"] = it.trials > 0 && it.p95_ms > 0 ? Json(it.latency) : Json();
    return json;
  };
  Json root;
  root["tune"] = 1;
  root["bundle"] = report.bundle;
  root["objective"] = ObjectiveName(report.objective);
  root["memory_limit_bytes"] =
      report.memory_limit.bytes > 0 ? Json(report.memory_limit.bytes) : Json();
  root["verdict"] = Verdict(report);
  root["best"] = describe(Chosen(report));
  const Tried* next = Next(report);
  root["next_best"] = next != nullptr ? describe(*next) : Json();
  root["sure"] = report.decision.sure;
  root["out_of_time"] = report.decision.out_of_budget;
  root["seconds"] = report.seconds;
  root["splits"] = report.candidates->size();
  Json& tried = root["tried"] = Json::array();
  for (const Tried& it : report.decision.tried) tried.push_back(describe(it));
  root["profile"] = report.path;
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Error NothingChosen(const TuneReport& report) {
  const Tried* least = nullptr;
  for (const Tried& it : report.decision.tried) {
    if (it.fits || it.peak_bytes == 0) continue;
    if (least == nullptr || it.peak_bytes < least->peak_bytes) least = &it;
  }
  if (least == nullptr) return Error{"no split could be measured"};
  const Candidate& split = Of(report, *least);
  // "the memory limit of 2 GiB (FILE) leaves", or the option as typed.
  const std::string& limit = report.limit_words;
  return Error{"no split fits into " + (limit.starts_with("--") ? limit : "what " + limit) +
                   ": the smallest peak that was measured is " + Bytes(least->peak_bytes) + " (" +
                   SplitWords(split.split, split.intra) + ")",
               "give more with --memory-limit, or use a smaller model"};
}

}  // namespace consort
