#include "supervisor/journal/list_change.h"

#include <filesystem>
#include <string>

#include "supervisor/journal/printable.h"

namespace consort {
namespace {

std::string Resolved(const FileList& list, const ListEntry& entry) {
  namespace fs = std::filesystem;
  return (fs::path(list.current_folder()) / entry.path).lexically_normal().string();
}

Error Changed(const std::string& what) {
  return Error{
      "the files are other ones: " + Printable(what),
      "give the files that the job was begun with, in their order; new ones may follow "
      "(for a folder that grows, keep a list of its files and append to it); of its failed "
      "files once more: that list, with --retry-failed; for other files another -o; or "
      "begin anew with --restart"};
}

Result<uint64_t> CountRest(FileList& list) {
  ListEntry entry;
  for (;;) {
    CONSORT_TRY(const bool more, list.Next(entry));
    if (!more) return list.returned();
  }
}

}  // namespace

Result<ListChange> CompareLists(FileList& was, FileList& now) {
  ListEntry before;
  ListEntry after;
  for (;;) {
    CONSORT_TRY(const bool had, was.Next(before));
    CONSORT_TRY(const bool has, now.Next(after));
    if (!had) return has ? ListChange::kGrown : ListChange::kNone;
    if (!has) {
      const uint64_t left = now.returned();
      CONSORT_TRY(const uint64_t all, CountRest(was));
      return Changed("it had " + std::to_string(all) + " entries and has " + std::to_string(left) +
                     " now");
    }
    const std::string entry = "entry " + std::to_string(now.returned());
    if (before.name != after.name) {
      return Changed(entry + " was \"" + before.name + "\" and is \"" + after.name + "\" now");
    }
    const bool same_start = was.current_folder() == now.current_folder();
    if (same_start && before.path == after.path) continue;
    const std::string old_path = Resolved(was, before);
    const std::string new_path = Resolved(now, after);
    if (old_path != new_path) {
      return Changed(entry + ", \"" + after.name + "\", was \"" + old_path + "\" and is \"" +
                     new_path + "\" now");
    }
  }
}

}  // namespace consort
