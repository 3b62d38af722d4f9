#include "supervisor/join/words.h"

#include <algorithm>
#include <utility>

#include "supervisor/output/jsonl.h"

namespace consort {

WordJoiner::WordJoiner(const Manifest& manifest,
                       std::shared_ptr<const std::vector<std::string>> labels)
    : FrameJoiner(manifest),
      labels_(std::move(labels)),
      separator_(manifest.output.word_separator) {}

void WordJoiner::Forget() {
  word_.reset();
  run_.reset();
  done_.clear();
  held_ = 0;
}

void WordJoiner::Take(const SegmentRuns& told) {
  const int64_t first = next_frame();
  for (const FrameRun& run : told.runs) {
    const int64_t start = first + run.first;
    if (run_ && run_->end == start && run_->label == run.label) {  // the border is in its middle
      run_->end = start + run.count;
      if (run_->in_word) {
        word_->end = run_->end;
        word_->last = std::max(word_->last, run.score);
      }
    } else {
      Token(told.segment, run, start);
    }
  }
  const int64_t end = first + told.frames;
  if (run_ && run_->end != end) run_.reset();
  if (!word_ || (run_ && run_->in_word)) return;
  // Whatever follows belongs to another word: no need to wait for it.
  if (separator_.empty() || StartNs(end) - StartNs(word_->start) >= kLongestWordNs) EndWord();
}

void WordJoiner::Token(uint64_t segment, const FrameRun& run, int64_t start) {
  std::string_view text = (*labels_)[run.label];
  const bool separates = text.starts_with(separator_);  // always, if that is empty
  if (separates) {
    EndWord();
    text.remove_prefix(separator_.size());
  }
  run_ = {run.label, start + run.count, !text.empty()};
  if (text.empty()) return;
  if (word_ && StartNs(start) - StartNs(word_->start) >= kLongestWordNs) EndWord();
  if (!word_) word_ = OpenWord{segment, start, start, {}, 0, 0, 0};
  word_->text += text;
  word_->end = start + run.count;
  word_->sum += word_->last;
  word_->last = run.score;
  ++word_->tokens;
}

void WordJoiner::EndWord() {
  if (!word_) return;
  const double mean = (word_->sum + word_->last) / static_cast<double>(word_->tokens);
  done_[word_->segment].push_back({std::move(word_->text), ToMs(StartNs(word_->start)),
                                   ToMs(StartNs(word_->end)), static_cast<float>(mean)});
  ++held_;
  word_.reset();
}

void WordJoiner::EndOpenEarly() {
  EndWord();
  if (run_) run_->in_word = false;
}

void WordJoiner::Close(bool /*at_file_end*/) {
  EndWord();
  run_.reset();
}

uint64_t WordJoiner::FirstOpen() const { return word_ ? word_->segment : kNone; }

void WordJoiner::AppendContent(std::string& line, uint64_t segment) {
  const auto found = done_.extract(segment);
  static const std::vector<Word> kNoWords;
  const auto& words = found ? found.mapped() : kNoWords;
  held_ -= words.size();
  std::string text;
  std::string list;
  for (const Word& word : words) {
    const std::string escaped = JsonlFormatter::EscapeName(word.text);
    if (!text.empty()) text += ' ';
    text += escaped;
    if (!list.empty()) list += ',';
    list += "{\"word\":\"" + escaped + '"';
    AppendTimesAndScore(list, word.start_ms, word.end_ms, word.score);
  }
  line += ",\"text\":\"" + text + "\",\"words\":[" + list + ']';
}

void WordJoiner::SaveOwn(std::string& out) const {
  PutNumber(out, int{word_.has_value()});
  if (word_) {
    PutNumber(out, word_->segment);
    PutNumber(out, word_->start);
    PutNumber(out, word_->end);
    PutText(out, word_->text);
    PutNumber(out, word_->tokens);
    PutBits(out, word_->sum);
    PutBits(out, word_->last);
  }
  PutNumber(out, int{run_.has_value()});
  if (run_) {
    PutNumber(out, run_->label);
    PutNumber(out, run_->end);
    PutNumber(out, int{run_->in_word});
  }
  for (const auto& [segment, words] : done_) {
    for (const Word& word : words) {
      PutNumber(out, segment);
      PutText(out, word.text);
      PutNumber(out, word.start_ms);
      PutNumber(out, word.end_ms);
      PutBits(out, word.score);
    }
  }
}

bool WordJoiner::RestoreOwn(NumberText& text) {
  if (text.Get<int>() != 0) {
    OpenWord& word = *(word_ = OpenWord{});
    word.segment = text.Get<uint64_t>();
    word.start = text.Get<int64_t>();
    word.end = text.Get<int64_t>();
    word.text = text.GetText();
    word.tokens = text.Get<uint64_t>();
    word.sum = text.GetDouble();
    word.last = text.GetFloat();
    if (word.tokens == 0) return false;
  }
  if (text.Get<int>() != 0) {
    OpenRun& run = *(run_ = OpenRun{});
    run.label = text.Get<uint32_t>();
    run.end = text.Get<int64_t>();
    run.in_word = text.Get<int>() != 0;
    if (run.in_word && !word_) return false;
  }
  while (text.good() && !text.left().empty()) {
    auto& words = done_[text.Get<uint64_t>()];
    Word& word = words.emplace_back();
    ++held_;
    word.text = text.GetText();
    word.start_ms = text.Get<int64_t>();
    word.end_ms = text.Get<int64_t>();
    word.score = text.GetFloat();
  }
  return text.good();
}

}  // namespace consort
