// weights.bin → sealed memfd.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <vector>

#include "shared/arena/arena.h"
#include "shared/arena/reserve.h"
#include "shared/bundle/sha256.h"

namespace consort {
namespace {

constexpr size_t kPieceBytes = 1 << 20;
constexpr char kHint[] = "make the bundle again with consort-prepare";

Status WriteAt(int fd, std::span<const std::byte> bytes, int64_t at) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), at);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return SystemError("write the weights to shared memory", "", errno);
    bytes = bytes.subspan(static_cast<size_t>(put));
    at += put;
  }
  return Ok();
}

// Copies the whole file, whose size must be `expected`, and hashes it.
Result<std::string> Copy(int from, int to, int64_t expected, const std::string& path) {
  Sha256 hash;
  std::vector<std::byte> piece(kPieceBytes);
  int64_t at = 0;
  for (;;) {
    const ssize_t got = ::read(from, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read", path, errno);
    if (got == 0) break;
    const auto bytes = std::span<const std::byte>(piece).first(static_cast<size_t>(got));
    if (got > expected - at) {
      return Error{"\"" + path + "\" has more than " + std::to_string(expected) + " bytes", kHint};
    }
    hash.Update(bytes);
    CONSORT_TRY(WriteAt(to, bytes, at));
    at += got;
  }
  if (at == expected) return hash.HexDigest();
  return Error{
      "\"" + path + "\" has " + std::to_string(at) + " bytes, expected " + std::to_string(expected),
      kHint};
}

Status CopyWeights(const Bundle& bundle, int memfd) {
  const std::string path = bundle.folder + "/weights.bin";
  const int64_t bytes = bundle.weights.bytes;
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return SystemError("open", path, errno);
  CONSORT_TRY(const std::string sha256, Copy(file.get(), memfd, bytes, path));
  if (sha256 == bundle.weights.sha256) return Ok();
  return Error{"\"" + path + "\" is not the file that was prepared: its SHA-256 differs", kHint};
}

// From an arena that is sealed, so right.
Status CopyArena(int from, int to, int64_t bytes) {
  std::vector<std::byte> piece(kPieceBytes);
  for (int64_t at = 0; at < bytes;) {
    const auto want = static_cast<size_t>(std::min<int64_t>(bytes - at, kPieceBytes));
    const ssize_t got = ::pread(from, piece.data(), want, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return SystemError("copy the weights in shared memory", "", errno);
    CONSORT_TRY(WriteAt(to, std::span<const std::byte>(piece).first(static_cast<size_t>(got)), at));
    at += got;
  }
  return Ok();
}

}  // namespace

Result<Arena> FillArena(const Bundle& bundle, const ArenaPlace& place, int like,
                        MemoryPolicy& policy) {
  Arena arena;
  arena.memfd = UniqueFd(::memfd_create("consort-weights", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const int memfd = arena.memfd.get();
  if (memfd < 0) return SystemError("make shared memory for the weights", "", errno);
  if (bundle.manifest.prepared.backend != Prepared::Backend::kNull) {
    const int64_t bytes = bundle.weights.bytes;
    if (bytes > 0) {
      CONSORT_TRY(arena.warning, ReserveArena(memfd, bytes, place, policy));
    }
    CONSORT_TRY(like >= 0 ? CopyArena(like, memfd, bytes) : CopyWeights(bundle, memfd));
  }
  if (::fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return SystemError("seal the weights", "", errno);
  }
  return arena;
}

Result<UniqueFd> FillArena(const Bundle& bundle) {
  MemoryPolicy policy;
  CONSORT_TRY(Arena arena, FillArena(bundle, {}, -1, policy));
  return std::move(arena.memfd);
}

}  // namespace consort
