// From the words on the command line to one long list of files, spooled to disk.
//
// An operand is "-" (a list on standard input), a folder (walked), a file whose extension is that
// of audio or video, or else a list, whatever its name. The order of the operands is kept and
// nothing is taken out: what is named twice is done twice.
// - A list has one path a line. CRLF, blank lines and a BOM are tolerated; all other bytes belong
//   to the name. A relative path starts at the list's folder; in a list that comes through a pipe
//   ("-", a FIFO, a shell's <(…)) it starts at the current folder.
// - A folder gives every regular file with a known extension, sorted bytewise by relative path.
//   Links to files are followed, links to folders are not; names that begin with "." are skipped.
// - A file with a known extension need not exist: it becomes that file's error line. Any other
//   operand that is missing is an error of the whole command.
//
// No audio file is opened here. Memory does not grow with a list; a walk holds the names of one
// folder and of the folders above it. Reading standard input blocks: call this while SIGINT still
// ends the program.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"
#include "supervisor/plan/list.h"

namespace consort {

// `spool` is an open, empty file, readable and writable.
Result<std::unique_ptr<FileList>> SpoolOperands(const std::vector<std::string>& operands,
                                                UniqueFd spool);

// Of operands that can be told to be of no use before anything is made for them: a list or a folder
// that is missing, a "list" that is results (not_a_list.h). SpoolOperands says the same, later.
Status CheckOperands(const std::vector<std::string>& operands);

// Its extension, in any case, is in the table of audio and video extensions.
bool HasAudioExtension(std::string_view path);

}  // namespace consort
