#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "supervisor/formats/format.h"
#include "supervisor/formats/merge_detections.h"

namespace consort {
namespace {

using Lines = std::vector<ResultLine>;

ResultLine Tags(int64_t start_ms, int64_t end_ms, std::vector<LabelScore> tags) {
  ResultLine line;
  line.raw = "raw";
  line.file = "a.wav";
  line.start_ms = start_ms;
  line.end_ms = end_ms;
  line.tags = std::move(tags);
  return line;
}

ResultLine Crash(int64_t at_ms) {
  ResultLine line;
  line.file = "a.wav";
  line.kind = ResultLine::Kind::kError;
  line.code = "crashed";
  line.at_ms = at_ms;
  return line;
}

std::string Shown(const ResultLine& line) {
  if (line.kind == ResultLine::Kind::kError) return "error " + std::to_string(*line.at_ms);
  std::string text = line.file + ' ' + std::to_string(line.start_ms) + '-' +
                     std::to_string(line.end_ms) +
                     (line.kind == ResultLine::Kind::kEvents ? " events" : " other");
  for (const TimedLabel& it : line.events) {
    text += ' ' + it.label + '=' + std::to_string(it.start_ms) + '-' + std::to_string(it.end_ms) +
            '@' + (it.score ? std::to_string(*it.score) : "null");
  }
  return text;
}

std::vector<std::string> Merged(const Lines& lines) {
  std::vector<std::string> out;
  DetectionMerger merger([&out](const ResultLine& line) { out.push_back(Shown(line)); });
  for (const auto& line : lines) merger.Add(line);
  merger.End();
  EXPECT_EQ(merger.held(), 0U);
  return out;
}

// Of a whole recording: for each line and each label that the line before has not, the run of lines
// that have it.
std::vector<std::string> Naive(const Lines& lines) {
  const auto score_of = [&lines](size_t i, const std::string& label) -> std::optional<double> {
    if (i >= lines.size() || lines[i].kind != ResultLine::Kind::kTags) return std::nullopt;
    if (lines[i].end_ms < lines[i].start_ms) return std::nullopt;
    std::optional<double> best;
    for (const auto& tag : lines[i].tags) {
      if (tag.label == label) best = std::max(best.value_or(*tag.score), *tag.score);
    }
    return best;
  };
  std::vector<std::string> out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].kind != ResultLine::Kind::kTags) {
      out.push_back(Shown(lines[i]));
      continue;
    }
    std::set<std::string> labels;
    for (const auto& tag : lines[i].tags) {
      if (score_of(i, tag.label)) labels.insert(tag.label);
    }
    ResultLine merged = Tags(lines[i].start_ms, lines[i].end_ms, {});
    merged.kind = ResultLine::Kind::kEvents;
    for (const auto& label : labels) {
      if (i > 0 && score_of(i - 1, label)) continue;
      TimedLabel event{label, lines[i].start_ms, lines[i].end_ms, 0.0};
      for (size_t k = i; score_of(k, label); ++k) {
        event.end_ms = std::max(event.end_ms, lines[k].end_ms);
        event.score = std::max(*event.score, *score_of(k, label));
      }
      merged.events.push_back(event);
    }
    if (!merged.events.empty() || labels.empty()) out.push_back(Shown(merged));
  }
  return out;
}

TEST(Merge, GoesOverNoChannels) {
  const auto of = [](int64_t channel, ResultLine line) {
    line.channel = channel;
    return line;
  };
  std::vector<std::string> out;
  DetectionMerger merger([&out](const ResultLine& line) {
    out.push_back(std::to_string(line.channel) + ": " + Shown(line));
  });
  for (int64_t at = 0; at < 3000; at += 1000) {
    merger.Add(of(1, Tags(at, at + 1000, {{"dog", 0.5}})));
    merger.Add(of(2, at == 1000 ? Tags(at, at + 1000, {}) : Tags(at, at + 1000, {{"dog", 0.5}})));
  }
  merger.End();
  EXPECT_EQ(out, (std::vector<std::string>{
                     "1: a.wav 0-1000 events dog=0-3000@0.500000",
                     "2: a.wav 0-1000 events dog=0-1000@0.500000",
                     "2: a.wav 1000-2000 events",
                     "2: a.wav 2000-3000 events dog=2000-3000@0.500000",
                 }));
}

