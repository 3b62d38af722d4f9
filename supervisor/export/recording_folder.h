// A folder with a file for each recording, laid out as the recordings are. Made beside and renamed,
// so that it is there in whole or not at all.
//
// Nothing is ever made outside of it, whatever the names are: of a name "/a/../b.wav" the parts are
// taken for what they are called, "a", "_..", "b.wav".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"

namespace consort {

// The parts of a recording's name as folders and a file, safe to be used in any folder: at least
// one, none of them empty, "." or ".." or longer than a name may be.
std::vector<std::string> PartsOf(std::string_view name);

class RecordingFolder {
 public:
  // `path` is not there yet, or an empty folder.
  static Status Check(const std::string& path);

  static Result<RecordingFolder> Create(const std::string& path);
  RecordingFolder(RecordingFolder&& other) noexcept;
  RecordingFolder& operator=(RecordingFolder&&) = delete;
  // What was not put in its place goes.
  ~RecordingFolder();

  struct File {
    UniqueFd fd;
    std::string path;  // for errors
  };
  // A new file: the recording's name with its last extension replaced. If that is there already,
  // since two recordings differ in nothing else, or one is listed twice: "name (2).srt", and so on.
  Result<File> Make(std::string_view name, std::string_view extension);
  // With all that is in it, synced.
  Status PutInPlace();

 private:
  RecordingFolder() = default;

  std::string path_;
  std::string made_;  // its name until it is put in place; then empty
};

}  // namespace consort
