#include "supervisor/journal/job_status.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "shared/base/read_file.h"
#include "shared/base/replace_file.h"
#include "shared/base/write_all.h"
#include "supervisor/journal/file_system.h"
#include "supervisor/journal/job_look.h"
#include "supervisor/journal/printable.h"
#include "supervisor/journal/schema.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShownFailures = 10;
constexpr size_t kStatusFileFailures = 1000;
constexpr size_t kStatusFileQuarantined = 10;

// A byte of a name that is no UTF-8 stands in a line as half of a surrogate pair (docs/results.md),
// which nlohmann-json refuses: here it becomes U+FFFD.
std::string Parsable(std::string_view line) {
  std::string text(line);
  for (size_t at = 0; (at = text.find('\\', at)) != std::string::npos; at += 2) {
    if (text.compare(at, 4, "\\udc") == 0) text.replace(at + 1, 5, "ufffd");
  }
  return text;
}

JobFailure FailureOf(std::string_view line) {
  JobFailure failure;
  const Json json = Json::parse(Parsable(line), nullptr, false);
  if (json.is_discarded() || !json.contains("error")) return failure;
  const Json& error = json["error"];
  failure.file = json.value("file", "");
  failure.code = error.value("code", "");
  failure.message = error.value("message", "");
  if (error.contains("at")) failure.at = error["at"].get<double>();
  return failure;
}

// "a.wav, segment 3 at 9.0 s: the worker was ended by SIGSEGV in stage forward, 3 times while …"
std::string GuiltyOf(std::string_view line) {
  const Json json = Json::parse(Parsable(line), nullptr, false);
  if (json.is_discarded()) return std::string(line);
  std::string text = json.value("file", "");
  if (json.contains("channel")) text += ", channel " + json["channel"].dump();
  if (json.contains("segment")) {
    text += ", segment " + json["segment"].dump() + " at " + json["start"].dump() + " s";
  }
  return text + ": " + json.value("message", "");
}

const char* StateOf(const JobStatus& status, pid_t pid) {
  if (pid != 0) return "running";
  if (!status.begun) return "not begun";
  return status.totals.finished() ? "finished" : "stopped";
}

// Of a line of quarantine.jsonl. In its strings quotes are escaped, so these keys are none of
// theirs.
std::string WithoutLog(std::string_view line) {
  std::string kept(line);
  const size_t from = kept.find(",\"log\":[");
  const size_t to = kept.rfind("],\"time\":");
  if (from != std::string::npos && to != std::string::npos) kept.erase(from, to + 1 - from);
  return kept;
}

Status ReadIdentity(Database& database, JobStatus& status) {
  const std::map<std::string_view, std::string*> wanted = {{"bundle", &status.bundle},
                                                           {"top_k", &status.tags.top_k},
                                                           {"min_score", &status.tags.min_score},
                                                           {"labels", &status.tags.labels},
                                                           {"thresholds", &status.tags.thresholds}};
  CONSORT_TRY(auto rows, database.Prepare("SELECT key, value FROM identity"));
  for (;;) {
    CONSORT_TRY(const bool more, rows.Step());
    if (!more) return Ok();
    const auto found = wanted.find(rows.Text(0));
    if (found != wanted.end()) *found->second = rows.Text(1);
  }
}

// "--top-k 3, 6 of 8 labels (…)", or that it is the bundle's.
std::string ChoiceText(const JobTags& tags) {
  std::string text;
  const auto add = [&text](const char* words, const std::string& value) {
    if (!value.empty()) text += (text.empty() ? "" : ", ") + (words + value);
  };
  add("--top-k ", tags.top_k);
  add("--min-score ", tags.min_score);
  add("", tags.labels);
  add("--thresholds for ", tags.thresholds);
  return text.empty() ? "as the bundle says" : text;
}

// A number as it is, since it was one on the command line.
Json NumberOrNull(const std::string& text) {
  const Json number = Json::parse(text, nullptr, false);
  return number.is_number() ? number : Json();
}

Json TextOrNull(const std::string& text) { return text.empty() ? Json() : Json(text); }

// The first `most` rows of a query of one text.
template <typename Do>
Status EachText(Database& database, const char* query, size_t most, Do&& act) {
  CONSORT_TRY(auto rows, database.Prepare(query));
  rows.With(static_cast<uint64_t>(most));
  for (;;) {
    CONSORT_TRY(const bool more, rows.Step());
    if (!more) return Ok();
    act(rows.Text(0));
  }
}

// A line each of what status.json holds; as it is where a name in it is no UTF-8.
std::string KeysAndValues(const std::string& json) {
  const Json all = Json::parse(json, nullptr, false);
  if (all.is_discarded()) return json;
  std::string text;
  for (const auto& [key, value] : all.items()) text += key + "  " + value.dump() + "\n";
  return text;
}

