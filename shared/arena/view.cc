// sealed memfd → read-only mapping.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <boost/interprocess/exceptions.hpp>
#include <cerrno>
#include <cstring>

#include "shared/arena/arena.h"
#include "shared/arena/huge_window.h"
#include "shared/base/mappable_fd.h"

namespace consort {
namespace {

namespace bip = boost::interprocess;

Error Wrong(const std::string& what) {
  return Error{"the weights in shared memory " + what, "this is a fault of consort: report it"};
}

}  // namespace

Result<ArenaView> ArenaView::Map(int memfd, int64_t bytes) {
  if (bytes == 0 && memfd < 0) return ArenaView();  // a model without weights has no arena
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  const int seals = ::fcntl(memfd, F_GET_SEALS);
  if (seals < 0) return SystemError("read the seals of the weights", "", errno);
  if ((seals & kSeals) != kSeals) return Wrong("are not sealed");
  struct stat status {};
  if (::fstat(memfd, &status) != 0) return SystemError("look at the weights", "", errno);
  if (status.st_size != ArenaFileBytes(bytes)) {
    return Wrong("have " + std::to_string(status.st_size) + " bytes, expected " +
                 std::to_string(ArenaFileBytes(bytes)));
  }
  ArenaView view;
  if (bytes == 0) return view;
  // Through a descriptor of its own, read-only: kernels before about 6.7 refuse to map a
  // write-sealed memfd shared through a descriptor that could write.
  const std::string path = "/proc/self/fd/" + std::to_string(memfd);
  UniqueFd readable(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!readable) return SystemError("open", path, errno);
  const auto size = static_cast<size_t>(bytes);
  void* const place = ReserveAligned(size);
  if (place == nullptr) return SystemError("map the weights", "", errno);
  try {
    view.region_ = bip::mapped_region(MappableFd{readable.get()}, bip::read_only, 0, size, place,
                                      MAP_SHARED | MAP_FIXED);
  } catch (const bip::interprocess_exception& trouble) {
    ::munmap(place, size);
    return SystemError("map the weights", "", trouble.get_native_error());
  }
  ::madvise(view.region_.get_address(), view.region_.get_size(), MADV_DONTDUMP);
  return view;
}

Status ArenaView::CopyToPrivateMemory() {
  const size_t bytes = region_.get_size();
  if (copy_ || bytes == 0) return Ok();
  void* const place =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return SystemError("find memory for a copy of the weights", "", errno);
  copy_ = {static_cast<const std::byte*>(place),
           [place, bytes](const std::byte*) { ::munmap(place, bytes); }};
  copied_bytes_ = static_cast<int64_t>(bytes);
  std::memcpy(place, region_.get_address(), bytes);
  region_ = {};
  // A write ends the process, as one to the arena does.
  ::mprotect(place, bytes, PROT_READ);
  ::madvise(place, bytes, MADV_DONTDUMP);
  return Ok();
}

}  // namespace consort
