#include "supervisor/memory/process_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "shared/base/unique_fd.h"

namespace consort {
namespace {

// The file's beginning; empty if there is none.
std::string ReadShort(const std::string& proc, pid_t pid, const char* name) {
  const std::string path = proc + '/' + std::to_string(pid) + '/' + name;
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[4096];  // some 25 short lines at most
  const ssize_t got = fd ? ::read(fd.get(), text, sizeof(text)) : 0;
  return {text, static_cast<size_t>(std::max<ssize_t>(got, 0))};
}

// The number behind the first of these at or after `at`; moves `at` behind it.
int64_t NumberAt(std::string_view text, size_t& at) {
  at = std::min(text.find_first_not_of(' ', at), text.size());
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), number);
  at = static_cast<size_t>(end - text.data());
  return error == std::errc() ? number : 0;
}

// `key`: with the newline before it, so that "Pss:" is not found in "SwapPss:".
int64_t BytesOf(std::string_view text, std::string_view key) {
  size_t at = text.find(key);
  if (at == std::string_view::npos) return 0;
  at = std::min(text.find_first_not_of(" \t", at + key.size()), text.size());
  return NumberAt(text, at) * 1024;
}

}  // namespace

int64_t ReadAnonymousBytes(const std::string& proc, pid_t pid) {
  const std::string text = ReadShort(proc, pid, "statm");
  size_t at = 0;
  NumberAt(text, at);  // the size of all mappings
  const int64_t resident = NumberAt(text, at);
  const int64_t shared = NumberAt(text, at);
  static const int64_t page_bytes = ::sysconf(_SC_PAGESIZE);
  return std::max<int64_t>(0, resident - shared) * page_bytes;
}

int64_t ReadPeakAnonymousBytes(const std::string& proc, pid_t pid) {
  const std::string text = ReadShort(proc, pid, "status");
  return std::max<int64_t>(
      0, BytesOf(text, "\nVmHWM:") - BytesOf(text, "\nRssFile:") - BytesOf(text, "\nRssShmem:"));
}

RolledUp ReadRolledUp(const std::string& proc, pid_t pid) {
  const std::string text = ReadShort(proc, pid, "smaps_rollup");
  const int64_t own = BytesOf(text, "\nPrivate_Clean:") + BytesOf(text, "\nPrivate_Dirty:");
  // Not what a process has to itself of a file, such as the weights that nobody else maps: that is
  // not anonymous. Not what it still shares with its template: that is not private.
  return {.pss_bytes = BytesOf(text, "\nPss:"),
          .private_bytes = std::min(own, BytesOf(text, "\nAnonymous:"))};
}

}  // namespace consort
