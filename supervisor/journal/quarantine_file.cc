#include "supervisor/journal/quarantine_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "shared/base/replace_file.h"
#include "shared/base/unique_fd.h"
#include "shared/base/write_all.h"

namespace consort {
namespace {

constexpr size_t kPieceBytes = 256 * 1024;

std::string PathIn(const std::string& folder) { return folder + "/quarantine.jsonl"; }

}  // namespace

Status RewriteQuarantine(Database& database, const std::string& folder) {
  const std::string path = PathIn(folder);
  CONSORT_TRY(const int64_t rows, database.Number("SELECT COUNT(*) FROM quarantine"));
  if (rows == 0) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return SystemError("remove", path, errno);
    return Ok();
  }
  const std::string made = folder + "/.consort-quarantine";
  CONSORT_TRY(auto row, database.Prepare("SELECT line FROM quarantine ORDER BY file, segment"));
  return ReplaceFile(path, made, Durable::kNo, [&](int fd) -> Status {
    std::string text;
    for (;;) {
      CONSORT_TRY(const bool more, row.Step());
      if (more) text += row.Text(0);
      if (!more || text.size() >= kPieceBytes) {
        CONSORT_TRY(WriteAll(fd, text, made));
        text.clear();
      }
      if (!more) return Ok();
    }
  });
}

Status AppendToQuarantine(const std::vector<QuarantineRow>& rows, const std::string& folder) {
  if (rows.empty()) return Ok();
  const std::string path = PathIn(folder);
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!file) return SystemError("open", path, errno);
  std::string text;
  for (const auto& row : rows) text += row.line;
  return WriteAll(file.get(), text, path);
}

}  // namespace consort
