// From what segments say one by one to the lines of a file, where a thing may begin in one segment
// and end in another: words, events. Pure values; one thread.
//
// Everything that waits for its turn (in memory, in the scratch file, in the journal) waits as
// pieces, one line of text a segment (piece.h). Lines are made of them in order, so at the end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/bundle/manifest.h"

namespace consort {

class LineJoiner {
 public:
  // Gets one or more whole lines, some hundred kilobytes at most at once; its error ends the call.
  // Lines that waited for one event may be all of a file: they are never one text.
  using Sink = std::function<Status(std::string_view)>;

  virtual ~LineJoiner() = default;

  // Another file: nothing is known of it.
  virtual void Begin() = 0;
  // One or more whole pieces, in order. Puts out those lines that nothing can change any more: a
  // line is held back as long as a thing that begins in it has no end, and so are those behind it.
  virtual Status Add(std::string_view pieces, const Sink& put) = 0;
  // No piece follows: the lines that were held back, and then `tail`.
  virtual Status End(std::string_view tail, const Sink& put) = 0;

  // All that a later Add depends on, as text without a line feed; empty if nothing is known.
  virtual std::string Save() const = 0;
  virtual Status Restore(std::string_view saved) = 0;
};

// Null: each segment's piece is its line.
std::unique_ptr<LineJoiner> MakeLineJoiner(const Manifest& manifest,
                                           const std::vector<std::string>& labels);

}  // namespace consort
