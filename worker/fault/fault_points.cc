#include "worker/fault/fault_points.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>

namespace consort {
namespace {

constexpr size_t kHogStep = size_t{16} << 20;
constexpr size_t kHogEnd = size_t{1} << 30;
constexpr std::array<std::string_view, 7> kKinds = {"segv",  "abort", "bus", "exit",
                                                    "throw", "spin",  "hog"};

// The part before `sign`, which is taken off `text` with it; all of `text` without one.
std::string_view Take(std::string_view& text, char sign) {
  const size_t at = text.find(sign);
  const auto part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return part;
}

std::optional<Stage> StageNamed(std::string_view name) {
  for (uint32_t stage = 1; stage < kStageCount; ++stage) {
    if (name == StageName(static_cast<Stage>(stage))) return static_cast<Stage>(stage);
  }
  return std::nullopt;
}

Result<FaultOrder> ParseOrder(std::string_view text) {
  const Error refused{"cannot read \"" + std::string(text) + "\" in CONSORT_FAULT",
                      "write KIND@STAGE:FILE[:SEGMENT]"};
  FaultOrder order;
  order.kind = Take(text, '@');
  const auto stage = StageNamed(Take(text, ':'));
  order.file = Take(text, ':');
  if (!stage || order.file.empty() ||
      std::find(kKinds.begin(), kKinds.end(), order.kind) == kKinds.end()) {
    return refused;
  }
  order.stage = *stage;
  if (text.empty()) return order;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), order.segment);
  if (wrong != std::errc() || end != text.data() + text.size() || order.segment < 0) return refused;
  return order;
}

[[noreturn]] void Spin() {
  for (;;) {
    asm volatile("" ::: "memory");
  }
}

[[noreturn]] void Hog() {
  for (size_t taken = 0; taken < kHogEnd; taken += kHogStep) {
    void* memory =
        mmap(nullptr, kHogStep, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) break;
    memset(memory, 1, kHogStep);
    usleep(1000);
  }
  Spin();
}

void Obey(const std::string& kind) {
  if (kind == "segv") raise(SIGSEGV);
  if (kind == "bus") raise(SIGBUS);
  if (kind == "abort") abort();
  if (kind == "exit") _exit(7);
  if (kind == "throw") throw std::runtime_error("told to throw by CONSORT_FAULT");
  if (kind == "spin") Spin();
  if (kind == "hog") Hog();
}

// Read once: the environment of a process does not change.
const std::vector<FaultOrder>& Orders() {
  static const auto orders = [] {
    const char* text = std::getenv("CONSORT_FAULT");
    auto parsed = ParseFaultOrders(text == nullptr ? "" : text);
    if (parsed) return std::move(parsed).value();
    std::fprintf(stderr, "consort-worker: %s\n", parsed.error().Sentence().c_str());
    _exit(2);
  }();
  return orders;
}

}  // namespace

bool FaultOrder::IsAt(const FaultPlace& place) const {
  return stage == place.stage && place.path.find(file) != std::string_view::npos &&
         (segment < 0 || (segment >= place.first && segment < place.end));
}

Result<std::vector<FaultOrder>> ParseFaultOrders(std::string_view text) {
  std::vector<FaultOrder> orders;
  while (!text.empty()) {
    CONSORT_TRY(auto order, ParseOrder(Take(text, ';')));
    orders.push_back(std::move(order));
  }
  return orders;
}

bool FaultsAreAsked() { return !Orders().empty(); }

void AtFaultPoint(const FaultPlace& place) {
  for (const auto& order : Orders()) {
    if (!place.path.empty() && order.IsAt(place)) Obey(order.kind);
  }
}

}  // namespace consort
