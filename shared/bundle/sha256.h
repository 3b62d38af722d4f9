// SHA-256 as hexadecimal text, over bytes that come in pieces or over a whole file.
//
// One thread uses an object. Memory is constant whatever the size; where there is none,
// std::bad_alloc is thrown.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "shared/base/result.h"

struct evp_md_ctx_st;

namespace consort {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(std::span<const std::byte> bytes);
  // 64 lower-case hex digits; the object must not be used afterwards.
  std::string HexDigest();

 private:
  evp_md_ctx_st* context_;
};

std::string Sha256OfText(const std::string& text);
Result<std::string> Sha256OfFile(const std::string& path);

}  // namespace consort
