// What some editors begin UTF-8 text with. It is no part of the text.
#pragma once

#include <string_view>

namespace consort {

inline constexpr std::string_view kUtf8Bom = "\xef\xbb\xbf";

}  // namespace consort
