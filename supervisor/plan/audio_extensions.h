// Extensions, in lower case and in order, of files that are taken for sound when named on the
// command line or found in a folder. Inside a list any name will do.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace consort {

inline constexpr std::array<std::string_view, 54> kAudioExtensions = {
    "3g2",  "3gp", "aac", "ac3",  "adts", "aif", "aifc", "aiff", "alac", "amr",  "ape",
    "asf",  "au",  "avi", "awb",  "caf",  "dsf", "dts",  "eac3", "flac", "flv",  "gsm",
    "m2ts", "m4a", "m4b", "m4v",  "mka",  "mkv", "mov",  "mp1",  "mp2",  "mp3",  "mp4",
    "mpeg", "mpg", "mts", "nist", "oga",  "ogg", "ogv",  "opus", "ra",   "rf64", "snd",
    "sph",  "spx", "tta", "vob",  "voc",  "w64", "wav",  "webm", "wma",  "wv"};

static_assert(std::ranges::is_sorted(kAudioExtensions));

}  // namespace consort
