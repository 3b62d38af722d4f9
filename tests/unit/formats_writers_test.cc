#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "supervisor/formats/format.h"

namespace consort {
namespace {

ResultLine Tags(const std::string& file, int64_t start_ms, int64_t end_ms,
                std::vector<LabelScore> tags) {
  ResultLine line;
  line.raw = "raw";
  line.file = file;
  line.start_ms = start_ms;
  line.end_ms = end_ms;
  line.tags = std::move(tags);
  return line;
}

ResultLine Text(const std::string& file, int64_t start_ms, int64_t end_ms, const std::string& text,
                std::vector<TimedWord> words = {}) {
  ResultLine line = Tags(file, start_ms, end_ms, {});
  line.kind = ResultLine::Kind::kTranscript;
  line.text = text;
  line.words = std::move(words);
  return line;
}

ResultLine Events(const std::string& file, int64_t start_ms, int64_t end_ms,
                  std::vector<TimedLabel> events) {
  ResultLine line = Tags(file, start_ms, end_ms, {});
  line.kind = ResultLine::Kind::kEvents;
  line.events = std::move(events);
  return line;
}

ResultLine InChannel(int64_t channel, ResultLine line) {
  line.channel = channel;
  return line;
}

ResultLine Failure(const std::string& file, std::optional<int64_t> at_ms) {
  ResultLine line = Tags(file, 0, 0, {});
  line.kind = ResultLine::Kind::kError;
  line.code = "truncated";
  line.message = "it ends, \"early\"";
  line.at_ms = at_ms;
  return line;
}

// As an export of a job has it: a recording begins at its first interval.
std::string Write(const char* format, const std::vector<ResultLine>& lines,
                  Scope scope = Scope::kJob) {
  const auto writer = FindFormat(format)->make(scope);
  std::string out;
  writer->Begin(out);
  std::string last;
  for (const auto& line : lines) {
    if (line.kind == ResultLine::Kind::kError) {
      writer->AddError(out, line);
      continue;
    }
    if (line.file != last) writer->BeginRecording(out, line.file);
    last = line.file;
    writer->Add(out, line);
  }
  writer->End(out);
  return out;
}

const std::vector<ResultLine>& Sample() {
  static const std::vector<ResultLine> kLines = {
      Tags("d/a b.wav", 0, 3000, {{"speech", 0.9312}, {"music, \"loud\"", 0.25}}),
      Tags("d/a b.wav", 3000, 6000, {}),
      Tags("d/a b.wav", 6000, 4500, {{"behind the end", 0.5}}),
      Failure("d/a b.wav", 4500),
      Text("c.flac", 86'400'420, 86'402'480, "two\nseven <b>",
           {{"two", 86'400'420, 86'400'700, std::nullopt}, {"seven", 86'400'710, 86'401'000, 0.5}}),
      Failure("gone.wav", std::nullopt),
  };
  return kLines;
}

TEST(Writers, JsonLinesAreTheLines) {
  EXPECT_EQ(Write("jsonl", {Tags("a", 0, 1, {}), Failure("b", 1)}), "raw\nraw\n");
}

TEST(Writers, CsvHasEverythingButWords) {
  EXPECT_EQ(Write("csv", Sample()),
            "file,start,end,rank,label,score,text,error,channel\r\n"
            "d/a b.wav,0.000,3.000,1,speech,0.9312,,,\r\n"
            "d/a b.wav,0.000,3.000,2,\"music, \"\"loud\"\"\",0.2500,,,\r\n"
            "d/a b.wav,3.000,6.000,,,,,,\r\n"
            "d/a b.wav,6.000,4.500,1,behind the end,0.5000,,,\r\n"
            "d/a b.wav,4.500,,,,,,\"truncated: it ends, \"\"early\"\"\",\r\n"
            "c.flac,86400.420,86402.480,,,,\"two\nseven <b>\",,\r\n"
            "gone.wav,,,,,,,\"truncated: it ends, \"\"early\"\"\",\r\n");
}

TEST(Writers, RavenCountsThroughAllRecordings) {
  EXPECT_EQ(
      Write("raven", {Tags("d/a b.wav", 0, 3000, {{"speech", 0.9312}, {"a\tb", 0.25}}),
                      Tags("d/a b.wav", 3000, 4250, {}), Text("c.flac", 420, 2480, "two\nseven")}),
      "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"
      "\tBegin File\tBegin Path\tFile Offset (s)\tAnnotation\tScore\tRank\n"
      "1\tSpectrogram 1\t1\t0.000\t3.000\t0\t8000\ta b.wav\td/a b.wav\t0.000\tspeech\t0.9312\t1\n"
      "2\tSpectrogram 1\t1\t0.000\t3.000\t0\t8000\ta b.wav\td/a b.wav\t0.000\ta b\t0.2500\t2\n"
      "3\tSpectrogram 1\t1\t4.670\t6.730\t0\t8000\tc.flac\tc.flac\t0.420\ttwo seven\t\t\n");
}

TEST(Writers, RavenTakesNoSilenceBehindTheEndForPartOfARecording) {
  const std::string table =
      Write("raven", {Tags("a", 0, 3000, {}), Tags("a", 6000, 4500, {{"behind", 0.5}}),
                      Tags("b", 0, 1000, {{"x", 0.5}})});
  EXPECT_NE(table.find("\n1\tSpectrogram 1\t1\t4.500\t5.500\t0\t8000\tb\tb\t0.000\tx\t0.5000\t1\n"),
            std::string::npos)
      << table;
}

TEST(Writers, AudacityHasTheTopLabel) {
  EXPECT_EQ(Write("audacity", Sample()),
            "0.000000\t3.000000\tspeech\n"
            "86400.420000\t86401.000000\ttwo seven <b>\n");
}

TEST(Writers, RttmHasTenFieldsWithoutBlanks) {
  EXPECT_EQ(Write("rttm", Sample()),
            "SPEAKER d/a_b.wav 1 0.000 3.000 <NA> <NA> speech <NA> <NA>\n"
            "SPEAKER c.flac 1 86400.420 0.580 <NA> <NA> two_seven_<b> <NA> <NA>\n");
  EXPECT_EQ(Write("rttm", {Tags("a", 0, 0, {{"x", 1.0}})}),
            "SPEAKER a 1 0.000 0.001 <NA> <NA> x <NA> <NA>\n")
      << "readers drop what has no length";
}

TEST(Writers, CtmHasTheWords) {
  EXPECT_EQ(Write("ctm", Sample()),
            "d/a_b.wav 1 0.000 3.000 speech 0.9312\n"
            "c.flac 1 86400.420 0.280 two\n"
            "c.flac 1 86400.710 0.290 seven 0.5000\n");
  EXPECT_EQ(Write("ctm", {Text(";;a", 0, 1000, "two seven")}), "__a 1 0.000 1.000 two_seven\n")
      << "without words the text is one";
}

TEST(Writers, SrtNumbersItsCaptions) {
  EXPECT_EQ(Write("srt", Sample()),
            "1\n00:00:00,000 --> 00:00:03,000\nspeech\n\n"
            "2\n24:00:00,420 --> 24:00:01,000\ntwo seven <b>\n\n");
  EXPECT_EQ(Write("srt", {}), "");
}

TEST(Writers, WebVttNamesRecordingsOfAJob) {
  EXPECT_EQ(Write("vtt", Sample()),
            "WEBVTT\n\nNOTE d/a b.wav\n\n00:00:00.000 --> 00:00:03.000\nspeech\n\n"
            "NOTE c.flac\n\n24:00:00.420 --> 24:00:01.000\ntwo seven &lt;b&gt;\n\n");
  EXPECT_EQ(Write("vtt", {Text("a-->b", 0, 0, "x --> y & z")}, Scope::kJob),
            "WEBVTT\n\nNOTE a--&gt;b\n\n00:00:00.000 --> 00:00:00.001\nx --&gt; y &amp; z\n\n");
  EXPECT_EQ(Write("vtt", {Text("a", 0, 1, "x")}, Scope::kRecording),
            "WEBVTT\n\n00:00:00.000 --> 00:00:00.001\nx\n\n");
}

TEST(Writers, EventsAreIntervalsOfTheirOwn) {
  const std::vector<ResultLine> lines = {
      Events("a b", 0, 3000, {{"x", 500, 3500, 0.75}, {"y z", 500, 600, 0.5}}),
      Events("a b", 3000, 6000, {})};
  EXPECT_EQ(Write("csv", lines),
            "file,start,end,rank,label,score,text,error,channel\r\n"
            "a b,0.500,3.500,,x,0.7500,,,\r\n"
            "a b,0.500,0.600,,y z,0.5000,,,\r\n"
            "a b,3.000,6.000,,,,,,\r\n");
  EXPECT_NE(
      Write("raven", lines)
          .find("\n1\tSpectrogram 1\t1\t0.500\t3.500\t0\t8000\ta b\ta b\t0.500\tx\t0.7500\t\n"
                "2\tSpectrogram 1\t1\t0.500\t0.600\t0\t8000\ta b\ta b\t0.500\ty z\t0.5000\t\n"),
      std::string::npos);
  EXPECT_EQ(Write("audacity", lines), "0.500000\t3.500000\tx\n0.500000\t0.600000\ty z\n");
  EXPECT_EQ(Write("rttm", lines),
            "SPEAKER a_b 1 0.500 3.000 <NA> <NA> x <NA> <NA>\n"
            "SPEAKER a_b 1 0.500 0.100 <NA> <NA> y_z <NA> <NA>\n");
  EXPECT_EQ(Write("ctm", lines), "a_b 1 0.500 3.000 x 0.7500\na_b 1 0.500 0.100 y_z 0.5000\n");
  EXPECT_EQ(Write("srt", lines),
            "1\n00:00:00,500 --> 00:00:03,500\nx\n\n"
            "2\n00:00:00,500 --> 00:00:00,600\ny z\n\n");
  EXPECT_EQ(Write("vtt", lines, Scope::kRecording),
            "WEBVTT\n\n00:00:00.500 --> 00:00:03.500\nx\n\n"
            "00:00:00.500 --> 00:00:00.600\ny z\n\n");
}

TEST(Writers, SayWhichChannel) {
  const std::vector<ResultLine> lines = {
      InChannel(1, Tags("a", 0, 3000, {{"x", 0.75}})),
      InChannel(2, Tags("a", 0, 3000, {{"y", 0.5}})),
      InChannel(1, Tags("a", 3000, 4000, {})),
      InChannel(2, Failure("a", 3000)),
  };
  EXPECT_EQ(Write("csv", lines),
            "file,start,end,rank,label,score,text,error,channel\r\n"
            "a,0.000,3.000,1,x,0.7500,,,1\r\n"
            "a,0.000,3.000,1,y,0.5000,,,2\r\n"
            "a,3.000,4.000,,,,,,1\r\n"
            "a,3.000,,,,,,\"truncated: it ends, \"\"early\"\"\",2\r\n");
  EXPECT_NE(Write("raven", lines)
                .find("\n1\tSpectrogram 1\t1\t0.000\t3.000\t0\t8000\ta\ta\t0.000\tx\t0.7500\t1\n"
                      "2\tSpectrogram 1\t2\t0.000\t3.000\t0\t8000\ta\ta\t0.000\ty\t0.5000\t1\n"),
            std::string::npos);
  EXPECT_EQ(Write("audacity", lines),
            "0.000000\t3.000000\tChannel 1: x\n0.000000\t3.000000\tChannel 2: y\n");
  EXPECT_EQ(Write("rttm", lines),
            "SPEAKER a 1 0.000 3.000 <NA> <NA> x <NA> <NA>\n"
            "SPEAKER a 2 0.000 3.000 <NA> <NA> y <NA> <NA>\n");
  EXPECT_EQ(Write("ctm", lines), "a 1 0.000 3.000 x 0.7500\na 2 0.000 3.000 y 0.5000\n");
  EXPECT_EQ(Write("ctm", {InChannel(4, Text("a", 0, 1000, "b", {{"b", 200, 300, 0.5}}))}),
            "a 4 0.200 0.100 b 0.5000\n");
  EXPECT_EQ(Write("srt", lines),
            "1\n00:00:00,000 --> 00:00:03,000\nChannel 1: x\n\n"
            "2\n00:00:00,000 --> 00:00:03,000\nChannel 2: y\n\n");
  EXPECT_EQ(Write("vtt", lines, Scope::kRecording),
            "WEBVTT\n\n00:00:00.000 --> 00:00:03.000\n<v Channel 1>x\n\n"
            "00:00:00.000 --> 00:00:03.000\n<v Channel 2>y\n\n");
}

// Of one place, over its channels; what begins at once stays in order of channels.
TEST(Writers, SubtitlesAreInOrderOfTheirStarts) {
  const std::vector<ResultLine> lines = {
      InChannel(1, Events("a", 0, 3000, {{"x", 500, 900, 0.75}, {"y", 2000, 2100, 0.5}})),
      InChannel(2, Events("a", 0, 3000, {{"z", 100, 200, 0.5}, {"w", 500, 600, 0.5}})),
      InChannel(1, Events("a", 3000, 4000, {{"v", 3500, 3600, 0.5}})),
      InChannel(2, Events("a", 3000, 4000, {{"u", 3200, 3300, 0.5}})),
      InChannel(1, Events("b", 0, 1000, {{"t", 900, 950, 0.5}})),
      InChannel(1, Events("c", 0, 1000, {{"s", 100, 150, 0.5}})),
  };
  const auto labels = [&](const char* format) {
    std::string found;
    const std::string text = Write(format, lines, Scope::kRecording);
    for (size_t at = 0; (at = text.find("\n\n", at)) != std::string::npos; at += 2) {
      found += text[at - 1];
    }
    return found;
  };
  EXPECT_EQ(labels("srt"), "zxwyuvts");
  EXPECT_EQ(labels("vtt"), "Tzxwyuvts") << "the T is that of the header";
  const std::string named = Write("vtt", lines);
  EXPECT_LT(named.find("<v Channel 1>v"), named.find("NOTE b"));
  EXPECT_LT(named.find("NOTE b"), named.find("<v Channel 1>t"));
  EXPECT_LT(named.find("<v Channel 1>t"), named.find("NOTE c"));
}

TEST(Writers, ShowBytesThatAreNoUtf8) {
  const std::vector<ResultLine> lines = {Tags("a\xff", 0, 1000, {{"l\xfe", 0.5}})};
  for (const Format& it : Formats()) {
    const std::string out = Write(std::string(it.name).c_str(), lines);
    EXPECT_EQ(out.find_first_of("\xff\xfe"), std::string::npos) << it.name;
    if (it.name == "jsonl") continue;
    EXPECT_NE(out.find("l\\xfe"), std::string::npos) << it.name;
  }
}

}  // namespace
}  // namespace consort
