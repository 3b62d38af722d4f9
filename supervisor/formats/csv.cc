// Comma-separated values by RFC 4180: a header, CRLF after each record, quotes where needed.
#include "supervisor/formats/text.h"
#include "supervisor/formats/writers.h"

namespace consort {
namespace {

std::string Quoted(std::string_view bytes) {
  std::string text = ValidUtf8(bytes);
  if (text.find_first_of("\",\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

class Csv : public FormatWriter {
 public:
  void Begin(std::string& out) override {
    out += "file,start,end,rank,label,score,text,error,channel\r\n";
  }

  void Add(std::string& out, const ResultLine& line) override {
    switch (line.kind) {
      case ResultLine::Kind::kError:
        return;
      case ResultLine::Kind::kTranscript:
        out += Interval(line, line) + ",,," + Quoted(line.text) + ',' + End(line);
        return;
      case ResultLine::Kind::kTags:
        for (size_t i = 0; i < line.tags.size(); ++i) {
          out += Interval(line, line) + std::to_string(i + 1) + ',' + Quoted(line.tags[i].label) +
                 ',' + ScoreText(line.tags[i].score) + ",," + End(line);
        }
        if (line.tags.empty()) out += Interval(line, line) + ",,,," + End(line);
        return;
      case ResultLine::Kind::kEvents:
        for (const TimedLabel& event : line.events) {
          out += Interval(line, event) + ',' + Quoted(event.label) + ',' + ScoreText(event.score) +
                 ",," + End(line);
        }
        if (line.events.empty()) out += Interval(line, line) + ",,,," + End(line);
        return;
    }
  }

  void AddError(std::string& out, const ResultLine& line) override {
    out += Quoted(line.file) + ',' + (line.at_ms ? Seconds(*line.at_ms) : "") + ",,,,,," +
           Quoted(line.code + ": " + line.message) + End(line);
  }

 private:
  // What stands behind `error`.
  static std::string End(const ResultLine& line) {
    return ',' + (line.channel > 0 ? std::to_string(line.channel) : "") + "\r\n";
  }
  // `timed`: a line, or an event of it.
  template <typename Timed>
  static std::string Interval(const ResultLine& line, const Timed& timed) {
    return Quoted(line.file) + ',' + Seconds(timed.start_ms) + ',' + Seconds(timed.end_ms) + ',';
  }
};

}  // namespace

std::unique_ptr<FormatWriter> MakeCsv(Scope /*scope*/) { return std::make_unique<Csv>(); }

}  // namespace consort
