#include "worker/read/ffmpeg_library.h"

#include <dlfcn.h>

#include <array>

namespace consort {
namespace {

#define CONSORT_TEXT_OF(number) #number
#define CONSORT_TEXT(number) CONSORT_TEXT_OF(number)
// The versions whose headers this was compiled with: structs are laid out so in these alone.
constexpr std::array kNames = {
    "libavutil.so." CONSORT_TEXT(LIBAVUTIL_VERSION_MAJOR),
    "libavcodec.so." CONSORT_TEXT(LIBAVCODEC_VERSION_MAJOR),
    "libavformat.so." CONSORT_TEXT(LIBAVFORMAT_VERSION_MAJOR),
};

// A crafted header may claim anything. The index of a recording of a day is some 100 MB.
constexpr size_t kMostBytesAtOnce = size_t{512} << 20;

struct Loaded {
  FfmpegLibrary functions;
  bool good = false;
  std::string why;
};

void SayNothing(void*, int, const char*, va_list) {}

Loaded Load() {
  Loaded loaded;
  std::array<void*, kNames.size()> libraries{};
  const auto failed = [&loaded] {
    const char* words = dlerror();
    loaded.why = words != nullptr ? words : "not found";
    return loaded;
  };
  for (size_t i = 0; i < kNames.size(); ++i) {
    libraries[i] = dlopen(kNames[i], RTLD_LAZY | RTLD_LOCAL);
    if (libraries[i] == nullptr) return failed();
  }
  const auto find = [&libraries](const char* name) {
    void* found = nullptr;
    for (void* library : libraries) {
      if (found == nullptr) found = dlsym(library, name);
    }
    return found;
  };
#define CONSORT_FFMPEG_FIND(name)                                                         \
  loaded.functions.name = reinterpret_cast<decltype(loaded.functions.name)>(find(#name)); \
  if (loaded.functions.name == nullptr) return failed();
  CONSORT_FFMPEG_FUNCTIONS(CONSORT_FFMPEG_FIND)
#undef CONSORT_FFMPEG_FIND
  loaded.functions.av_log_set_callback(SayNothing);
  loaded.functions.av_max_alloc(kMostBytesAtOnce);
  loaded.good = true;
  return loaded;
}

}  // namespace

const FfmpegLibrary* LoadFfmpeg(std::string* why) {
  static const Loaded loaded = Load();
  if (why != nullptr) *why = loaded.why;
  return loaded.good ? &loaded.functions : nullptr;
}

}  // namespace consort
