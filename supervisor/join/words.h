// Runs of tokens to words.
//
// A token that is the separator stands between two words; one that begins with it ("▁ab" where the
// separator is "▁", as SentencePiece has it) begins a new one. Without a separator each token is a
// word. A word begins with the first frame of its first token and ends behind the last one of its
// last; its score is the mean of its tokens' largest probabilities.
//
// A word that nothing ends does so by itself: what begins kLongestWordNs after it is another one.
// In a file with channels words of the others may wait behind it, too: where too many things do
// (channels_joiner.h), it ends where the frames end which are known. What is still to come of its
// last token is of no word, and the next token begins another one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/join/frame_joiner.h"

namespace consort {

class WordJoiner : public FrameJoiner {
 public:
  static constexpr int64_t kLongestWordNs = 60'000'000'000;

  // `labels`: the bundle's, for the joiners of all channels.
  WordJoiner(const Manifest& manifest, std::shared_ptr<const std::vector<std::string>> labels);

  size_t held() const override { return held_; }

 protected:
  void Forget() override;
  void Take(const SegmentRuns& told) override;
  void Close(bool at_file_end) override;
  uint64_t FirstOpen() const override;
  void EndOpenEarly() override;
  void AppendContent(std::string& line, uint64_t segment) override;
  void SaveOwn(std::string& out) const override;
  bool RestoreOwn(NumberText& text) override;

 private:
  struct OpenWord {
    uint64_t segment = 0;  // in which it begins
    int64_t start = 0;     // frame
    int64_t end = 0;       // one past its last frame so far
    std::string text;
    uint64_t tokens = 0;
    double sum = 0;  // of the scores of all tokens but the last
    float last = 0;  // the score of that
  };
  // The last token, as far as it came.
  struct OpenRun {
    uint32_t label = 0;
    int64_t end = 0;
    bool in_word = false;
  };
  struct Word {
    std::string text;
    int64_t start_ms = 0;
    int64_t end_ms = 0;
    float score = 0;
  };

  void Token(uint64_t segment, const FrameRun& run, int64_t start);
  void EndWord();

  const std::shared_ptr<const std::vector<std::string>> labels_;
  const std::string separator_;
  std::optional<OpenWord> word_;
  std::optional<OpenRun> run_;
  std::map<uint64_t, std::vector<Word>> done_;  // by segment; lines that wait
  size_t held_ = 0;                             // words in done_
};

}  // namespace consort
