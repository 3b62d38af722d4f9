// FFmpeg's libraries, loaded when the first file needs them.
//
// Not linked: Debian's bring 130 libraries along, which would cost every worker, whatever its files
// are, 50 ms at its start and 5 MB of private memory, and with some of them code that runs in a
// template, which must stay single-threaded. They are loaded apart from the program's own names
// (RTLD_LOCAL), so that none of theirs takes the place of one of LibTorch's.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/dict.h>
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

#include <string>

namespace consort {

// NOLINTBEGIN: the names are FFmpeg's.
// clang-format off
#define CONSORT_FFMPEG_FUNCTIONS(X) \
  X(av_dict_free) \
  X(av_dict_set) \
  X(av_frame_alloc) \
  X(av_frame_free) \
  X(av_frame_unref) \
  X(av_free) \
  X(av_get_audio_frame_duration2) \
  X(av_log_set_callback) \
  X(av_malloc) \
  X(av_max_alloc) \
  X(av_packet_alloc) \
  X(av_packet_free) \
  X(av_packet_get_side_data) \
  X(av_packet_unref) \
  X(av_parser_close) \
  X(av_parser_init) \
  X(av_parser_parse2) \
  X(av_read_frame) \
  X(av_seek_frame) \
  X(avcodec_alloc_context3) \
  X(avcodec_find_decoder) \
  X(avcodec_free_context) \
  X(avcodec_get_name) \
  X(avcodec_open2) \
  X(avcodec_parameters_to_context) \
  X(avcodec_receive_frame) \
  X(avcodec_send_packet) \
  X(avformat_alloc_context) \
  X(avformat_close_input) \
  X(avformat_find_stream_info) \
  X(avformat_index_get_entries_count) \
  X(avformat_open_input) \
  X(avio_alloc_context) \
  X(avio_context_free)
// clang-format on

struct FfmpegLibrary {
#define CONSORT_FFMPEG_MEMBER(name) decltype(&::name) name = nullptr;
  CONSORT_FFMPEG_FUNCTIONS(CONSORT_FFMPEG_MEMBER)
#undef CONSORT_FFMPEG_MEMBER
};
// NOLINTEND

// The functions, silent and with a bound on what one allocation may take. Null if they are not
// there: `why` says what the loader said. Any thread; the first call takes 50 ms.
const FfmpegLibrary* LoadFfmpeg(std::string* why = nullptr);

}  // namespace consort
