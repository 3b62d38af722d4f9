#include "worker/read/decoder.h"

#include <utility>
#include <vector>

#include "worker/read/regular_file.h"

namespace consort {

ContentEnd DecodeToEnd(Decoder& decoder) {
  constexpr int64_t kStep = 4096;
  ContentEnd end{0, ErrorCode::kTruncated, decoder.cut_words()};
  std::vector<float> heard;
  const auto unread = [&decoder] {
    const int error = decoder.io_errno();
    return error != 0 ? ContentEnd{0, ErrorCode::kIo, "could not read: " + ErrnoWords(error)}
                      : ContentEnd{0, ErrorCode::kUnreadable, "its decoder could not start again"};
  };
  if (!decoder.Restart()) return unread();
  const auto width = static_cast<size_t>(decoder.width());
  heard.resize(kStep * width);
  int64_t got = 0;
  while ((got = decoder.Read(heard)) == kStep && !decoder.damaged()) end.sample += kStep;
  if (decoder.damaged()) {
    // Again up to this step, then by single samples: the call that meets the damage reports it.
    if (!decoder.Restart()) return unread();
    for (int64_t at = 0; at < end.sample; at += kStep) decoder.Read(heard);
    while (decoder.Read({heard.data(), width}) == 1 && !decoder.damaged()) ++end.sample;
  } else {
    end.sample += got;
  }
  if (decoder.io_errno() != 0) {
    end.code = ErrorCode::kIo;
    end.message = "could not read: " + ErrnoWords(decoder.io_errno());
  } else if (decoder.damaged() && !decoder.at_end_of_bytes()) {
    end.code = ErrorCode::kDecode;
    end.message = kDamagedWords;
  }
  return end;
}

}  // namespace consort
