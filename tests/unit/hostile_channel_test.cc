// What a coverage-guided fuzzer does for hours (tools/soak fuzz), here with plain chance.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <span>

#include "../fuzz/hostile_channel.h"

namespace consort::test {
namespace {

// Sanitizers take ten times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRounds = 10'000;
#else
constexpr int kRounds = 100'000;
#endif

TEST(HostileChannel, HonestScriptsAreBelieved) {
  const auto script = HonestScripts().front();
  for (const Told told : {Told::kTags, Told::kRuns}) {
    const Heard heard = LetItScribble(script.data(), script.size(), told);
    EXPECT_EQ(heard.lies, 0U);
    EXPECT_GE(heard.results, 4U);
  }
}

TEST(HostileChannel, NeitherCrashesNorMisleadsNorHangsTheSupervisor) {
  std::mt19937_64 random(1);
  const auto below = [&random](uint64_t end) { return random() % end; };
  const auto scripts = HonestScripts();
  Heard all;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<uint8_t> script = scripts[below(scripts.size())];
    for (uint64_t i = below(6); i > 0; --i) {
      const auto at = script.begin() + static_cast<ptrdiff_t>(below(script.size()));
      switch (below(4)) {
        case 0:
          *at = static_cast<uint8_t>(random());
          break;
        case 1:
          script.insert(at, 1 + below(12), static_cast<uint8_t>(random()));
          break;
        case 2:
          for (auto& byte : std::span(at, std::min<ptrdiff_t>(16, script.end() - at)))
            byte = static_cast<uint8_t>(random());
          break;
        default:
          script.resize(static_cast<size_t>(at - script.begin()) + 1);
      }
    }
    const Told told = round % 2 == 0 ? Told::kTags : Told::kRuns;
    const Heard heard = LetItScribble(script.data(), script.size(), told);
    all.records += heard.records;
    all.lies += heard.lies;
    all.results += heard.results;
  }
  // It was not all refused at the door, nor all believed.
  EXPECT_GT(all.records, size_t{kRounds});
  EXPECT_GT(all.results, size_t{kRounds} / 10);
  EXPECT_GT(all.lies, size_t{kRounds} / 10);
}

}  // namespace
}  // namespace consort::test
