#include "supervisor/cli/size.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>
#include <system_error>

namespace consort {
namespace {

constexpr int64_t kLeastBytes = int64_t{1} << 20;
constexpr double kMostBytes = 0x1p60;
// Without a unit, a number below this was meant in gigabytes, any other in megabytes.
constexpr double kFewGigabytes = 64;

std::string Upper(std::string_view text) {
  std::string upper(text);
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  return upper;
}

}  // namespace

Result<Size> ParseSize(const std::string& option, const std::string& text) {
  const Error senseless{option + " takes a size such as 800M or 1.5G (units: K, M, G, T), not \"" +
                        text + '"'};
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  // "inf" is a number to the library.
  if (error != std::errc() || std::isdigit(static_cast<unsigned char>(text[0])) == 0) {
    return senseless;
  }
  const std::string digits(text.data(), at);
  const std::string unit = Upper({at, static_cast<size_t>(end - at)});
  const size_t power = unit.empty() ? 0 : std::string_view("KMGT").find(unit[0]) + 1;
  const std::string_view rest = std::string_view(unit).substr(std::min<size_t>(1, unit.size()));
  const bool known = unit.empty() || (power > 0 && (rest.empty() || rest == "I" || rest == "IB"));
  if (power > 0 && rest == "B") {
    return Error{option + ' ' + text + " may be meant in units of 1000 or of 1024: write " +
                 digits + unit[0] + " or " + digits + unit[0] + "iB, which are of 1024"};
  }
  const double bytes = number * static_cast<double>(int64_t{1} << (10 * power));
  if (!known || bytes <= 0 || bytes > kMostBytes) return senseless;
  const Size size{static_cast<int64_t>(bytes), text};
  if (size.bytes >= kLeastBytes) return size;
  std::string meant;
  if (power < 2) meant = "; did you mean " + digits + (number < kFewGigabytes ? "G?" : "M?");
  return Error{option + ' ' + text + " is " + std::to_string(size.bytes) +
               (size.bytes == 1 ? " byte" : " bytes") + ", too little for any job" + meant};
}

}  // namespace consort
