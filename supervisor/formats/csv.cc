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
  void Begin(std::string& out) override { out += "file,start,end,rank,label,score,text,error\r\n"; }

  void Add(std::string& out, const ResultLine& line) override {
    const std::string interval =
        Quoted(line.file) + ',' + Seconds(line.start_ms) + ',' + Seconds(line.end_ms) + ',';
    if (line.kind == ResultLine::Kind::kTranscript) {
      out += interval + ",,," + Quoted(line.text) + ",\r\n";
    } else if (line.tags.empty()) {
      out += interval + ",,,,\r\n";
    }
    for (size_t i = 0; line.kind == ResultLine::Kind::kTags && i < line.tags.size(); ++i) {
      out += interval + std::to_string(i + 1) + ',' + Quoted(line.tags[i].label) + ',' +
             ScoreText(line.tags[i].score) + ",,\r\n";
    }
  }

  void AddError(std::string& out, const ResultLine& line) override {
    out += Quoted(line.file) + ',' + (line.at_ms ? Seconds(*line.at_ms) : "") + ",,,,,," +
           Quoted(line.code + ": " + line.message) + "\r\n";
  }
};

}  // namespace

std::unique_ptr<FormatWriter> MakeCsv(Scope /*scope*/) { return std::make_unique<Csv>(); }

}  // namespace consort
