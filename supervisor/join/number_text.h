// Numbers as text, a blank behind each: what pieces and saved states are made of.
#pragma once

#include <bit>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace consort {

template <std::integral T>
void PutNumber(std::string& out, T number) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof(text), number).ptr);
  out += ' ';
}
// All its bits.
inline void PutBits(std::string& out, float number) {
  PutNumber(out, std::bit_cast<uint32_t>(number));
}
inline void PutBits(std::string& out, double number) {
  PutNumber(out, std::bit_cast<uint64_t>(number));
}
// Any bytes, their number before them.
inline void PutText(std::string& out, std::string_view text) {
  PutNumber(out, text.size());
  out += text;
  out += ' ';
}

// Once something does not fit, it is bad for good and every further number is 0.
class NumberText {
 public:
  explicit NumberText(std::string_view text) : left_(text) {}

  template <std::integral T>
  T Get() {
    T number{};
    const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), number);
    const auto size = static_cast<size_t>(end - left_.data());
    if (!good_ || error != std::errc() || size >= left_.size() || left_[size] != ' ') {
      good_ = false;
      return T{};
    }
    left_.remove_prefix(size + 1);
    return number;
  }
  float GetFloat() { return std::bit_cast<float>(Get<uint32_t>()); }
  double GetDouble() { return std::bit_cast<double>(Get<uint64_t>()); }
  std::string_view GetText() {
    const auto size = Get<size_t>();
    if (!good_ || size >= left_.size() || left_[size] != ' ') {
      good_ = false;
      return {};
    }
    const auto text = left_.substr(0, size);
    left_.remove_prefix(size + 1);
    return text;
  }

  bool good() const { return good_; }
  std::string_view left() const { return left_; }

 private:
  std::string_view left_;
  bool good_ = true;
};

}  // namespace consort
