// Whole jobs without processes, from a seed: whatever dies, lies or faults, and in whatever order
// things come, the results are those of one engine doing one segment after another.
#include <bit>
#include <cstdlib>
#include <sstream>

#include "dispatch_world.h"

namespace consort::test {
namespace {

// CONSORT_SEEDS=N tries more of them.
uint64_t Seeds() {
  const char* asked = std::getenv("CONSORT_SEEDS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : 150;
}

std::vector<WorldFile> RandomFiles(std::mt19937_64& random, bool guilty) {
  auto files = PlainFiles(1 + random() % 60, 1);
  const bool long_ones = random() % 2 == 0;
  for (auto& file : files) {
    file.segments = 1 + (long_ones && random() % 10 == 0 ? random() % 300 : random() % 6);
    if (random() % 5 == 0) file.alignment = static_cast<uint32_t>(1 + random() % 9);
    if (random() % 5 == 0) file.alignment = kOnePassAlignment;
    if (random() % 8 == 0) file.fault_at = static_cast<int64_t>(random() % (file.segments + 1)) - 1;
    if (random() % 40 == 0) file.path += std::string(random() % 5000, 'x');
    if (!guilty) continue;
    if (random() % 12 == 0) file.guilty.insert(random() % file.segments);
    if (random() % 12 == 0) file.lying.insert(random() % file.segments);
    if (random() % 30 == 0) file.guilty = {0, file.segments / 2, file.segments - 1};
    file.guilty_open = random() % 40 == 0;
    // Whoever comes to it first decides otherwise.
    if (file.fault_at == WorldFile::kAtOpening) file.guilty_open = false;
    if (file.fault_at >= 0) {
      file.guilty.erase(static_cast<uint64_t>(file.fault_at));
      file.lying.erase(static_cast<uint64_t>(file.fault_at));
    }
    for (const uint64_t k : file.guilty) file.lying.erase(k);
    if (file.path.size() > kMaxPathBytes) {
      file.guilty_open = false;
      file.guilty.clear();
      file.lying.clear();
    }
  }
  return files;
}

WorldSettings RandomSettings(std::mt19937_64& random, uint64_t seed) {
  WorldSettings settings;
  settings.seed = seed;
  settings.workers = static_cast<uint32_t>(1 + random() % 5);
  settings.engines = static_cast<uint32_t>(1 + random() % 4);
  settings.attempts = static_cast<int>(1 + random() % 4);
  const int64_t costs_ns[] = {1'000, 1'000'000, 100'000'000, 900'000'000, 5'000'000'000};
  settings.segment_ns = costs_ns[random() % 5];
  if (random() % 2 == 0) settings.gather_bytes = random() % 500;
  settings.stateful = random() % 3 == 0;
  return settings;
}

// Without those that tell of a crash or a fault.
uint64_t LinesOfSegments(const std::string& text) {
  uint64_t lines = 0;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.find(" crashed: ") == std::string::npos &&
        line.find(" ends at ") == std::string::npos) {
      ++lines;
    }
  }
  return lines;
}

void ExpectSerialResults(const World& world) {
  EXPECT_TRUE(world.dispatcher().AllDone());
  EXPECT_TRUE(world.dispatcher().Idle());
  EXPECT_EQ(world.dispatcher().files_done(), world.files().size());
  EXPECT_EQ(world.sink().files(), world.files().size());
  EXPECT_EQ(world.sink().gather().files_written(), world.files().size());
  EXPECT_EQ(world.sink().gather().bytes_in_memory(), 0U);
  EXPECT_EQ(world.sink().text(), world.Expected());
  EXPECT_EQ(world.dispatcher().segments_done(), LinesOfSegments(world.sink().text()));
}

// A guilty one ends the worker that it is found in, one for each halving of those that were in
// flight with it, and then `attempts` that it is alone in.
uint64_t MostDeaths(const WorldSettings& settings) {
  const uint64_t in_flight = settings.engines * settings.batch;
  const auto halvings = static_cast<uint64_t>(std::bit_width(in_flight - 1));  // ceil(log2)
  return static_cast<uint64_t>(settings.attempts) + std::max<uint64_t>(1, halvings);
}
void ExpectBoundedDeaths(const World& world, const WorldSettings& settings) {
  EXPECT_LE(world.crashes(), world.guilty() * MostDeaths(settings));
  for (const auto& [guilty, deaths] : world.crashes_by()) {
    EXPECT_LE(deaths, MostDeaths(settings)) << "file " << guilty.first << " " << guilty.second;
  }
}

TEST(DispatchSimulation, SegmentsOfAllChannelsAreThoseOfAFile) {
  for (uint64_t seed = 1; seed <= Seeds() && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    WorldSettings settings = RandomSettings(random, seed);
    settings.each_channel = true;
    settings.most_kills = static_cast<int>(random() % 6);
    settings.kill_chance = 0.01;
    auto files = RandomFiles(random, random() % 2 == 0);
    GiveChannels(files, random);
    World world(std::move(files), settings);
    world.Run();
    ExpectSerialResults(world);
    double seconds = 0;
    for (const auto& file : world.files()) {
      const bool whole = file.fault_at == WorldFile::kNoFault && file.guilty.empty() &&
                         file.lying.empty() && !file.guilty_open &&
                         file.path.size() <= kMaxPathBytes;
      if (!whole) return;
      seconds += file.channels * (static_cast<double>(InfoOf(file, 0).samples) / kRate);
    }
    EXPECT_NEAR(world.dispatcher().audio_seconds(), seconds, 1e-6) << "of every channel";
  }
}

TEST(DispatchSimulation, CalmJobsGiveSerialResults) {
  for (uint64_t seed = 1; seed <= Seeds() && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    auto files = RandomFiles(random, false);
    World world(std::move(files), RandomSettings(random, seed));
    world.Run();
    ExpectSerialResults(world);
    EXPECT_EQ(world.crashes(), 0U);
  }
}

TEST(DispatchSimulation, KillsAtAnyMomentChangeNothing) {
  for (uint64_t seed = 1; seed <= Seeds() && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    auto files = RandomFiles(random, false);
    auto settings = RandomSettings(random, seed);
    settings.kill_chance = 0.05;
    settings.most_kills = 200;
    World world(std::move(files), settings);
    world.Run();
    ExpectSerialResults(world);
  }
}

TEST(DispatchSimulation, GuiltySegmentsAreGivenUpAndNothingElseIs) {
  for (uint64_t seed = 1; seed <= Seeds() && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    auto files = RandomFiles(random, true);
    const auto settings = RandomSettings(random, seed);
    World world(std::move(files), settings);
    world.Run();
    ExpectSerialResults(world);
    ExpectBoundedDeaths(world, settings);
  }
}

TEST(DispatchSimulation, DeathsLiesAndFaultsTogetherChangeNothing) {
  for (uint64_t seed = 1; seed <= 2 * Seeds() && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    auto files = RandomFiles(random, true);
    auto settings = RandomSettings(random, seed);
    settings.kill_chance = 0.02;
    settings.most_kills = 100;
    settings.crash_chance = 0.02;
    settings.most_crashes = settings.attempts - 1;
    World world(std::move(files), settings);
    world.Run();
    ExpectSerialResults(world);
    ExpectBoundedDeaths(world, settings);
  }
}

// Long files, many engines, forwards of several segments: most of what is in flight is innocent.
TEST(DispatchSimulation, PoisonAnywhereIsFoundByHalvingAndInnocentsAreUntouched) {
  for (uint64_t seed = 1; seed <= Seeds() / 3 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    auto files = PlainFiles(1 + random() % 100, 1);
    for (auto& file : files) {
      file.segments = 1 + random() % (random() % 5 == 0 ? 600 : 20);
    }
    for (uint64_t left = 1 + random() % 6; left > 0; --left) {
      auto& file = files[random() % files.size()];
      const uint64_t k = random() % file.segments;
      file.guilty.insert(k);
      if (random() % 3 == 0) file.guilty.insert(std::min(k + 1, file.segments - 1));  // neighbours
      if (random() % 6 == 0) file.guilty_open = true;
    }
    WorldSettings settings;
    settings.seed = seed;
    settings.workers = static_cast<uint32_t>(1 + random() % 8);
    settings.engines = static_cast<uint32_t>(1 + random() % 64);
    settings.batch = uint64_t{1} << random() % 5;
    settings.segment_ns = random() % 2 == 0 ? 1'000'000 : 50'000'000;
    if (random() % 3 == 0) {
      settings.kill_chance = 0.001;
      settings.most_kills = 20;
    }
    World world(std::move(files), settings);
    world.Run();
    ExpectSerialResults(world);
    ExpectBoundedDeaths(world, settings);
  }
}

TEST(DispatchSimulation, DrainingEndsWhatIsInFlightAndHandsOutNothing) {
  for (uint64_t seed = 1; seed <= 50 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(PlainFiles(500, 3), {.seed = seed, .kill_chance = 0.01, .most_kills = 10});
    world.Run(300);
    ASSERT_FALSE(world.dispatcher().Idle());
    const size_t handed_out = world.handed_out().size();
    world.Drain();
    world.Run();
    EXPECT_TRUE(world.dispatcher().Idle());
    EXPECT_FALSE(world.dispatcher().AllDone());
    EXPECT_EQ(world.handed_out().size(), handed_out);
    EXPECT_EQ(world.dispatcher().segments_done(), world.sink().segments());
  }
}

}  // namespace
}  // namespace consort::test
