#include "supervisor/plan/not_a_list.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "shared/base/unique_fd.h"
#include "supervisor/plan/utf8_bom.h"

namespace consort {
namespace {

constexpr char kNameSounds[] = "name recordings, a list of them, or a folder";

struct Beginning {
  std::string_view text;
  std::string_view what;
  std::string_view then = {};  // one of these, or nothing, has to follow; empty: whatever does
};

// docs/results.md, docs/formats.md. Formats without a header are not told from a list.
constexpr std::array kBeginnings = {
    Beginning{"{\"file\":\"", "results"},
    Beginning{"{\"consort\":\"", "what \"consort check\" or --figures wrote"},
    Beginning{"file,start,end,rank,label,score,text,error", "results as CSV", ",\r\n"},
    Beginning{"Selection\tView\tChannel\t", "results as a selection table of Raven"},
    Beginning{"WEBVTT", "subtitles (WebVTT)", "\r\n \t"},
};

bool Begins(std::string_view text, const Beginning& it) {
  if (!text.starts_with(it.text)) return false;
  text.remove_prefix(it.text.size());
  return it.then.empty() || text.empty() || it.then.find(text.front()) != std::string_view::npos;
}

// Those of them that could be taken for a list; the list that a job keeps has NUL bytes.
constexpr std::array<std::string_view, 7> kInJobFolder = {
    "exports", "lock", "log", "log.1", "quarantine.jsonl", "status.json", "journal.db"};

// A name alone says little: "log" may be anybody's.
constexpr std::array kInEveryJobFolder = {"journal.db", "list", "lock"};

bool IsOfAJob(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string_view name = std::string_view(path).substr(slash + 1);  // npos + 1 is 0
  return std::ranges::find(kInJobFolder, name) != kInJobFolder.end() &&
         std::ranges::all_of(kInEveryJobFolder, [&folder](const char* other) {
           return ::access((folder + '/' + other).c_str(), F_OK) == 0;
         });
}

}  // namespace

Status CheckIsList(std::string_view first_line, const std::string& shown) {
  const auto* const found = std::ranges::find_if(
      kBeginnings, [&](const Beginning& it) { return Begins(first_line, it); });
  if (found == kBeginnings.end()) return Ok();
  return Error{shown + " holds " + std::string(found->what) + ", and is not a list", kNameSounds};
}

Status CheckFileIsList(const std::string& path) {
  const std::string shown = '"' + path + '"';
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return Ok();
  if (IsOfAJob(path)) return Error{shown + " is a job's own file, and not a list", kNameSounds};
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  std::array<char, 256> beginning;
  const ssize_t got = fd ? ::pread(fd.get(), beginning.data(), beginning.size(), 0) : 0;
  std::string_view text(beginning.data(), static_cast<size_t>(std::max<ssize_t>(got, 0)));
  if (text.starts_with(kUtf8Bom)) text.remove_prefix(kUtf8Bom.size());
  return CheckIsList(text, shown);
}

}  // namespace consort