TEST(Merge, ALabelOfSegmentsThatFollowEachOtherIsOneEvent) {
  EXPECT_EQ(
      Merged({Tags(0, 3000, {{"song", 0.5}, {"call", 0.25}}), Tags(3000, 6000, {{"song", 0.75}}),
              Tags(6000, 9000, {{"call", 0.5}, {"song", 0.5}}), Tags(9000, 9500, {})}),
      (std::vector<std::string>{"a.wav 0-3000 events call=0-3000@0.250000 song=0-9000@0.750000",
                                "a.wav 6000-9000 events call=6000-9000@0.500000",
                                "a.wav 9000-9500 events"}));
}

TEST(Merge, SegmentsMayOverlapOrHaveGaps) {
  EXPECT_EQ(Merged({Tags(0, 3000, {{"a", 0.5}}), Tags(1000, 4000, {{"a", 0.5}})}),
            std::vector<std::string>{"a.wav 0-3000 events a=0-4000@0.500000"});
  EXPECT_EQ(Merged({Tags(0, 3000, {{"a", 0.5}}), Tags(5000, 8000, {{"a", 0.5}})}),
            std::vector<std::string>{"a.wav 0-3000 events a=0-8000@0.500000"});
}

TEST(Merge, AnErrorEndsWhatIsOpen) {
  EXPECT_EQ(Merged({Tags(0, 1000, {{"a", 0.5}}), Crash(1000), Tags(2000, 3000, {{"a", 0.5}})}),
            (std::vector<std::string>{"a.wav 0-1000 events a=0-1000@0.500000", "error 1000",
                                      "a.wav 2000-3000 events a=2000-3000@0.500000"}));
}

TEST(Merge, AnErrorOfAChannelEndsWhatIsOpenInThatOne) {
  const auto of = [](int64_t channel, ResultLine line) {
    line.channel = channel;
    return line;
  };
  EXPECT_EQ(Merged({of(1, Tags(0, 1000, {{"a", 0.5}})), of(2, Tags(0, 1000, {{"a", 0.25}})),
                    of(1, Tags(1000, 2000, {{"a", 0.5}})), of(2, Crash(1000)),
                    of(1, Tags(2000, 3000, {{"a", 0.5}})), of(2, Tags(2000, 3000, {{"a", 0.25}}))}),
            (std::vector<std::string>{"a.wav 0-1000 events a=0-3000@0.500000",
                                      "a.wav 0-1000 events a=0-1000@0.250000", "error 1000",
                                      "a.wav 2000-3000 events a=2000-3000@0.250000"}));
}

TEST(Merge, SilenceBehindTheFilesEndIsNoDetection) {
  EXPECT_EQ(Merged({Tags(0, 1000, {{"a", 0.5}}), Tags(2000, 1500, {{"a", 0.9}})}),
            (std::vector<std::string>{"a.wav 0-1000 events a=0-1000@0.500000",
                                      "a.wav 2000-1500 events"}));
}

TEST(Merge, ALabelTwiceInASegmentIsOnce) {
  EXPECT_EQ(Merged({Tags(0, 1000, {{"a", 0.5}, {"a", 0.25}}), Tags(1000, 2000, {{"a", 0.125}})}),
            std::vector<std::string>{"a.wav 0-1000 events a=0-2000@0.500000"});
}

TEST(Merge, AScoreWithoutEndIsTheHighest) {
  EXPECT_EQ(Merged({Tags(0, 1000, {{"a", 0.5}}), Tags(1000, 2000, {{"a", std::nullopt}}),
                    Tags(2000, 3000, {{"a", 0.5}})}),
            std::vector<std::string>{"a.wav 0-1000 events a=0-3000@null"});
}

TEST(Merge, RecordingsHaveNothingInCommon) {
  std::vector<std::string> out;
  DetectionMerger merger([&out](const ResultLine& line) { out.push_back(Shown(line)); });
  merger.Add(Tags(0, 1000, {{"a", 0.5}}));
  EXPECT_TRUE(out.empty()) << "it may go on";
  merger.End();
  EXPECT_EQ(out.size(), 1U);
  ResultLine other = Tags(1000, 2000, {{"a", 0.5}});
  other.file = "b.wav";
  merger.Add(other);
  merger.End();
  EXPECT_EQ(out, (std::vector<std::string>{"a.wav 0-1000 events a=0-1000@0.500000",
                                           "b.wav 1000-2000 events a=1000-2000@0.500000"}));
  EXPECT_EQ(merger.merged(), 2U);
}

