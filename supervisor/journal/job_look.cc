#include "supervisor/journal/job_look.h"

#include <unistd.h>

#include <filesystem>

#include "shared/base/folder.h"
#include "supervisor/journal/job_status.h"
#include "supervisor/journal/schema.h"
#include "supervisor/journal/sqlite.h"

namespace consort {
namespace {

// Where the results are that a journal names from its folder.
std::string ResultsOf(const std::string& folder, const std::string& from_folder) {
  const auto from = [&](const std::string& base) {
    return (std::filesystem::path(base) / from_folder).lexically_normal().string();
  };
  const std::string near = from(folder);
  // The folder may be named by a link.
  return ::access(near.c_str(), F_OK) == 0 ? near : from(RealPath(folder));
}

}  // namespace

std::string FolderOfJob(const std::string& path) {
  for (const std::string& folder : {path, path + ".job"}) {
    if (::access((folder + "/journal.db").c_str(), F_OK) == 0) return folder;
  }
  return "";
}

Result<JobLook> LookAtJob(const std::string& path) {
  JobLook look;
  look.folder = FolderOfJob(path);
  if (look.folder.empty()) {
    return Error{"there is no job in \"" + path + '"',
                 "name the job's folder, or the results that it belongs to"};
  }
  look.pid = SupervisorOf(look.folder);
  CONSORT_TRY(auto database, OpenToLook(look.folder, look.pid));
  // One transaction: while the job runs, all of it is of one moment.
  CONSORT_TRY(database.Run("BEGIN"));
  CONSORT_TRY(auto job,
              database.Prepare("SELECT begun, switching, bytes, entries, files_done, head, "
                               "(SELECT value FROM identity WHERE key = 'output') "
                               "FROM job"));
  CONSORT_TRY(const bool any, job.Step());
  if (!any || job.Int(0) == 0) return Error{"the job in \"" + look.folder + "\" has not begun"};
  if (job.Int(1) != 0) {
    return Error{"the results of \"" + look.folder + "\" are being replaced by --retry-failed",
                 "ask again once that is done; if it was cut off, give its command once more"};
  }
  look.bytes = job.Unsigned(2);
  look.entries = job.Unsigned(3);
  look.files_done = job.Unsigned(4);
  look.finished = look.files_done == look.entries && job.Unsigned(5) == look.entries;
  look.results = look.folder == path ? ResultsOf(look.folder, std::string(job.Text(6))) : path;
  return look;
}

}  // namespace consort
