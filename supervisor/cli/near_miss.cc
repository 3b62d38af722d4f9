#include "supervisor/cli/near_miss.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace consort {
namespace {

constexpr size_t kMostEdits = 2;

}  // namespace

// Wagner and Fischer's table, one row of it at a time.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

std::string NearMiss(std::string_view word, std::span<const std::string> known) {
  std::string nearest;
  size_t least = kMostEdits + 1;
  size_t most_begun = 0;  // "tun" is "tune" rather than "run"
  for (const auto& it : known) {
    const size_t longer = std::max(word.size(), it.size());
    if (longer - std::min(word.size(), it.size()) > least) continue;
    const size_t edits = EditDistance(word, it);
    if (edits > kMostEdits || edits > least || 2 * edits >= longer) continue;
    const auto differ = std::ranges::mismatch(word, it);
    const auto begun = static_cast<size_t>(differ.in1 - word.begin());
    if (edits == least && begun <= most_begun) continue;
    nearest = it;
    least = edits;
    most_begun = begun;
  }
  return nearest;
}

}  // namespace consort
