#include "shared/bundle/sha256.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include <cerrno>
#include <new>
#include <vector>

#include "shared/base/unique_fd.h"

namespace consort {
namespace {

constexpr size_t kPieceBytes = 1 << 20;

// Nothing but want of memory makes this fail, and a wrong digest would blame the file.
void Check(bool done) {
  if (!done) throw std::bad_alloc();
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  Check(context_ != nullptr);
  Check(EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() { EVP_MD_CTX_free(context_); }

void Sha256::Update(std::span<const std::byte> bytes) {
  Check(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::HexDigest() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  Check(EVP_DigestFinal_ex(context_, digest, &size) == 1);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

std::string Sha256OfText(const std::string& text) {
  Sha256 hash;
  hash.Update(std::as_bytes(std::span(text)));
  return hash.HexDigest();
}

Result<std::string> Sha256OfFile(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return SystemError("open", path, errno);
  Sha256 hash;
  std::vector<std::byte> piece(kPieceBytes);
  for (;;) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read", path, errno);
    if (got == 0) return hash.HexDigest();
    hash.Update(std::span(piece).first(static_cast<size_t>(got)));
  }
}

}  // namespace consort
