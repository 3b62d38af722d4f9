// From frames to lines: whatever the segment and the hop, the words and events are those of the
// whole file, as the plain programs below find them; and where it is interrupted does not matter.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "shared/segment/segment.h"
#include "supervisor/join/channels_joiner.h"
#include "supervisor/join/line_joiner.h"
#include "supervisor/join/piece.h"
#include "worker/interpret/interpreter.h"

namespace consort {
namespace {

using Json = nlohmann::json;

constexpr int64_t kFrameMs = 20;
constexpr int64_t kFrameNs = kFrameMs * 1'000'000;
constexpr int32_t kRate = 1000;  // a sample is a millisecond

// How a file is cut: in frames.
struct Cut {
  int64_t segment;
  int64_t hop;
};

struct Scene {
  Manifest manifest;
  std::vector<std::string> labels;
  std::vector<std::vector<float>> frames;  // of the whole file: a score for each label
  int64_t samples = 0;                     // of the file; frames has those that begin in it

  void CutBy(const Cut& cut) {
    manifest.audio.segment_ns = cut.segment * kFrameNs;
    manifest.audio.hop_ns = cut.hop * kFrameNs;
  }
};

// The pieces that workers would make of it; those of `crashed` segments are error lines.
std::vector<std::string> Pieces(const Scene& scene, const std::vector<int64_t>& crashed = {}) {
  const auto& audio = scene.manifest.audio;
  const SegmentGrid grid(audio.segment_ns, audio.hop_ns, kRate);
  const int64_t count = grid.Count(scene.samples);
  const auto interpreter = MakeInterpreter(scene.manifest, scene.labels);
  std::vector<std::string> pieces;
  for (int64_t k = 0; k < count; ++k) {
    auto& piece = pieces.emplace_back();
    if (std::ranges::count(crashed, k) > 0) {
      AppendErrorPiece(piece, static_cast<uint64_t>(k), 0,
                       "{\"error\":" + std::to_string(k) + "}\n");
      continue;
    }
    std::vector<float> raw;
    for (int64_t i = 0; i < audio.segment_ns / kFrameNs; ++i) {
      const auto at = static_cast<size_t>(k * audio.hop_ns / kFrameNs + i);
      const auto silence = std::vector<float>(scene.labels.size(), 0.0F);
      const auto& row = at < scene.frames.size() ? scene.frames[at] : silence;
      raw.insert(raw.end(), row.begin(), row.end());
    }
    SegmentResult result;
    EXPECT_TRUE(interpreter->Interpret(raw, {k, count, scene.samples, kRate}, result));
    auto& runs = std::get<SegmentRuns>(result);
    runs.segment = static_cast<uint64_t>(k);
    FileInfo info;
    info.samples = scene.samples;
    info.sample_rate = kRate;
    AppendPiece(piece, runs, info, "a b.wav");
  }
  return pieces;
}

LineJoiner::Sink To(std::string& out) {
  return [&out](std::string_view lines) {
    out += lines;
    return Ok();
  };
}

// With a new joiner in place of the old one before piece `restart`.
std::string Join(const Scene& scene, const std::vector<std::string>& pieces,
                 size_t restart = SIZE_MAX, const std::string& tail = "") {
  auto joiner = MakeLineJoiner(scene.manifest, scene.labels);
  joiner->Begin();
  std::string out;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (i == restart) {
      const std::string saved = joiner->Save();
      EXPECT_EQ(saved.find('\n'), std::string::npos);
      joiner = MakeLineJoiner(scene.manifest, scene.labels);
      const Status restored = joiner->Restore(saved);
      EXPECT_TRUE(restored) << restored.error().what;
      EXPECT_EQ(joiner->Save(), saved);
    }
    const Status added = joiner->Add(pieces[i], To(out));
    EXPECT_TRUE(added) << added.error().what;
  }
  EXPECT_TRUE(joiner->End(tail, To(out)));
  EXPECT_EQ(joiner->Save(), "");
  return out;
}

std::vector<Json> Parsed(const std::string& lines) {
  std::vector<Json> parsed;
  for (size_t at = 0; at < lines.size();) {
    const size_t end = lines.find('\n', at);
    parsed.push_back(Json::parse(lines.substr(at, end - at)));
    at = end + 1;
  }
  return parsed;
}

// Of all lines together; each line's are those that begin in its part, if nothing is padded.
Json All(const Scene& scene, const std::vector<Json>& lines, const char* key) {
  const auto& audio = scene.manifest.audio;
  const SegmentGrid grid(audio.segment_ns, audio.hop_ns, kRate);
  EXPECT_EQ(lines.size(), static_cast<size_t>(grid.Count(scene.samples)));
  Json all = Json::array();
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto k = static_cast<int64_t>(i);
    EXPECT_EQ(lines[i]["file"], "a b.wav");
    EXPECT_EQ(std::llround(lines[i]["start"].get<double>() * 1000), grid.StartMs(k));
    EXPECT_EQ(std::llround(lines[i]["end"].get<double>() * 1000), grid.EndMs(k, scene.samples));
    for (const auto& one : lines[i][key]) {
      EXPECT_TRUE(one["start"] >= lines[i]["start"] || scene.manifest.output.pad_ns > 0);
      all.push_back(one);
    }
  }
  return all;
}

std::string Ms(int64_t ms) {
  char text[40];
  std::snprintf(text, sizeof(text), "%lld.%03lld", static_cast<long long>(ms / 1000),
                static_cast<long long>(ms % 1000));
  return text;
}

std::string Score(double score) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.4f", static_cast<double>(static_cast<float>(score)));
  return text;
}

Json Timed(const char* key, const std::string& name, int64_t start_ms, int64_t end_ms,
           double score) {
  return Json::parse("{\"" + std::string(key) + "\":" + Json(name).dump() + ",\"start\":" +
                     Ms(start_ms) + ",\"end\":" + Ms(end_ms) + ",\"score\":" + Score(score) + "}");
}