// The journal is open no longer than that takes: on a network file system nobody else may use it
// meanwhile.
Result<std::string> TextOfStatus(const std::string& folder, bool json) {
  const pid_t pid = SupervisorOf(folder);
  bool in_use = false;
  auto database = OpenToLook(folder, pid, &in_use);
  if (database) {
    CONSORT_TRY(const auto status,
                ReadStatus(database.value(), json ? SIZE_MAX >> 1 : kShownFailures));
    return json ? StatusJson(status, pid) : StatusText(status, pid);
  }
  if (!in_use || !IsNetworkFileSystem(folder)) return database.error();
  // A supervisor at work on a network file system has the journal for itself, here or elsewhere.
  const std::string told = ReadFileOrNothing(folder + "/status.json");
  if (told.empty() && pid == 0) return database.error();
  if (told.empty()) return Error{"the job has just begun", "ask again in a second"};
  if (json) return told;
  return KeysAndValues(told);
}

}  // namespace

uint64_t JobStatus::files_failed() const {
  uint64_t all = 0;
  for (const auto& [code, count] : failed) all += count;
  return all;
}

Result<JobStatus> ReadStatus(Database& database, size_t most) {
  JobStatus status;
  // One transaction: while the job runs, all of it is of one moment.
  CONSORT_TRY(database.Run("BEGIN"));
  {
    CONSORT_TRY(auto job, database.Prepare("SELECT begun, entries, bytes, files_done, segments, "
                                           "audio_seconds, elapsed_ns, head, workers_crashed, "
                                           "workers_killed, templates_crashed, "
                                           "templates_killed, workers_replaced FROM job"));
    CONSORT_TRY(const bool any, job.Step());
    if (any) {
      status.begun = job.Int(0) != 0;
      status.totals.entries = job.Unsigned(1);
      status.totals.bytes = job.Unsigned(2);
      status.totals.files_done = job.Unsigned(3);
      status.totals.segments = job.Unsigned(4);
      status.totals.audio_seconds = job.Real(5);
      status.totals.elapsed_ns = job.Int(6);
      status.totals.head = job.Unsigned(7);
      for (int i = 0; i < 4; ++i) {
        status.totals.restarts[static_cast<size_t>(i)] = job.Unsigned(8 + i);
      }
      status.totals.workers_replaced = job.Unsigned(12);
    }
    CONSORT_TRY(ReadIdentity(database, status));
    CONSORT_TRY(auto failed, database.Prepare("SELECT code, COUNT(*) FROM files "
                                              "WHERE code IS NOT NULL GROUP BY code"));
    for (;;) {
      CONSORT_TRY(const bool more, failed.Step());
      if (!more) break;
      const auto code = ToErrorCode(static_cast<uint32_t>(failed.Int(0)));
      status.failed[code ? std::string(ErrorCodeName(*code)) : "unknown"] = failed.Unsigned(1);
    }
    CONSORT_TRY(EachText(database,
                         "SELECT error FROM files WHERE code IS NOT NULL ORDER BY file LIMIT ?",
                         most, [&](auto text) { status.failures.push_back(FailureOf(text)); }));
    CONSORT_TRY(const int64_t quarantined, database.Number("SELECT COUNT(*) FROM quarantine"));
    status.quarantined = static_cast<uint64_t>(quarantined);
    CONSORT_TRY(EachText(database, "SELECT line FROM quarantine ORDER BY file, segment LIMIT ?",
                         most, [&](auto text) { status.quarantine.emplace_back(text); }));
  }
  CONSORT_TRY(database.Run("COMMIT"));
  return status;
}

std::string StatusJson(const JobStatus& status, pid_t pid) {
  Json json;
  json["state"] = StateOf(status, pid);
  if (pid != 0) json["pid"] = pid;
  json["bundle"] = TextOrNull(status.bundle);
  json["tags"] = {{"top_k", NumberOrNull(status.tags.top_k)},
                  {"min_score", NumberOrNull(status.tags.min_score)},
                  {"labels", TextOrNull(status.tags.labels)},
                  {"thresholds", TextOrNull(status.tags.thresholds)}};
  const uint64_t failed = status.files_failed();
  json["files"] = {{"total", status.totals.entries},
                   {"done", status.totals.files_done - std::min(status.totals.files_done, failed)},
                   {"failed", failed}};
  json["segments"] = status.totals.segments;
  json["audio_seconds"] = status.totals.audio_seconds;
  json["elapsed_seconds"] = static_cast<double>(status.totals.elapsed_ns) * 1e-9;
  json["result_bytes"] = status.totals.bytes;
  json["workers_replaced_for_memory"] = status.totals.workers_replaced;
  const auto& restarts = status.totals.restarts;
  json["restarts"] = {{"workers", {{"crashed", restarts[0]}, {"killed", restarts[1]}}},
                      {"templates", {{"crashed", restarts[2]}, {"killed", restarts[3]}}}};
  json["failed"] = status.failed.empty() ? Json::object() : Json(status.failed);
  json["failures"] = Json::array();
  for (const auto& it : status.failures) {
    Json one = {{"file", it.file}, {"code", it.code}, {"message", it.message}};
    if (it.at) one["at"] = *it.at;
    json["failures"].push_back(std::move(one));
  }
  json["quarantined"] = status.quarantined;
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.back() =
      ',';  // the lines are JSON already, and names in them may be what the library refuses
  text += "\"quarantine\":[";
  for (const auto& line : status.quarantine) {
    if (&line != &status.quarantine.front()) text += ',';
    text.append(line, 0, line.find('\n'));
  }
  return text + "]}\n";
}