TEST(Merge, EventsAndTranscriptsPassAsTheyAre) {
  ResultLine events = Tags(0, 1000, {});
  events.kind = ResultLine::Kind::kEvents;
  events.events = {{"a", 10, 20, 0.5}};
  ResultLine words = Tags(1000, 2000, {});
  words.kind = ResultLine::Kind::kTranscript;
  words.text = "two";
  size_t seen = 0;
  DetectionMerger merger([&seen](const ResultLine& line) {
    EXPECT_EQ(line.raw, "raw");
    ++seen;
  });
  merger.Add(events);
  merger.Add(words);
  EXPECT_EQ(seen, 2U) << "at once";
}

// Labels come and go, some stay long; segments overlap; errors in between.
TEST(Merge, IsWhatALookAtTheWholeRecordingFinds) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const auto chance = [&random](int percent) {
      return std::uniform_int_distribution<int>(0, 99)(random) < percent;
    };
    const std::vector<std::string> labels = {"b", "a", "\xc3\xa9", "A", "ab"};
    std::vector<bool> on(labels.size());
    const int64_t length = 1000 + static_cast<int64_t>(seed % 3) * 500;
    Lines lines;
    for (int64_t n = 0; n < 40; ++n) {
      const int64_t start = n * 1000;
      if (chance(8)) {
        lines.push_back(Crash(start));
        continue;
      }
      std::vector<LabelScore> tags;
      for (size_t i = 0; i < labels.size(); ++i) {
        if (chance(i == 0 ? 5 : 40)) on[i] = !on[i];
        const double score = std::uniform_int_distribution<int>(1, 99)(random) / 100.0;
        if (on[i]) tags.push_back({labels[i], score});
      }
      if (chance(5)) tags.push_back({"a", 0.5});
      std::ranges::shuffle(tags, random);
      const bool behind = n == 39 && chance(50);
      lines.push_back(Tags(start, behind ? start - 1 : start + length, std::move(tags)));
    }
    ASSERT_EQ(Merged(lines), Naive(lines)) << "seed " << seed;
  }
}

// One label from beginning to end, others that come and go behind it.
TEST(Merge, WhatALongDetectionHoldsBackIsBounded) {
  constexpr int64_t kSegments = 100'000;
  size_t most = 0;
  std::vector<TimedLabel> long_ones;
  size_t short_ones = 0;
  int64_t last_start = -1;
  DetectionMerger merger([&](const ResultLine& line) {
    EXPECT_GT(line.start_ms, last_start) << "in order";
    last_start = line.start_ms;
    for (const auto& event : line.events) {
      EXPECT_EQ(event.start_ms, line.start_ms);
      if (event.label == "long") long_ones.push_back(event);
      short_ones += event.label == "long" ? 0 : 1;
    }
  });
  for (int64_t n = 0; n < kSegments; ++n) {
    merger.Add(
        Tags(n * 1000, (n + 1) * 1000, {{"long", 0.5}, {n % 2 == 0 ? "even" : "odd", 0.25}}));
    most = std::max(most, merger.held());
  }
  merger.End();
  EXPECT_LE(most, DetectionMerger::kMostHeld);
  EXPECT_GT(most, DetectionMerger::kMostHeld / 2);
  EXPECT_EQ(short_ones, static_cast<size_t>(kSegments));
  ASSERT_GT(long_ones.size(), 1U);
  EXPECT_LE(long_ones.size(), 1 + kSegments / (DetectionMerger::kMostHeld - 1));
  EXPECT_EQ(long_ones.front().start_ms, 0);
  EXPECT_EQ(long_ones.back().end_ms, kSegments * 1000);
  for (size_t i = 1; i < long_ones.size(); ++i) {
    EXPECT_EQ(long_ones[i].start_ms, long_ones[i - 1].end_ms) << "nothing is lost at a cut";
  }
}

// With one label alone nothing waits for another, so nothing is cut.
TEST(Merge, ADetectionMayBeAsLongAsTheFile) {
  size_t seen = 0;
  DetectionMerger merger([&seen](const ResultLine& line) {
    ASSERT_EQ(line.events.size(), 1U);
    EXPECT_EQ(line.events[0].end_ms, 50'000);
    ++seen;
  });
  for (int64_t n = 0; n < 50'000; ++n) merger.Add(Tags(n, n + 1, {{"a", 0.5}}));
  merger.End();
  EXPECT_EQ(seen, 1U);
}

}  // namespace
}  // namespace consort
