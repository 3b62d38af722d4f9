#include <algorithm>

#include "supervisor/formats/writers.h"

namespace consort {
namespace {

// Name, extension, names recordings, tells errors, writer.
constexpr Format kFormats[] = {
    {"jsonl", ".jsonl", true, true, MakeJsonLines},
    {"csv", ".csv", true, true, MakeCsv},
    {"raven", ".raven.txt", true, false, MakeRaven},
    {"audacity", ".audacity.txt", false, false, MakeAudacity},
    {"rttm", ".rttm", true, false, MakeRttm},
    {"ctm", ".ctm", true, false, MakeCtm},
    {"srt", ".srt", false, false, MakeSrt},
    {"vtt", ".vtt", false, false, MakeWebVtt},
};

}  // namespace

std::span<const Format> Formats() { return kFormats; }

const Format* FindFormat(std::string_view name) {
  const auto found = std::ranges::find(kFormats, name, &Format::name);
  return found == std::end(kFormats) ? nullptr : found;
}

std::string PathFor(const Format& format, const std::string& path) {
  const size_t slash = path.rfind('/');
  const size_t name = slash == std::string::npos ? 0 : slash + 1;
  const size_t dot = path.rfind('.');
  // The dot of a hidden file's name begins no extension.
  const bool any = dot != std::string::npos && dot > name;
  return path.substr(0, any ? dot : path.size()) + std::string(format.extension);
}

}  // namespace consort
