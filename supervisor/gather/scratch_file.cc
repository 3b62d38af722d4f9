#include "supervisor/gather/scratch_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>

namespace consort {

Result<UniqueFd> MakeScratchFile(const std::string& folder) {
  UniqueFd fd(open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  std::string name = folder + "/.consort-XXXXXX";
  UniqueFd named(mkostemp(name.data(), O_CLOEXEC));
  if (!named) return SystemError("make a scratch file in", folder, errno);
  unlink(name.c_str());
  return named;
}

Result<uint64_t> ScratchFile::Append(const std::string& bytes) {
  const uint64_t begin = end_;
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                                 static_cast<off_t>(begin + done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return SystemError("write to the scratch file", "", errno);
    done += static_cast<size_t>(wrote);
  }
  end_ += bytes.size();
  return begin;
}

Status ScratchFile::Read(uint64_t offset, uint64_t size, std::string& out) const {
  const size_t begin = out.size();
  out.resize(begin + size);
  for (uint64_t done = 0; done < size;) {
    const ssize_t got =
        pread(fd_.get(), out.data() + begin + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read the scratch file", "", errno);
    if (got == 0) return Error{"the scratch file is shorter than what was written to it"};
    done += static_cast<uint64_t>(got);
  }
  return Ok();
}

Status ScratchFile::Clear() {
  end_ = 0;
  if (ftruncate(fd_.get(), 0) != 0) return SystemError("empty the scratch file", "", errno);
  return Ok();
}

}  // namespace consort
