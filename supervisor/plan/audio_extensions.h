// Extensions, in lower case and in order, of files that are taken for sound when named on the
// command line or found in a folder. Inside a list any name will do.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace consort {

inline constexpr std::array<std::string_view, 65> kAudioExtensions = {
    "3g2", "3gp",  "aac", "ac3",  "adts", "aif",  "aifc", "aiff", "alac",  "amr",  "ape",
    "asf", "au",   "avi", "awb",  "bwf",  "caf",  "dsf",  "dts",  "dtshd", "eac3", "f4a",
    "f4v", "flac", "flv", "gsm",  "m2t",  "m2ts", "m4a",  "m4b",  "m4v",   "mka",  "mkv",
    "mlp", "mov",  "mp1", "mp2",  "mp3",  "mp4",  "mpc",  "mpeg", "mpg",   "mts",  "nist",
    "oga", "ogg",  "ogv", "opus", "ra",   "rf64", "rm",   "snd",  "sph",   "spx",  "tak",
    "thd", "tta",  "vob", "voc",  "w64",  "wav",  "webm", "wma",  "wmv",   "wv"};

static_assert(std::ranges::is_sorted(kAudioExtensions));

}  // namespace consort
