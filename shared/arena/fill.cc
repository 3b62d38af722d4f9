// weights.bin → sealed memfd.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <span>
#include <vector>

#include "shared/arena/arena.h"
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
  // All the memory now, or a sentence; not a SIGBUS of whoever touches the page that is lacking.
  if (bytes > 0) {
    int trouble = 0;
    do {
      trouble = ::fallocate(memfd, 0, 0, bytes) == 0 ? 0 : errno;
    } while (trouble == EINTR);
    if (trouble != 0) {
      Error error = SystemError(
          "reserve " + std::to_string(bytes >> 20) + " MiB of shared memory for the weights", "",
          trouble);
      error.hint = "free some memory, or raise the limit of the container";
      return error;
    }
  }
  CONSORT_TRY(const std::string sha256, Copy(file.get(), memfd, bytes, path));
  if (sha256 == bundle.weights.sha256) return Ok();
  return Error{"\"" + path + "\" is not the file that was prepared: its SHA-256 differs", kHint};
}

}  // namespace

Result<UniqueFd> FillArena(const Bundle& bundle) {
  UniqueFd memfd(::memfd_create("consort-weights", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd) return SystemError("make shared memory for the weights", "", errno);
  if (bundle.manifest.prepared.backend != Prepared::Backend::kNull) {
    CONSORT_TRY(CopyWeights(bundle, memfd.get()));
  }
  if (::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) !=
      0) {
    return SystemError("seal the weights", "", errno);
  }
  return memfd;
}

}  // namespace consort
