// What a word that is not known was meant to be.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace consort {

// How many characters have to be put in, taken out or changed to make one of the other.
size_t EditDistance(std::string_view a, std::string_view b);

// The known word that is nearest to `word`, the first one of several; empty: none is near, that is
// at most two edits away and alike in more than half of its characters.
std::string NearMiss(std::string_view word, std::span<const std::string> known);

}  // namespace consort
