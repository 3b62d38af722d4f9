#include "supervisor/formats/writers.h"

namespace consort {
namespace {

class JsonLines : public FormatWriter {
 public:
  void Add(std::string& out, const ResultLine& line) override { (out += line.raw) += '\n'; }
  void AddError(std::string& out, const ResultLine& line) override { Add(out, line); }
};

}  // namespace

std::unique_ptr<FormatWriter> MakeJsonLines(Scope /*scope*/) {
  return std::make_unique<JsonLines>();
}

}  // namespace consort
