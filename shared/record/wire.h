// Writing and reading records as flat bytes: fixed-width fields in host order, one after another.
// Rings never leave the machine. A reader trusts no length: once a read does not fit, the reader is
// bad for good and every further read gives zero.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

namespace consort {

class WireWriter {
 public:
  explicit WireWriter(std::vector<uint8_t>& out) : out_(out) { out_.clear(); }

  template <typename T>
  void Put(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto at = out_.size();
    out_.resize(at + sizeof(T));
    std::memcpy(out_.data() + at, &value, sizeof(T));
  }
  // A 32-bit length, then the bytes.
  void PutBytes(std::string_view bytes) {
    Put(static_cast<uint32_t>(bytes.size()));
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }

 private:
  std::vector<uint8_t>& out_;
};

class WireReader {
 public:
  WireReader(const void* data, size_t size)
      : next_(static_cast<const uint8_t*>(data)), left_(size) {}

  template <typename T>
  T Get() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (Take(sizeof(T))) {
      std::memcpy(&value, next_, sizeof(T));
      next_ += sizeof(T);
    }
    return value;
  }
  // The view points into the record.
  std::string_view GetBytes() {
    const auto size = Get<uint32_t>();
    if (!Take(size)) return {};
    const auto* at = reinterpret_cast<const char*>(next_);
    next_ += size;
    return {at, size};
  }

  bool good() const { return good_; }
  // All was read, and it fitted.
  bool done() const { return good_ && left_ == 0; }

 private:
  bool Take(size_t size) {
    if (!good_ || size > left_) {
      good_ = false;
      return false;
    }
    left_ -= size;
    return true;
  }

  const uint8_t* next_;
  size_t left_;
  bool good_ = true;
};

}  // namespace consort