// ---- words ----

// A token a frame, then merged; then read from left to right.
Json WordsOf(const Scene& scene) {
  struct Token {
    size_t label;
    int64_t first, end;
    double score;
  };
  std::vector<Token> tokens;
  size_t before = 0;
  for (size_t f = 0; f < scene.frames.size(); ++f) {
    const auto& row = scene.frames[f];
    const auto best = static_cast<size_t>(std::ranges::max_element(row) - row.begin());
    const auto at = static_cast<int64_t>(f);
    if (best != 0 && best == before) {
      tokens.back().end = at + 1;
      tokens.back().score = std::max(tokens.back().score, double{row[best]});
    } else if (best != 0) {
      tokens.push_back({best, at, at + 1, row[best]});
    }
    before = best;
  }
  Json words = Json::array();
  const std::string& separator = scene.manifest.output.word_separator;
  std::vector<Token> word;
  std::string text;
  const auto end_word = [&] {
    if (word.empty()) return;
    double sum = 0;
    for (const auto& token : word) sum += token.score;
    words.push_back(Timed("word", text, word.front().first * kFrameMs,
                          std::min(word.back().end * kFrameMs, scene.samples),
                          sum / static_cast<double>(word.size())));
    word.clear();
    text.clear();
  };
  for (const auto& token : tokens) {
    std::string label = scene.labels[token.label];
    if (label.starts_with(separator)) {
      end_word();
      label.erase(0, separator.size());
      if (label.empty()) continue;
    }
    if (!word.empty() && (token.first - word.front().first) * kFrameMs >= 60'000) end_word();
    word.push_back(token);
    text += label;
  }
  end_word();
  return words;
}

Scene WithWords(std::mt19937& random, const std::string& separator) {
  Scene scene;
  scene.manifest.output.kind = OutputSpec::Kind::kCtc;
  scene.manifest.output.frame_ns = kFrameNs;
  scene.manifest.output.word_separator = separator;
  scene.labels = {"<pad>", "|", "a", "b", "\xE2\x96\x81", "\xE2\x96\x81oh", "\""};
  const size_t count = 1 + random() % 400;
  while (scene.frames.size() < count) {
    const size_t label = random() % 3 == 0 ? 0 : random() % scene.labels.size();
    for (size_t n = 1 + random() % (random() % 8 == 0 ? 60 : 4); n > 0; --n) {
      std::vector<float> row(scene.labels.size(), 0.0F);
      row[label] = static_cast<float>(random() % 1000 + 1) / 1000;
      scene.frames.push_back(row);
    }
  }
  scene.frames.resize(count);
  scene.samples = static_cast<int64_t>(count - 1) * kFrameMs + 1 + random() % kFrameMs;
  return scene;
}

Cut AnyCut(std::mt19937& random) {
  const int64_t segment = 1 + random() % 60;
  return {segment, 1 + static_cast<int64_t>(random() % segment)};
}

TEST(Words, AreThoseOfTheWholeFileHoweverItIsCut) {
  std::mt19937 random(1);
  for (int round = 0; round < 400; ++round) {
    Scene scene = WithWords(random, round % 3 == 0 ? "" : round % 3 == 1 ? "|" : "\xE2\x96\x81");
    scene.manifest.output.activation = OutputSpec::Activation::kNone;
    const Json expected = WordsOf(scene);
    for (int cut = 0; cut < 4; ++cut) {
      scene.CutBy(AnyCut(random));
      const auto pieces = Pieces(scene);
      const std::string lines = Join(scene, pieces);
      const auto parsed = Parsed(lines);
      ASSERT_EQ(All(scene, parsed, "words"), expected) << lines;
      for (const auto& line : parsed) {
        std::string text;
        for (const auto& word : line["words"]) {
          text += (text.empty() ? "" : " ") + word["word"].get<std::string>();
        }
        ASSERT_EQ(line["text"], text);
      }
      ASSERT_EQ(Join(scene, pieces, random() % pieces.size()), lines) << "when interrupted";
    }
  }
}

Scene WithFrames(OutputSpec::Kind kind, const std::vector<std::string>& labels,
                 const std::vector<size_t>& best) {
  Scene scene;
  scene.manifest.output.kind = kind;
  scene.manifest.output.activation = OutputSpec::Activation::kNone;
  scene.manifest.output.frame_ns = kFrameNs;
  scene.manifest.output.word_separator = "|";
  scene.manifest.output.threshold = scene.manifest.output.threshold_off = 0.5;
  scene.labels = labels;
  for (const size_t label : best) {
    scene.frames.emplace_back(labels.size(), 0.0F)[label] = 1.0F;
  }
  scene.samples = static_cast<int64_t>(best.size()) * kFrameMs;
  return scene;
}

TEST(Words, HaveLinesOfThisForm) {
  Scene scene =
      WithFrames(OutputSpec::Kind::kCtc, {"-", "|", "a", "\""}, {2, 2, 0, 2, 1, 0, 3, 0, 0, 0});
  scene.CutBy({4, 4});
  EXPECT_EQ(Join(scene, Pieces(scene)),
            "{\"file\":\"a b.wav\",\"start\":0.000,\"end\":0.080,\"text\":\"aa\",\"words\":[{"
            "\"word\":\"aa\",\"start\":0.000,\"end\":0.080,\"score\":1.0000}]}\n"
            "{\"file\":\"a b.wav\",\"start\":0.080,\"end\":0.160,\"text\":\"\\\"\",\"words\":[{"
            "\"word\":\"\\\"\",\"start\":0.120,\"end\":0.140,\"score\":1.0000}]}\n"
            "{\"file\":\"a b.wav\",\"start\":0.160,\"end\":0.200,\"text\":\"\",\"words\":[]}\n");
}

TEST(Words, HoldTheirLineBackUntilTheyEndAndNoOther) {
  Scene scene =
      WithFrames(OutputSpec::Kind::kCtc, {"-", "|", "a"}, {0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0});
  scene.CutBy({2, 2});
  const auto pieces = Pieces(scene);
  auto joiner = MakeLineJoiner(scene.manifest, scene.labels);
  std::vector<size_t> lines;
  for (const auto& piece : pieces) {
    std::string out;
    ASSERT_TRUE(joiner->Add(piece, To(out)));
    lines.push_back(static_cast<size_t>(std::ranges::count(out, '\n')));
  }
  EXPECT_EQ(lines, (std::vector<size_t>{1, 0, 0, 0, 4, 1}));
}

TEST(Words, EndByThemselvesAfterAMinute) {
  std::vector<size_t> best(4000, 0);
  best[10] = best[2999] = best[3010] = best[3500] = 2;
  Scene scene = WithFrames(OutputSpec::Kind::kCtc, {"-", "|", "a"}, best);
  for (const Cut cut : {Cut{100, 100}, Cut{4000, 4000}, Cut{300, 7}}) {
    scene.CutBy(cut);
    const Json words = All(scene, Parsed(Join(scene, Pieces(scene))), "words");
    EXPECT_EQ(words, Json::array({Timed("word", "aa", 200, 60'000, 1),
                                  Timed("word", "aa", 60'200, 70'020, 1)}));
  }
  // What waits is given out then, not at the end.
  scene.CutBy({100, 100});
  auto joiner = MakeLineJoiner(scene.manifest, scene.labels);
  std::string out;
  const auto pieces = Pieces(scene);
  for (int k = 0; k < 31; ++k) ASSERT_TRUE(joiner->Add(pieces[static_cast<size_t>(k)], To(out)));
  EXPECT_EQ(std::ranges::count(out, '\n'), 30);
}

// ---- events ----

// get_speech_timestamps_from_probs of silero-vad 6.2, line by line, in milliseconds.
void EventsOfLabel(const Scene& scene, size_t label, std::vector<Json>& found) {
  const auto& output = scene.manifest.output;
  struct Event {
    int64_t start, end;
    float score;
  };
  std::vector<Event> events;
  bool triggered = false;
  int64_t temp_end = 0;
  Event current{};
  float best = 0;
  for (size_t i = 0; i < scene.frames.size(); ++i) {
    const float score = scene.frames[i][label];
    const int64_t now = static_cast<int64_t>(i) * kFrameMs;
    if (score >= static_cast<float>(output.threshold))
      best = triggered ? std::max(best, score) : score;
    if (score >= static_cast<float>(output.threshold) && temp_end != 0) temp_end = 0;
    if (score >= static_cast<float>(output.threshold) && !triggered) {
      triggered = true;
      current.start = now;
      continue;
    }
    if (score < static_cast<float>(output.threshold_off) && triggered) {
      if (temp_end == 0) temp_end = now;
      if (now - temp_end < output.min_gap_ns / 1'000'000) continue;
      if (temp_end - current.start > output.min_ns / 1'000'000) {
        events.push_back({current.start, temp_end, best});
      }
      temp_end = 0;
      triggered = false;
    }
  }
  if (triggered && scene.samples - current.start > output.min_ns / 1'000'000) {
    events.push_back({current.start, scene.samples, best});
  }
  const int64_t pad = output.pad_ns / 1'000'000;
  for (size_t i = 0; i < events.size(); ++i) {
    if (i == 0) events[i].start = std::max<int64_t>(0, events[i].start - pad);
    if (i + 1 < events.size()) {
      const int64_t silence = events[i + 1].start - events[i].end;
      events[i].end += silence < 2 * pad ? silence / 2 : pad;
      events[i + 1].start -= silence < 2 * pad ? silence / 2 : pad;
    } else {
      events[i].end = std::min(scene.samples, events[i].end + pad);
    }
  }
  for (const auto& event : events) {
    found.push_back(
        Timed("label", scene.labels[label], event.start, event.end, double{event.score}));
  }
}

Scene WithEvents(std::mt19937& random) {
  Scene scene;
  auto& output = scene.manifest.output;
  output.kind = OutputSpec::Kind::kFrames;
  output.activation = OutputSpec::Activation::kNone;
  output.frame_ns = kFrameNs;
  output.threshold = 0.5;
  output.threshold_off = random() % 2 == 0 ? 0.5 : 0.3;
  // Numbers that frames meet exactly, and such that they do not; even ones for pads to be halved.
  const auto some_ms = [&] {
    return random() % 3 == 0 ? 0 : static_cast<int64_t>(random() % 12) * 10;
  };
  output.min_ns = some_ms() * 1'000'000;
  output.min_gap_ns = some_ms() * 1'000'000;
  output.pad_ns = some_ms() * 1'000'000;
  scene.labels = {"b", "a", "c"};
  const size_t count = 1 + random() % 300;
  std::vector<float> row(3, 0.0F);
  std::vector<size_t> stays(3, 0);
  for (size_t f = 0; f < count; ++f) {
    for (size_t label = 0; label < 3; ++label) {
      if (stays[label]-- == 0) {
        stays[label] = random() % (random() % 10 == 0 ? 80 : 6);
        row[label] = static_cast<float>(random() % 1000) / 1000;
      }
    }
    scene.frames.push_back(row);
  }
  scene.samples = static_cast<int64_t>(count - 1) * kFrameMs + 2 * (1 + random() % (kFrameMs / 2));
  return scene;
}

std::vector<Json> Sorted(std::vector<Json> events) {
  std::ranges::sort(events, {}, [](const Json& event) {
    return std::pair(event["start"].get<double>(), event["label"].get<std::string>());
  });
  return events;
}

TEST(Events, AreThoseOfTheWholeFileHoweverItIsCut) {
  std::mt19937 random(2);
  size_t events = 0;
  for (int round = 0; round < 600; ++round) {
    Scene scene = WithEvents(random);
    std::vector<Json> expected;
    for (size_t label = 0; label < 3; ++label) EventsOfLabel(scene, label, expected);
    expected = Sorted(std::move(expected));
    events += expected.size();
    for (int cut = 0; cut < 4; ++cut) {
      scene.CutBy(AnyCut(random));
      const auto pieces = Pieces(scene);
      const std::string lines = Join(scene, pieces);
      const auto parsed = Parsed(lines);
      for (const auto& line : parsed) {
        const std::vector<Json> of_line = line["events"];
        ASSERT_EQ(of_line, Sorted(of_line)) << "not in order";
      }
      const std::vector<Json> all = All(scene, parsed, "events");
      ASSERT_EQ(Sorted(all), expected) << lines;
      ASSERT_EQ(Join(scene, pieces, random() % pieces.size()), lines) << "when interrupted";
    }
  }
  EXPECT_GT(events, 5000U);
}

TEST(Events, HaveLinesOfThisForm) {
  Scene scene = WithFrames(OutputSpec::Kind::kFrames, {"b", "a"}, {0, 0, 0, 1, 0});
  scene.frames[0][1] = 0.75F;
  scene.CutBy({4, 4});
  EXPECT_EQ(Join(scene, Pieces(scene)),
            "{\"file\":\"a b.wav\",\"start\":0.000,\"end\":0.080,\"events\":["
            "{\"label\":\"a\",\"start\":0.000,\"end\":0.020,\"score\":0.7500},"
            "{\"label\":\"b\",\"start\":0.000,\"end\":0.060,\"score\":1.0000},"
            "{\"label\":\"a\",\"start\":0.060,\"end\":0.080,\"score\":1.0000}]}\n"
            "{\"file\":\"a b.wav\",\"start\":0.080,\"end\":0.100,\"events\":["
            "{\"label\":\"b\",\"start\":0.080,\"end\":0.100,\"score\":1.0000}]}\n");
}

// An event from beginning to end, with padding also one of gaps that do not end it, and another
// label with one short event after the other, all of which would wait for that.
Scene WithOneThatNeverEnds(size_t frames, int64_t pad_ms) {
  Scene scene = WithFrames(OutputSpec::Kind::kFrames, {"on", "x"}, std::vector<size_t>(frames, 0));
  scene.manifest.output.min_gap_ns = pad_ms == 0 ? 0 : 200'000'000;
  scene.manifest.output.pad_ns = pad_ms * 1'000'000;
  const size_t period = pad_ms == 0 ? 2 : 12;  // x has gaps that do end it
  for (size_t f = 0; f < frames; ++f) {
    scene.frames[f][1] = f % period == 0 ? 1.0F : 0.0F;
    if (pad_ms > 0 && f % 9 != 7) scene.frames[f][0] = 0.0F;
  }
  return scene;
}

TEST(Events, ThatNeverEndHoldBackABoundedNumberOfOthers) {
  std::mt19937 random(5);
  constexpr size_t kMost = ChannelsJoiner::MostHeld(1);
  // Of large segments, and of such that a pad is longer than two of them.
  for (const auto& [pad_ms, cut] : {std::pair<int64_t, int64_t>{0, 1000}, {200, 4}}) {
    const size_t frames = (pad_ms == 0 ? 2 : 12) * kMost * 3 / 2;
    Scene scene = WithOneThatNeverEnds(frames, pad_ms);
    scene.CutBy({cut, cut});
    std::vector<Json> of_on;
    std::vector<Json> of_x;
    EventsOfLabel(scene, 0, of_on);
    EventsOfLabel(scene, 1, of_x);
    ASSERT_EQ(of_x.size(), kMost * 3 / 2);
    const auto pieces = Pieces(scene);
    auto joiner = MakeLineJoiner(scene.manifest, scene.labels);
    std::string lines;
    size_t most = 0;
    size_t of_most = 0;  // the piece that most lines came with: where an event was ended early
    size_t largest = 0;
    for (size_t k = 0; k < pieces.size(); ++k) {
      const size_t before = lines.size();
      ASSERT_TRUE(joiner->Add(pieces[k], To(lines)));
      if (lines.size() - before > most) {
        most = lines.size() - before;
        of_most = k;
      }
      if (static_cast<int64_t>(k) % (1000 / cut) == 0) {
        largest = std::max(largest, joiner->Save().size());
      }
    }
    EXPECT_TRUE(joiner->End("", To(lines)));
    // An event is 20 to 40 bytes.
    EXPECT_GT(largest, 20 * kMost) << "they do wait as long as they may";
    EXPECT_LT(largest, 45 * kMost);
    // Of the other label nothing changed; of the one that is on, one event is several that follow.
    std::vector<Json> on;
    std::vector<Json> x;
    for (const auto& event : Sorted(All(scene, Parsed(lines), "events"))) {
      (event["label"] == "on" ? on : x).push_back(event);
    }
    ASSERT_EQ(x, of_x);
    ASSERT_EQ(of_on.size(), 1U);
    EXPECT_EQ(on.size(), 2U);
    EXPECT_EQ(on.front()["start"], of_on.front()["start"]);
    EXPECT_EQ(on.back()["end"], of_on.back()["end"]);
    for (size_t i = 1; i < on.size(); ++i) {
      ASSERT_LE(on[i - 1]["end"], on[i]["start"]);
      // In gaps no more is missing than the gap.
      ASSERT_LE(on[i]["start"].get<double>() - on[i - 1]["end"].get<double>(),
                pad_ms == 0 ? 0.0 : 0.2);
    }
    // Wherever it is interrupted, next to where an event was ended early above all. (Not ASSERT_EQ,
    // which would work out how texts of so many lines differ.)
    for (const size_t at : {of_most, of_most + 1, of_most + 2, random() % pieces.size()}) {
      ASSERT_TRUE(Join(scene, pieces, at) == lines) << "interrupted before piece " << at;
    }
  }
}

// ---- both ----

TEST(Joiners, EndWhatIsOpenWhereASegmentCrashed) {
  Scene scene = WithFrames(OutputSpec::Kind::kFrames, {"a"}, std::vector<size_t>(9, 0));
  scene.manifest.output.pad_ns = 10'000'000;
  scene.CutBy({3, 3});
  std::string lines = Join(scene, Pieces(scene, {1}));
  EXPECT_EQ(lines,
            "{\"file\":\"a b.wav\",\"start\":0.000,\"end\":0.060,\"events\":["
            "{\"label\":\"a\",\"start\":0.000,\"end\":0.060,\"score\":1.0000}]}\n"
            "{\"error\":1}\n"
            "{\"file\":\"a b.wav\",\"start\":0.120,\"end\":0.180,\"events\":["
            "{\"label\":\"a\",\"start\":0.120,\"end\":0.180,\"score\":1.0000}]}\n");
  for (size_t restart = 0; restart < 3; ++restart) {
    EXPECT_EQ(Join(scene, Pieces(scene, {1}), restart), lines);
  }
  EXPECT_EQ(Join(scene, Pieces(scene, {0, 1, 2})), "{\"error\":0}\n{\"error\":1}\n{\"error\":2}\n");
  scene = WithFrames(OutputSpec::Kind::kCtc, {"-", "a"}, std::vector<size_t>(9, 1));
  scene.CutBy({3, 3});
  const auto parsed = Parsed(Join(scene, Pieces(scene, {1})));
  ASSERT_EQ(parsed.size(), 3U);
  EXPECT_EQ(parsed[0]["words"], Json::array({Timed("word", "a", 0, 60, 1)}));
  EXPECT_EQ(parsed[2]["words"], Json::array({Timed("word", "a", 120, 180, 1)}));
}

TEST(Joiners, EndWhatIsOpenWhereAFaultIs) {
  Scene scene = WithFrames(OutputSpec::Kind::kFrames, {"a"}, std::vector<size_t>(9, 0));
  scene.CutBy({3, 3});
  auto pieces = Pieces(scene);
  pieces.pop_back();
  const std::string lines = Join(scene, pieces, SIZE_MAX, "a fault\n");
  EXPECT_TRUE(lines.ends_with("\na fault\n"));
  EXPECT_NE(lines.find("\"start\":0.000,\"end\":0.120,\"score\""), std::string::npos) << lines;
  EXPECT_EQ(Join(scene, {}, SIZE_MAX, "no file\n"), "no file\n");
}

TEST(Joiners, TakeSeveralPiecesAtOnceAndFilesOneAfterTheOther) {
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    Scene scene = round % 2 == 0 ? WithEvents(random) : WithWords(random, "|");
    scene.CutBy(AnyCut(random));
    const auto pieces = Pieces(scene);
    std::string together;
    for (const auto& piece : pieces) together += piece;
    auto joiner = MakeLineJoiner(scene.manifest, scene.labels);
    for (int file = 0; file < 2; ++file) {
      std::string out;
      ASSERT_TRUE(joiner->Add(together, To(out)));
      EXPECT_TRUE(joiner->End("", To(out)));
      ASSERT_EQ(out, Join(scene, pieces));
    }
  }
}

// A journal of before is gone on with.
TEST(Joiners, SaveAFileWithoutChannelsAsEver) {
  const auto saved_after_one = [](OutputSpec::Kind kind, size_t label) {
    Scene scene = WithFrames(kind, {"-", "a"}, std::vector<size_t>(9, label));
    scene.CutBy({3, 3});
    const auto joiner = MakeLineJoiner(scene.manifest, scene.labels);
    std::string out;
    EXPECT_TRUE(joiner->Add(Pieces(scene)[0], To(out)));
    return joiner->Save();
  };
  EXPECT_EQ(saved_after_one(OutputSpec::Kind::kFrames, 1),
            "1 0 3 0 1 180 1000 7 a b.wav 1 1 1 0 0 -1 1065353216 0 ");
  EXPECT_EQ(saved_after_one(OutputSpec::Kind::kCtc, 1),
            "1 0 3 0 1 180 1000 7 a b.wav 1 0 0 3 1 a 1 0 1065353216 1 1 3 1 ");
}

// An event from the beginning of a day to its end: its lines are megabytes, and come in parts.
TEST(Joiners, PutOutWhatWaitedInParts) {
  Scene scene = WithFrames(OutputSpec::Kind::kFrames, {"a"}, std::vector<size_t>(40'000, 0));
  scene.CutBy({1, 1});
  std::string pieces;
  for (const auto& piece : Pieces(scene)) pieces += piece;
  const auto joiner = MakeLineJoiner(scene.manifest, scene.labels);
  size_t bytes = 0;
  size_t largest = 0;
  const LineJoiner::Sink put = [&](std::string_view lines) {
    EXPECT_TRUE(lines.ends_with('\n'));
    bytes += lines.size();
    largest = std::max(largest, lines.size());
    return Ok();
  };
  ASSERT_TRUE(joiner->Add(pieces, put));
  EXPECT_EQ(bytes, 0U) << "it waits";
  const std::string saved = joiner->Save();
  ASSERT_TRUE(joiner->End("", put));
  EXPECT_GT(bytes, 2'000'000U);
  EXPECT_LT(largest, 300'000U);
  // What takes them may fail: that ends it.
  ASSERT_TRUE(joiner->Restore(saved));
  int calls = 0;
  const Status failed = joiner->End("", [&calls](std::string_view) -> Status {
    ++calls;
    return Error{"no room"};
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().what, "no room");
  EXPECT_EQ(calls, 1);
}

// ---- channels heard one by one ----

// The pieces of all channels, in the order of a file's segments, from those of each as a file of
// its own; at most `count`.
std::vector<std::string> Interleaved(const std::vector<std::vector<std::string>>& of_channels,
                                     size_t count = SIZE_MAX) {
  std::vector<std::string> pieces;
  const size_t channels = of_channels.size();
  for (size_t s = 0; s < std::min(count, channels * of_channels[0].size()); ++s) {
    Piece piece;
    EXPECT_TRUE(ParsePiece(of_channels[s % channels][s / channels], piece));
    FileInfo info;
    info.samples = piece.samples;
    info.sample_rate = piece.rate;
    info.channels = static_cast<int32_t>(channels);
    auto& out = pieces.emplace_back();
    piece.told.segment = s;
    if (piece.error_line.empty()) {
      AppendPiece(out, piece.told, info, piece.name);
    } else {
      AppendErrorPiece(out, s, info.channels, piece.error_line);
    }
  }
  return pieces;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at) + 1;
    lines.push_back(text.substr(at, end - at));
    at = end;
  }
  return lines;
}

// What is to come of those pieces: the lines of each channel as those of a file of its own, one
// after the other at each place.
std::string InterleavedLines(const Scene& scene,
                             const std::vector<std::vector<std::string>>& of_channels,
                             size_t count = SIZE_MAX) {
  const size_t channels = of_channels.size();
  count = std::min(count, channels * of_channels[0].size());
  std::vector<std::vector<std::string>> lines;
  for (size_t c = 0; c < channels; ++c) {
    auto own = of_channels[c];
    own.resize(count / channels + (count % channels > c ? 1 : 0));
    lines.push_back(Lines(Join(scene, own)));
  }
  std::string all;
  const std::string file = "{\"file\":\"a b.wav\"";
  for (size_t s = 0; s < count; ++s) {
    std::string line = lines[s % channels][s / channels];
    if (line.starts_with(file)) {
      line.insert(file.size(), ",\"channel\":" + std::to_string(s % channels + 1));
    }
    all += line;
  }
  return all;
}

// Of several channels of one file; all but their frames are as in the first.
std::vector<Scene> Channels(size_t count, const std::function<Scene()>& make) {
  std::vector<Scene> channels = {make()};
  while (channels.size() < count) {
    Scene scene = channels[0];
    scene.frames = make().frames;
    scene.frames.resize(channels[0].frames.size(), std::vector<float>(scene.labels.size(), 0.0F));
    channels.push_back(std::move(scene));
  }
  return channels;
}

TEST(Channels, HaveTheLinesOfFilesOfTheirOwn) {
  std::mt19937 random(7);
  for (int round = 0; round < 160; ++round) {
    auto scenes = Channels(1 + static_cast<size_t>(round) / 2 % 4, [&] {
      return round % 2 == 0 ? WithEvents(random) : WithWords(random, "|");
    });
    const Cut cut = AnyCut(random);
    std::vector<std::vector<std::string>> of_channels;
    for (auto& scene : scenes) {
      scene.manifest.output.activation = OutputSpec::Activation::kNone;
      scene.CutBy(cut);
      std::vector<int64_t> crashed;
      for (int64_t k = 0; k < 200; ++k) {
        if (round % 3 == 0 && random() % 8 == 0) crashed.push_back(k);
      }
      of_channels.push_back(Pieces(scene, crashed));
    }
    Scene each = scenes[0];
    each.manifest.audio.channels = AudioSpec::Channels::kEach;
    const auto pieces = Interleaved(of_channels);
    const std::string expected = InterleavedLines(scenes[0], of_channels);
    ASSERT_EQ(Join(each, pieces), expected);
    // Interrupted anywhere.
    const size_t step = round < 24 ? 1 : 1 + pieces.size() / 3;
    for (size_t at = random() % step; at < pieces.size(); at += step) {
      ASSERT_EQ(Join(each, pieces, at), expected) << "interrupted before piece " << at;
    }
    // A fault, in whatever channel, ends all of them.
    const size_t end = random() % (pieces.size() + 1);
    ASSERT_EQ(Join(each, Interleaved(of_channels, end), SIZE_MAX, "a fault\n"),
              InterleavedLines(scenes[0], of_channels, end) + "a fault\n");
  }
}

TEST(Channels, ThatWaitHoldBackTheOthersInOrder) {
  const auto with = [](const std::vector<size_t>& best) {
    return WithFrames(OutputSpec::Kind::kFrames, {"-", "a"}, best);
  };
  std::vector<Scene> scenes = {with({0, 0, 0, 0, 0, 0}), with({0, 1, 1, 1, 0, 0})};
  std::vector<std::vector<std::string>> of_channels;
  for (auto& scene : scenes) {
    scene.frames[0][0] = 0;  // nothing is on in the first frame
    for (auto& frame : scene.frames) frame[0] = 0;
    scene.CutBy({1, 1});
    of_channels.push_back(Pieces(scene));
  }
  Scene each = scenes[0];
  each.manifest.audio.channels = AudioSpec::Channels::kEach;
  const auto joiner = MakeLineJoiner(each.manifest, each.labels);
  std::vector<size_t> lines;
  for (const auto& piece : Interleaved(of_channels)) {
    std::string out;
    ASSERT_TRUE(joiner->Add(piece, To(out)));
    lines.push_back(static_cast<size_t>(std::ranges::count(out, '\n')));
  }
  // The event of the second channel is over with its fifth piece.
  EXPECT_EQ(lines, (std::vector<size_t>{1, 1, 1, 0, 0, 0, 0, 0, 0, 7, 1, 1}));
}

// Of pieces so many that some lines come before the file's end, and that what is kept meanwhile is
// that of `most` things.
void JoinHoldingBack(const Scene& scene, const std::vector<std::string>& pieces, size_t most,
                     std::string& lines) {
  const auto joiner = MakeLineJoiner(scene.manifest, scene.labels);
  size_t largest = 0;
  for (const auto& piece : pieces) {
    ASSERT_TRUE(joiner->Add(piece, To(lines)));
    largest = std::max(largest, joiner->Save().size());
  }
  EXPECT_FALSE(lines.empty()) << "before the file's end";
  ASSERT_TRUE(joiner->End("", To(lines)));
  EXPECT_GT(largest, 20 * most) << "they do wait as long as they may";
  EXPECT_LT(largest, 45 * most);
}

// One channel's event never ends, and another one has one short event after the other.
TEST(Channels, HoldBackABoundedNumberOfEventsAllTogether) {
  constexpr size_t kMost = ChannelsJoiner::MostHeld(3);
  constexpr size_t kFrames = 2 * kMost;
  std::vector<Scene> scenes;
  for (size_t c = 0; c < 3; ++c) {
    scenes.push_back(WithFrames(OutputSpec::Kind::kFrames, {"a"}, std::vector<size_t>(kFrames, 0)));
    for (size_t f = 0; f < kFrames && c > 0; ++f) {
      scenes[c].frames[f][0] = f % 2 == 0 ? 1.0F : 0.0F;
    }
    scenes[c].CutBy({100, 100});
  }
  std::vector<std::vector<std::string>> of_channels;
  for (const auto& scene : scenes) of_channels.push_back(Pieces(scene));
  Scene each = scenes[0];
  each.manifest.audio.channels = AudioSpec::Channels::kEach;
  const auto pieces = Interleaved(of_channels);
  std::string lines;
  JoinHoldingBack(each, pieces, kMost, lines);
  std::map<int64_t, size_t> events;
  for (const auto& line : Parsed(lines)) {
    events[line["channel"].get<int64_t>()] += line["events"].size();
  }
  // Ten thousand wait after each of 100 segments.
  EXPECT_EQ(events, (std::map<int64_t, size_t>{{1, 2}, {2, kMost}, {3, kMost}}));
  for (const size_t at :
       {size_t{1}, size_t{299}, size_t{300}, size_t{301}, size_t{302}, size_t{450}}) {
    ASSERT_TRUE(Join(each, pieces, at) == lines) << "interrupted before piece " << at;
  }
}

// One channel has one token from its beginning on, and others one short word after the other.
TEST(Channels, HoldBackABoundedNumberOfWordsAllTogether) {
  constexpr size_t kMost = ChannelsJoiner::MostHeld(3);
  constexpr size_t kFrames = 2 * kMost;
  constexpr size_t kAnotherToken = kFrames - 10;
  std::vector<std::vector<std::string>> of_channels;
  Scene each;
  for (size_t c = 0; c < 3; ++c) {
    std::vector<size_t> best(kFrames, 2);
    for (size_t f = 0; f < kFrames; ++f) {
      if (c == 0 ? f >= kAnotherToken : f % 2 == 1) best[f] = c == 0 ? 3 : 1;
    }
    each = WithFrames(OutputSpec::Kind::kCtc, {"-", "|", "a", "b"}, best);
    each.CutBy({100, 100});
    of_channels.push_back(Pieces(each));
  }
  each.manifest.audio.channels = AudioSpec::Channels::kEach;
  const auto pieces = Interleaved(of_channels);
  std::string lines;
  JoinHoldingBack(each, pieces, kMost, lines);
  std::map<int64_t, Json> words;
  for (const auto& line : Parsed(lines)) {
    auto& of_channel = words[line["channel"].get<int64_t>()];
    for (const auto& word : line["words"]) of_channel.push_back(word);
  }
  EXPECT_EQ(words[2].size(), kMost);
  EXPECT_EQ(words[3], words[2]);
  // Ten thousand wait once 101 segments of the second channel have come, and 100 of the third.
  const auto end_ms = static_cast<int64_t>(kFrames) * kFrameMs;
  const auto another_ms = static_cast<int64_t>(kAnotherToken) * kFrameMs;
  EXPECT_EQ(words[1], Json::array({Timed("word", "a", 0, 101 * 100 * kFrameMs, 1),
                                   Timed("word", "b", another_ms, end_ms, 1)}));
  for (const size_t at :
       {size_t{1}, size_t{303}, size_t{304}, size_t{305}, size_t{306}, size_t{450}}) {
    ASSERT_TRUE(Join(each, pieces, at) == lines) << "interrupted before piece " << at;
  }
}

TEST(Channels, CountErrorLinesThatWait) {
  constexpr size_t kMost = ChannelsJoiner::MostHeld(2);
  constexpr size_t kFrames = kMost + 300;
  Scene each = WithFrames(OutputSpec::Kind::kFrames, {"a"}, std::vector<size_t>(kFrames, 0));
  each.CutBy({1, 1});
  std::vector<int64_t> all;
  for (size_t k = 0; k < kFrames; ++k) all.push_back(static_cast<int64_t>(k));
  const auto pieces = Interleaved({Pieces(each), Pieces(each, all)});
  each.manifest.audio.channels = AudioSpec::Channels::kEach;
  const auto joiner = MakeLineJoiner(each.manifest, each.labels);
  std::string lines;
  for (size_t s = 0; s < pieces.size(); ++s) {
    ASSERT_TRUE(joiner->Add(pieces[s], To(lines)));
    ASSERT_EQ(lines.empty(), (s + 1) / 2 <= kMost) << s;
  }
  ASSERT_TRUE(joiner->End("", To(lines)));
  size_t events = 0;
  size_t errors = 0;
  for (const auto& line : Parsed(lines)) {
    if (line.contains("error")) {
      EXPECT_EQ(line["error"], errors++);
    } else {
      events += line["events"].size();
    }
  }
  EXPECT_EQ(errors, kFrames);
  EXPECT_EQ(events, 2U);
  for (size_t at = 2 * kMost; at < 2 * kMost + 4; ++at) {
    ASSERT_TRUE(Join(each, pieces, at) == lines) << "interrupted before piece " << at;
  }
}

TEST(Channels, MayHoldBackMoreWhereTheyAreMany) {
  EXPECT_EQ(ChannelsJoiner::MostHeld(1), 10'000U);
  EXPECT_EQ(ChannelsJoiner::MostHeld(39), 10'000U);
  EXPECT_EQ(ChannelsJoiner::MostHeld(1024), 262'144U);
  constexpr size_t kChannels = 64;
  constexpr size_t kMost = ChannelsJoiner::MostHeld(kChannels);
  constexpr size_t kFrames = 600;
  Scene each = WithFrames(OutputSpec::Kind::kFrames, {"a"}, std::vector<size_t>(kFrames, 0));
  each.CutBy({2, 2});
  std::vector<std::vector<std::string>> of_channels = {Pieces(each)};
  for (size_t f = 1; f < kFrames; f += 2) each.frames[f][0] = 0;
  of_channels.resize(kChannels, Pieces(each));
  each.manifest.audio.channels = AudioSpec::Channels::kEach;
  const auto pieces = Interleaved(of_channels);
  const auto joiner = MakeLineJoiner(each.manifest, each.labels);
  std::string lines;
  std::string saved;
  size_t taken = 0;
  for (; taken < pieces.size() && lines.empty(); ++taken) {
    if (taken >= kMost) saved = joiner->Save();
    ASSERT_TRUE(joiner->Add(pieces[taken], To(lines)));
  }
  // All channels but one have an event in each of their pieces.
  const size_t events = taken - (taken + kChannels - 1) / kChannels;
  EXPECT_EQ(events, kMost + 1);
  const std::string name = "a b.wav";
  const size_t named = saved.find(name);
  ASSERT_NE(named, std::string::npos);
  EXPECT_EQ(saved.find(name, named + 1), std::string::npos) << "once, not for each channel";
  const std::string all = Join(each, pieces);
  for (const size_t at : {taken - 1, taken}) {
    ASSERT_TRUE(Join(each, pieces, at) == all) << "interrupted before piece " << at;
  }
}

TEST(Channels, RefuseWhatIsDamaged) {
  std::mt19937 random(8);
  for (int round = 0; round < 20; ++round) {
    auto scenes =
        Channels(2, [&] { return round % 2 == 0 ? WithEvents(random) : WithWords(random, "|"); });
    std::vector<std::vector<std::string>> of_channels;
    for (auto& scene : scenes) {
      scene.CutBy({10, 5});
      of_channels.push_back(Pieces(scene, {0}));
    }
    Scene each = scenes[0];
    each.manifest.audio.channels = AudioSpec::Channels::kEach;
    const auto pieces = Interleaved(of_channels);
    auto joiner = MakeLineJoiner(each.manifest, each.labels);
    std::string out;
    EXPECT_FALSE(joiner->Add(of_channels[0][0], To(out))) << "of no channel";
    EXPECT_FALSE(joiner->Add("E0 0{}\n", To(out)));
    EXPECT_FALSE(joiner->Add("E1025 0 {}\n", To(out)));
    joiner->Begin();
    ASSERT_TRUE(joiner->Add(pieces[0], To(out)));
    const Status others = joiner->Add("E3 1 {}\n", To(out));
    ASSERT_FALSE(others);
    EXPECT_NE(others.error().what.find("other channels"), std::string::npos);
    EXPECT_FALSE(MakeLineJoiner(scenes[0].manifest, each.labels)->Add(pieces[0], To(out)));
    for (size_t i = 1; i < pieces.size() / 2; ++i) ASSERT_TRUE(joiner->Add(pieces[i], To(out)));
    const std::string saved = joiner->Save();
    for (size_t size = 1; size < saved.size(); ++size) {
      EXPECT_FALSE(MakeLineJoiner(each.manifest, each.labels)->Restore(saved.substr(0, size)));
    }
    for (const char* text : {"nonsense", "0 0 0 0 ", "1025 0 0 0 ", "1 0 0 0 0 1 a 0 0  ",
                             "1 1 0 0 1 1 a 0 0  ", "-1 0 0 0 0 1 a 0 "}) {
      EXPECT_FALSE(joiner->Restore(text)) << text;
    }
  }
}

TEST(Joiners, RefuseWhatIsDamaged) {
  std::mt19937 random(4);
  for (int round = 0; round < 50; ++round) {
    Scene scene = round % 2 == 0 ? WithEvents(random) : WithWords(random, "|");
    scene.CutBy({10, 5});
    const auto pieces = Pieces(scene);
    auto joiner = MakeLineJoiner(scene.manifest, scene.labels);
    std::string out;
    EXPECT_FALSE(joiner->Add("nonsense\n", To(out)));
    EXPECT_FALSE(joiner->Add("r1 2\n", To(out)));
    joiner->Begin();
    ASSERT_TRUE(joiner->Add(pieces[0], To(out)));
    const Status twice = joiner->Add(pieces[0], To(out));
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().Sentence(),
              "what was kept of segment 1 of \"a b.wav\" is damaged: it is that of segment 0; "
              "begin anew with --restart");
    // Cut anywhere it is refused, or less of what waits is known: nothing else happens.
    const std::string saved = joiner->Save();
    for (size_t size = 1; size < saved.size(); ++size) {
      auto other = MakeLineJoiner(scene.manifest, scene.labels);
      if (!other->Restore(saved.substr(0, size))) continue;
      EXPECT_TRUE(other->End("", To(out)));
    }
    const Status restored = joiner->Restore("nonsense");
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().hint, "begin anew with --restart");
  }
  EXPECT_EQ(MakeLineJoiner(Manifest{}, {}), nullptr) << "tags need none";
}

}  // namespace
}  // namespace consort