std::string StatusText(const JobStatus& status, pid_t pid) {
  const auto& totals = status.totals;
  const uint64_t failed = status.files_failed();
  std::ostringstream text;
  text << "state       " << StateOf(status, pid);
  if (pid != 0) text << ", process " << pid;
  if (!status.bundle.empty()) text << "\nbundle      " << Printable(status.bundle);
  if (status.begun) text << "\ntags        " << ChoiceText(status.tags);
  text << "\nfiles       " << totals.files_done - std::min(totals.files_done, failed) << " done, "
       << failed << " failed, " << totals.entries - std::min(totals.entries, totals.files_done)
       << " to do, of " << totals.entries;
  text << "\naudio       " << HoursMinutes(totals.audio_seconds) << " in "
       << HoursMinutes(static_cast<double>(totals.elapsed_ns) * 1e-9) << " of work\nsegments    "
       << totals.segments << "\n";
  const auto& restarts = totals.restarts;
  text << "restarts    " << restarts[0] + restarts[1] + totals.workers_replaced << " workers ("
       << restarts[0] << " crashed";
  if (totals.workers_replaced > 0) {
    text << ", " << totals.workers_replaced << " replaced for memory";
  }
  text << "), " << restarts[2] + restarts[3] << " templates (" << restarts[2] << " crashed)\n";
  for (const auto& [code, count] : status.failed)
    text << "failed      " << count << " " << code << "\n";
  for (const auto& it : status.failures) {
    text << "  " << Printable(it.file + ": " + it.code + ": " + it.message) << "\n";
  }
  if (failed > status.failures.size()) {
    text << "  and " << failed - status.failures.size() << " more; --json tells all\n";
  }
  if (status.quarantined > 0) {
    text << "quarantined " << status.quarantined << ", what is known of them in quarantine.jsonl\n";
  }
  for (const auto& line : status.quarantine) text << "  " << Printable(GuiltyOf(line)) << "\n";
  if (status.quarantined > status.quarantine.size()) {
    text << "  and " << status.quarantined - status.quarantine.size() << " more\n";
  }
  return text.str();
}

pid_t SupervisorOf(const std::string& folder) {
  const std::string path = folder + "/lock";
  struct stat lock {};
  if (::stat(path.c_str(), &lock) != 0) return 0;
  // What it calls itself. Of a supervisor in a container that is another number than here.
  const auto own = std::strtol(ReadFileOrNothing(path).c_str(), nullptr, 10);
  char place[64];  // some file systems tell stat() of another device than they have
  std::snprintf(place, sizeof(place), "%02x:%02x:%ju", major(lock.st_dev), minor(lock.st_dev),
                uintmax_t{lock.st_ino});
  // 1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF
  std::ifstream locks("/proc/locks");
  const std::string inode = ":" + std::to_string(lock.st_ino);
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, kind, advisory, mode, holder, file;
    words >> number >> kind >> advisory >> mode >> holder >> file;
    if (kind != "FLOCK" || !file.ends_with(inode)) continue;
    if (file == place || holder == std::to_string(own)) {
      return static_cast<pid_t>(std::strtol(holder.c_str(), nullptr, 10));
    }
  }
  return 0;
}

Result<Database> OpenToLook(const std::string& folder, pid_t pid, bool* in_use) {
  const bool network = IsNetworkFileSystem(folder);
  if (network && pid != 0) {
    if (in_use != nullptr) *in_use = true;
    return Error{"the journal of \"" + folder + "\" is in use, and lies on a network file system",
                 "ask again once process " + std::to_string(pid) + " is done"};
  }
  const std::string journal = folder + "/journal.db";
  // Without shared memory a WAL is read by whoever may write, alone.
  CONSORT_TRY(auto database, Database::Open(journal, network ? Database::Mode::kReadWrite
                                                             : Database::Mode::kReadOnly));
  if (network) CONSORT_TRY(database.Run("PRAGMA locking_mode=EXCLUSIVE"));
  CONSORT_TRY(CheckSchema(database, journal, in_use));
  return database;
}

Status WriteStatusFile(Database& database, const std::string& folder) {
  CONSORT_TRY(auto status, ReadStatus(database, kStatusFileFailures));
  status.quarantine.resize(std::min(status.quarantine.size(), kStatusFileQuarantined));
  for (auto& line : status.quarantine) line = WithoutLog(line);
  return ReplaceFile(folder + "/status.json", folder + "/.consort-status", Durable::kNo,
                     StatusJson(status, ::getpid()));
}

Status ShowStatus(const std::string& path, bool json) {
  const std::string folder = FolderOfJob(path);
  if (folder.empty()) {
    return Error{"there is no job in \"" + path + '"',
                 "name the job's folder, or the results that it belongs to"};
  }
  CONSORT_TRY(const std::string text, TextOfStatus(folder, json));
  return WriteAll(STDOUT_FILENO, text, "standard output");
}

}  // namespace consort
