#include "supervisor/plan/operands.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "supervisor/plan/audio_extensions.h"
#include "supervisor/plan/folder_walk.h"
#include "supervisor/plan/list_reader.h"
#include "supervisor/plan/not_a_list.h"

namespace consort {
namespace {

// With its "/" at the end; empty for the current folder.
std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

Status SpoolList(const std::string& path, ListSpooler& spooler) {
  UniqueFd list(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!list) return SystemError("open", path, errno);
  struct stat status {};
  const bool regular = ::fstat(list.get(), &status) == 0 && S_ISREG(status.st_mode);
  // What comes through a pipe has no folder: /dev/fd/63 does not lie among anybody's files.
  const uint32_t prefix = regular ? spooler.AddPrefix(FolderOf(path)) : 0;
  return ReadList(list.get(), '"' + path + '"', prefix, spooler);
}

enum class Kind { kStandardInput, kFolder, kAudio, kList };

Result<Kind> KindOf(const std::string& operand) {
  if (operand == "-") return Kind::kStandardInput;
  struct stat status {};
  const bool exists = ::stat(operand.c_str(), &status) == 0;
  const int reason = exists ? 0 : errno;
  if (exists && S_ISDIR(status.st_mode)) return Kind::kFolder;
  if (HasAudioExtension(operand)) return Kind::kAudio;
  if (exists) return Kind::kList;
  Error error = SystemError("open", operand, reason);
  if (reason == ENOENT || reason == ENOTDIR) {
    error.hint = "name a list, a folder, or a file with an audio or video extension";
  }
  return error;
}

Status SpoolKind(Kind kind, const std::string& operand, ListSpooler& spooler) {
  switch (kind) {
    case Kind::kStandardInput:
      return ReadList(STDIN_FILENO, "the list on standard input", 0, spooler);
    case Kind::kFolder:
      return WalkFolder(operand, spooler);
    case Kind::kAudio:
      return spooler.Add(operand);
    case Kind::kList:
      break;
  }
  return SpoolList(operand, spooler);
}

std::string NothingIn(Kind kind, const std::string& operand) {
  if (kind == Kind::kFolder) return "no audio files found in \"" + operand + '"';
  return (kind == Kind::kStandardInput ? "the list on standard input"
                                       : "the list \"" + operand + '"') +
         std::string(" has no entries");
}

Status SpoolOperand(const std::string& operand, ListSpooler& spooler) {
  CONSORT_TRY(const Kind kind, KindOf(operand));
  if (kind == Kind::kList) CONSORT_TRY(CheckFileIsList(operand));
  const uint64_t before = spooler.size();
  const size_t warned = spooler.warnings();
  CONSORT_TRY(SpoolKind(kind, operand, spooler));
  // Where something could not be looked into, nobody knows what is in it, and that was told.
  if (spooler.size() == before && spooler.warnings() == warned) {
    spooler.Warn(NothingIn(kind, operand));
  }
  return Ok();
}

}  // namespace

bool HasAudioExtension(std::string_view path) {
  const size_t dot = path.find_last_of("./");
  if (dot == std::string_view::npos || path[dot] == '/') return false;
  // ".wav" alone is a hidden file without an extension.
  if (dot == 0 || path[dot - 1] == '/') return false;
  std::string extension(path.substr(dot + 1));
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::binary_search(kAudioExtensions.begin(), kAudioExtensions.end(), extension);
}

Status CheckOperands(const std::vector<std::string>& operands) {
  for (const std::string& operand : operands) {
    CONSORT_TRY(const Kind kind, KindOf(operand));
    if (kind == Kind::kList) CONSORT_TRY(CheckFileIsList(operand));
  }
  return Ok();
}

Result<std::unique_ptr<FileList>> SpoolOperands(const std::vector<std::string>& operands,
                                                UniqueFd spool) {
  ListSpooler spooler(std::move(spool));
  for (const std::string& operand : operands) CONSORT_TRY(SpoolOperand(operand, spooler));
  return spooler.Finish();
}

}  // namespace consort
