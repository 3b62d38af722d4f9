"""The mistakes that the checks must find, each with the check that has to find it.

A ring mutant is a change of shared/ring/ring.h's text: (name, check, [(old, new, times), ...]).
`check` is "relacy" or the unit test program that is built against the changed header. If the text
is not there exactly so many times, the run fails: the mutant has to be brought up to date.

A SPIN mutant is a MUTANT_ macro of spin/hand_out_again.pml.
"""

FENCE = "    Policy::FenceSeqCst();\n"
HOSTILE = "unit/ring_hostile_test.cc"
HONEST = "unit/ring_test.cc"


def fence(after):
    return [(after + FENCE, after, 1)]


RING = [
    # Orders.
    ("publishes tail relaxed", "relacy",
     [("StoreRelease(&control_->tail", "StoreRelaxed(&control_->tail", 1)]),
    ("loads tail relaxed", "relacy",
     [("LoadAcquire(&control_->tail", "LoadRelaxed(&control_->tail", 1)]),
    ("frees head relaxed", "relacy",
     [("StoreRelease(&control_->head", "StoreRelaxed(&control_->head", 1)]),
    ("loads head relaxed", "relacy",
     [("LoadAcquire(&control_->head", "LoadRelaxed(&control_->head", 1)]),
    # Sleep and wake.
    ("no fence before the consumer looks again", "relacy", fence(
        "    // ConsumerNeedsWake.\n")),
    ("no fence before the producer looks at the consumer's flag", "relacy", fence(
        "    // not there yet, sleeps; then our tail arrives and nobody is told.\n")),
    ("no fence before the producer looks again", "relacy", fence(
        "    // ProducerNeedsWake. Without it we may read the old head, the consumer the old flag.\n")),
    ("no fence before the consumer looks at the producer's flag", "relacy", fence(
        "  bool ProducerNeedsWake() {\n")),
    ("consumer does not look again", "relacy",
     [("    if (Empty()) return true;\n", "    return true;\n", 1)]),
    ("producer does not look again", "relacy",
     [("if (!HasRoom(words) && !corrupt_) return true;", "return true;", 1)]),
    ("consumer looks before it sets its flag", "relacy",
     [("    Policy::StoreRelaxed(&control_->consumer_asleep, 1u);\n",
       "    const bool empty = Empty();\n    Policy::StoreRelaxed(&control_->consumer_asleep, 1u);\n", 1),
      ("    if (Empty()) return true;\n", "    if (empty) return true;\n", 1)]),
    ("producer never looks at the consumer's flag", "relacy",
     [("    if (Policy::LoadRelaxed(&control_->consumer_asleep) == 0) return false;\n",
       "    return false;\n", 1)]),
    # Steps in the wrong order.
    ("publishes before the payload is written", "relacy",
     [("    cells_.CopyIn(tail_ + 1,",
       "    Policy::StoreRelease(&control_->tail, tail_ + words);\n    cells_.CopyIn(tail_ + 1,", 1)]),
    ("frees before the payload is copied out", "relacy",
     [("    cells_.CopyOut(head_ + 1,",
       "    Policy::StoreRelease(&control_->head, head_ + words);\n    cells_.CopyOut(head_ + 1,", 1)]),
    # Wrapping and room.
    ("wrap mask off", "relacy",
     [("return cells + (position & (capacity_words - 1))",
       "return cells + (position & capacity_words)", 1)]),
    ("second piece not written", "relacy",
     [("    if (bytes > first) Policy::CopyIn(cells, from + first, bytes - first);\n", "", 1)]),
    ("second piece not read", "relacy",
     [("    if (bytes > first) Policy::CopyOut(cells, to + first, bytes - first);\n", "", 1)]),
    ("payload runs past the end", "relacy",
     [("return bytes < bytes_to_end ? bytes : static_cast<uint32_t>(bytes_to_end);",
       "(void)bytes_to_end; return bytes;", 1)]),
    ("room for one word too many", "relacy",
     [("tail_ + words - head_seen_ <= cells_.capacity_words",
       "tail_ + words - head_seen_ <= cells_.capacity_words + 1", 2)]),
    ("room for one word too few", HONEST,
     [("tail_ + words - head_seen_ <= cells_.capacity_words",
       "tail_ + words - head_seen_ < cells_.capacity_words", 2)]),
    ("words not rounded up", "relacy",
     [("(uint64_t{bytes} + kRingWordBytes - 1) / kRingWordBytes",
       "uint64_t{bytes} / kRingWordBytes", 1)]),
    # Trust.
    ("length not checked against what is published", HOSTILE,
     [("words > tail_seen_ - head_ || length > capacity", "length > capacity", 1)]),
    ("length not checked against the buffer", HOSTILE,
     [("words > tail_seen_ - head_ || length > capacity", "words > tail_seen_ - head_", 1)]),
    ("tail not checked", HOSTILE,
     [("if (tail - head_ > cells_.capacity_words) {", "if (false) {", 1)]),
    ("head not checked", HOSTILE,
     [("if (head - head_seen_ > tail_ - head_seen_) {", "if (false) {", 1)]),
    ("head may go back", HOSTILE,
     [("if (head - head_seen_ > tail_ - head_seen_) {", "if (head > tail_) {", 1)]),
    ("consumer believes the shared head", HOSTILE,
     [("    head_ += words;\n", "    head_ = Policy::LoadAcquire(&control_->head) + words;\n", 1)]),
    ("producer believes the shared tail", HOSTILE,
     [("    tail_ += words;\n", "    tail_ = Policy::LoadAcquire(&control_->tail) + words;\n", 1)]),
    ("corruption is forgiven by the consumer", HOSTILE,
     [("      corrupt_ = true;\n      return Pop::kCorrupt;", "      return Pop::kCorrupt;", 1)]),
    ("room is made for a record longer than the ring", HONEST,
     [("    if (words > cells_.capacity_words) return Push::kTooLarge;\n", "", 1)]),
    ("publishes between header and payload", HOSTILE,  # a producer dead there leaves half a record
     [("    cells_.CopyIn(tail_ + 1,",
       "    Policy::StoreRelease(&control_->tail, tail_ + words);\n    cells_.CopyIn(tail_ + 1,", 1)]),
]

SPIN = [
    ("does not drain before handing out again", "DOES_NOT_DRAIN"),
    ("drains before it has reaped", "DRAINS_BEFORE_REAPING"),
    ("hands out again without reaping", "DOES_NOT_REAP"),
    ("counts without checking", "COUNTS_WITHOUT_CHECKING"),
    ("forgets what the dead worker held", "FORGETS_WHAT_WAS_HELD"),
    ("sleeps through deaths", "SLEEPS_THROUGH_DEATHS"),
    ("supervisor does not look again before it sleeps", "SUPERVISOR_DOES_NOT_LOOK_AGAIN"),
    ("worker does not look again before it sleeps", "WORKER_DOES_NOT_LOOK_AGAIN"),
    ("worker wakes before it publishes", "WAKES_BEFORE_PUBLISHING"),
    ("worker publishes before it writes", "PUBLISHES_BEFORE_WRITING"),
]
