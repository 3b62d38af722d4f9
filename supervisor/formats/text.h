// Pieces that several formats are made of: times, scores, and texts that their readers can take.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/formats/result_line.h"

namespace consort {

// "3.000": seconds with three decimals.
std::string Seconds(int64_t ms);
// "26:03:07,250": hours of two or more digits.
std::string ClockTime(int64_t ms, char decimal_point);
// "0.9312"; empty for a score that there is none of.
std::string ScoreText(const std::optional<double>& score);

// Valid UTF-8: a byte that is none becomes \xNN, as Python's "backslashreplace" has it.
std::string ValidUtf8(std::string_view bytes);
// The same on one line: a control character or line separator becomes a blank.
std::string OneLine(std::string_view bytes);
// The same without anything that separates fields: blanks of all kinds and `"` become `_`.
// "<NA>" if there is nothing.
std::string BlankFree(std::string_view bytes);

// Of a line's channel, which is 0 if it says nothing of channels. "2"; "1" if it does not: for
// formats whose rows must have one.
std::string ChannelNumber(int64_t channel);
// "Channel 2: " before a text, where there is no other place for it; else empty.
std::string ChannelWords(int64_t channel);

// What formats with one text an interval show of it.
struct Caption {
  int64_t start_ms = 0;
  int64_t end_ms = 0;
  std::string_view text;        // of the line: the transcript, or a label
  std::optional<double> score;  // of that label
};

// Of tags the best one, of a transcript its text; each of the events. A transcript lasts from its
// first word to its last, if it has words: segments may overlap. None where there is nothing to
// show: no label, no text, or an interval behind the file's end.
std::vector<Caption> CaptionsOf(const ResultLine& line);

}  // namespace consort
