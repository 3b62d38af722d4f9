#include "supervisor/check/check_words.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "shared/segment/frames.h"
#include "supervisor/cli/version.h"
#include "supervisor/output/jsonl.h"
#include "supervisor/view/number.h"
#include "supervisor/view/report_line.h"

namespace consort {
namespace {

using Json = nlohmann::ordered_json;

// Of the order of keys, and of what they mean.
constexpr int kJsonVersion = 1;

std::string Files(uint64_t count) { return CountedLong(count, "file"); }

// 0.512 s, 3:10:00
std::string Length(double seconds) {
  constexpr double kMinute = 60;
  if (seconds >= kMinute) return HoursMinutes(seconds);
  char text[kMaxTimeBytes];
  return std::string(text, WriteTime(text, std::llround(seconds * 1000))) + " s";
}

// "48,000 Hz: 12, 16,000 Hz: 3", most frequent first.
template <typename Value, typename Words>
std::string TallyText(const Tally<Value>& tally, Words words) {
  std::vector<std::pair<Value, uint64_t>> sorted(tally.seen.begin(), tally.seen.end());
  std::ranges::stable_sort(sorted,
                           [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (const auto& [value, count] : sorted) {
    text += (text.empty() ? "" : "   ") + words(value) + ": " + WithThousands(count);
  }
  if (tally.others > 0) text += "   others: " + WithThousands(tally.others);
  return text;
}

std::string Seconds(int64_t ns) {
  char text[kMaxTimeBytes];
  std::string seconds(text, WriteTime(text, NsToMs(ns)));
  seconds.erase(seconds.find_last_not_of('0') + 1);
  if (seconds.ends_with('.')) seconds.pop_back();
  return seconds + " s";
}

void AppendSound(std::string& out, const CheckTotals& totals, const CheckSetting& setting) {
  out += ReportLine("sound", HoursMinutes(totals.seconds()) + " hours");
  if (totals.shortest()) {
    out += ReportLine("shortest",
                      Length(totals.shortest()->seconds) + "   \"" + totals.shortest()->name + '"');
    out += ReportLine("longest",
                      Length(totals.longest()->seconds) + "   \"" + totals.longest()->name + '"');
  }
  if (totals.unfinished() > 0) {
    out +=
        ReportLine("unfinished", Files(totals.unfinished()) +
                                     " with a header that says less than is there, or nothing: all "
                                     "that is there would be used");
  }
  if (!totals.containers().seen.empty()) {
    out +=
        ReportLine("containers", TallyText(totals.containers(), [](const auto& it) { return it; }));
    out += ReportLine("rates", TallyText(totals.rates(), [](int32_t rate) {
                        return WithThousands(static_cast<uint64_t>(rate)) + " Hz";
                      }));
    out += ReportLine("channels",
                      TallyText(totals.channels(), [](int32_t it) { return std::to_string(it); }));
  }
  if (setting.bundle.empty()) return;
  out += ReportLine("segments", WithThousands(totals.segments()) + " of " +
                                    Seconds(setting.segment_ns) + ", one every " +
                                    Seconds(setting.hop_ns) +
                                    (setting.each_channel ? " of each channel" : ""));
  out += ReportLine(
      "a run",
      setting.per_second
          ? "about " + HoursMinutes(static_cast<double>(totals.segments()) / *setting.per_second) +
                " hours, at the " + ShortNumber(*setting.per_second) +
                " segments/s that \"consort tune\" measured"
          : std::string("\"consort tune\" would tell how long it takes"));
}

}  // namespace

std::string CheckReportText(const CheckTotals& totals, const CheckSetting& setting) {
  std::string out;
  const bool whole = totals.files() == setting.listed;
  out += ReportLine("files", (whole ? Files(totals.files())
                                    : WithThousands(totals.files()) + " of " +
                                          Files(setting.listed) + ", as far as it came") +
                                 ": " + WithThousands(totals.fine()) + " fine, " +
                                 WithThousands(totals.failed_files()) + " would fail");
  if (totals.fine() > 0) AppendSound(out, totals, setting);
  bool more = false;
  for (const auto& [code, failure] : totals.failures()) {
    out += ReportLine(std::string(ErrorCodeName(code)), Files(failure.files));
    for (const auto& example : failure.first) {
      out += "  \"" + example.name + "\": " + std::string(ErrorCodeName(code)) + ": " +
             JsonlFormatter::EscapeName(example.message) + '\n';
    }
    if (failure.files > failure.first.size()) {
      out += "  …\n";
      more = true;
    }
  }
  if (!setting.failed.empty() && totals.failed_files() > 0) {
    const bool one = setting.unlisted == 1;
    out += ReportLine("all of them",
                      "in the list \"" + setting.failed + '"' +
                          (setting.unlisted == 0
                               ? ""
                               : ", but for " + WithThousands(setting.unlisted) +
                                     " with a line feed in " + (one ? "its name" : "their names")));
  } else if (more) {
    out += ReportLine("all of them", "\"consort check --failed FILE\" lists them");
  }
  return out;
}

std::string CheckJsonBegin(const CheckSetting& setting) {
  return "{\"consort\":\"" + std::string(kVersion) +
         "\",\"check\":" + std::to_string(kJsonVersion) + ",\"bundle\":" +
         (setting.bundle.empty() ? "null"
                                 : '"' + JsonlFormatter::EscapeName(setting.bundle) + '"') +
         ",\"files\":[\n";
}

void AppendCheckJson(std::string& out, const CheckedFile& file, bool first) {
  if (!first) out += ",\n";
  out += "{\"file\":\"" + file.name + '"';
  if (file.info) {
    char text[kMaxTimeBytes];
    const auto ms = std::llround(file.seconds() * 1000);
    out += ",\"container\":\"" + file.info->container +
           "\",\"sample_rate\":" + std::to_string(file.info->sample_rate) +
           ",\"channels\":" + std::to_string(file.info->channels) +
           ",\"samples\":" + std::to_string(file.info->samples) +
           ",\"seconds\":" + std::string(text, WriteTime(text, ms)) +
           ",\"unfinished\":" + ((file.info->flags & kHeaderUnfinished) != 0 ? "true" : "false");
  }
  if (file.code) {
    out += ",\"error\":{\"code\":\"" + std::string(ErrorCodeName(*file.code)) +
           "\",\"message\":\"" + JsonlFormatter::EscapeName(file.message) + '"';
    if (file.at_ms) {
      char text[kMaxTimeBytes];
      out += ",\"at\":" + std::string(text, WriteTime(text, *file.at_ms));
    }
    out += '}';
  }
  out += '}';
}

std::string CheckJsonEnd(const CheckTotals& totals, const CheckSetting& setting) {
  Json total;
  total["files"] = totals.files();
  total["fine"] = totals.fine();
  total["failed"] = Json::object();
  for (const auto& [code, failure] : totals.failures()) {
    total["failed"][std::string(ErrorCodeName(code))] = failure.files;
  }
  total["audio_seconds"] = std::round(totals.seconds() * 1000) / 1000;
  total["unfinished"] = totals.unfinished();
  const bool has_bundle = !setting.bundle.empty();
  total["segments"] = has_bundle ? Json(totals.segments()) : Json();
  total["segments_per_second"] = setting.per_second ? Json(*setting.per_second) : Json();
  const std::string complete = totals.files() == setting.listed ? "true" : "false";
  return "\n],\"complete\":" + complete + ",\"total\":" + total.dump() + "}\n";
}

}  // namespace consort
