// The file that results are written to, or standard output.
//
// A write is whole or an error: interrupted and short writes are gone on with, a full non-blocking
// pipe is waited for. The first error is the last: every later call returns it again, since after
// a failed sync nobody knows what the disk holds. The process must ignore SIGPIPE.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"

namespace consort {

class ResultFile {
 public:
  // `path` "-" is standard output (a duplicate of it). A regular file that exists is refused, or,
  // with `restart`, cut to nothing by the first write or sync. Something that exists and is no
  // regular file (/dev/null, a FIFO) is written to as it is. Whether Create would refuse, as far as
  // can be told without touching anything: so that a job can be refused at once, and begun late.
  // `known`: a job's journal says that results were there. Then they may also begin with NUL bytes,
  // as a file does of which a power cut left the length and not the content.
  static Status CheckCreatable(const std::string& path, bool restart, bool known = false);
  static Result<ResultFile> Create(const std::string& path, bool restart, bool known = false);

  // Goes on with a regular file of which `counted` bytes are good: what follows them is cut off, on
  // the disk too, before this returns. One that is shorter is an error; one that is missing, too,
  // unless nothing counts.
  static Result<ResultFile> Resume(const std::string& path, uint64_t counted);

  Status Write(std::string_view bytes);
  // As much as goes without waiting for a reader: all of it for a regular file, what there is room
  // for in a pipe or a terminal. Returns how many bytes went.
  Result<size_t> WriteSome(std::string_view bytes);
  // What was written is on the disk, and so is the file's name in its folder. Does nothing where
  // there is nothing to sync: standard output, pipes, terminals, devices.
  Status Sync();

  // Takes the name away again, if Create made it. A file that was there before is as it was as long
  // as nothing was written or synced.
  void Remove();

  // A write failed because nobody reads any more (EPIPE): `consort run -o - … | head`. Not a
  // failure to complain about; end quietly.
  bool reader_gone() const { return reader_gone_; }
  // The system begins to bring to the disk what was written; a later Sync has less to wait for.
  void StartSync();
  uint64_t bytes_written() const { return bytes_written_; }
  bool failed() const { return failed_.has_value(); }
  bool can_sync() const { return can_sync_; }
  const std::string& path() const { return path_; }

 private:
  ResultFile() = default;
  Status CutFirst();
  Error Fail(const char* verb, int errno_value);

  UniqueFd fd_;
  std::string path_;
  uint64_t bytes_written_ = 0;  // of a resumed file, the counted ones included
  uint64_t started_at_ = 0;     // bytes whose writing back the system was asked for
  bool can_sync_ = false;
  bool is_regular_ = false;
  bool made_ = false;       // by us: the name was free
  bool cut_first_ = false;  // an old file, still with its old content
  bool name_synced_ = false;
  bool reader_gone_ = false;
  std::optional<Error> failed_;
};

}  // namespace consort
