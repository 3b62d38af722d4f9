// A file that is made beside and renamed, so that it is there in whole or not at all.
#pragma once

#include <cstddef>
#include <string>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"

namespace consort {

class OutputFile {
 public:
  static constexpr size_t kFlushBytes = 256 * 1024;  // as much is gathered before it is written

  // Whether a file can be made at `path`, which `option` names. Ok if a regular file is there: it
  // will be replaced.
  static Status Check(const std::string& path, const std::string& option = "-o");

  // "-": standard output, which is written as it comes. What is at `path` stays until PutInPlace.
  static Result<OutputFile> Create(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  // What was not put in its place goes.
  ~OutputFile();

  // What is to be written is appended here; then Flush, which writes once much has come together.
  std::string& pending() { return pending_; }
  Status Flush();
  // All of it, synced.
  Status Finish();
  Status PutInPlace();
  // It may be although PutInPlace failed: when the folder could not be synced. Standard output
  // always is.
  bool is_in_place() const { return made_.empty(); }

 private:
  OutputFile() = default;

  std::string path_;
  std::string made_;  // its name until it is put in place; empty: standard output, or done
  UniqueFd fd_;
  std::string pending_;
};

}  // namespace consort
