/* Hand-out-again after a death: a supervisor, one slot, and the workers that live in it one after
   the other. A worker may die between any two of its steps, be slow until it is taken for hung and
   killed, or lie; DEATHS times in all. Tasks hold up to TASK_SEGMENTS segments, results are one
   segment each, every channel lives exactly one worker life, and both sides sleep and wake by the
   ring's flags (sequentially consistent here; weaker orders are tests/model/relacy's business).
   There is no timeout in any wait: a lost wake-up is a deadlock.

   Checked in every state:
   - every segment is counted exactly once, and what an honest worker published is never done again;
   - a record that is visible is whole; an honest worker is never taken for a liar;
   - everybody ends: no invalid end state, and with -DNP no cycle at all.

   Each MUTANT_ macro plants one mistake; tests/model/run sees that each is found. */

#ifndef SEGMENTS
#define SEGMENTS 4
#endif
#ifndef DEATHS
#define DEATHS 3
#endif
#ifndef LIES
#define LIES 0
#endif
#define TASK_SEGMENTS 2
#define WORKERS (DEATHS + 1)
#define CELLS 2

typedef Channel {
  /* task ring, supervisor -> worker; a record is a set of segments */
  byte task_cell[CELLS];
  byte task_tail;
  byte task_head;
  bit task_consumer_asleep;
  /* result ring, worker -> supervisor; a record is a segment's number + 1, 0 is "never written" */
  byte result_cell[CELLS];
  byte result_tail;
  byte result_head;
  bit result_consumer_asleep;
  bit result_producer_asleep;
};
Channel channel[WORKERS];

bit alive[WORKERS];
bit doomed[WORKERS]; /* SIGKILL sent; the kernel gets to it when it likes */
bit event;           /* the supervisor's eventfd */
byte deaths;         /* a lie counts as one: it ends in a death */
byte lies;

/* Ghosts: what really happened, not what anybody in the system knows. */
bit lied[WORKERS];
bit published[SEGMENTS];
byte count[SEGMENTS];

/* One step of worker w, before which it may die: of itself, or because it is doomed. */
#define STEP(action)                                          \
  atomic {                                                    \
    if                                                        \
    :: deaths < DEATHS -> deaths++; goto gone                 \
    :: doomed[w] -> goto gone                                 \
    :: action                                                 \
    fi                                                        \
  }

/* futex: sleeps while the flag is 1; clearing it is waking. */
#define PARK(flag)                                            \
  atomic {                                                    \
    if                                                        \
    :: deaths < DEATHS -> deaths++; goto gone                 \
    :: doomed[w] -> goto gone                                 \
    :: flag == 0                                              \
    fi                                                        \
  }

proctype Worker(byte w) {
  byte task_head, result_tail, seen, tasks, segment, record;
  bit asleep, lie;

  do
  :: /* take a task */
    do
    :: STEP(seen = channel[w].task_tail);
      if
      :: seen != task_head -> break
      :: else -> STEP(channel[w].task_consumer_asleep = 1);
#ifndef MUTANT_WORKER_DOES_NOT_LOOK_AGAIN
        STEP(seen = channel[w].task_tail);
#endif
        if
        :: seen == task_head -> PARK(channel[w].task_consumer_asleep) /* woken: it is 0 */
        :: else -> STEP(channel[w].task_consumer_asleep = 0)
        fi
      fi
    od;
    STEP(tasks = channel[w].task_cell[task_head % CELLS]);
    STEP(task_head++; channel[w].task_head = task_head);

    segment = 0;
    do
    :: segment == SEGMENTS -> break
    :: segment < SEGMENTS && (tasks & (1 << segment)) == 0 -> segment++
    :: segment < SEGMENTS && (tasks & (1 << segment)) != 0 ->
      /* wait for room for the result */
      do
      :: STEP(seen = channel[w].result_head);
        if
        :: result_tail - seen < CELLS -> break
        :: else -> STEP(channel[w].result_producer_asleep = 1);
          STEP(seen = channel[w].result_head);
          if
          :: result_tail - seen == CELLS -> PARK(channel[w].result_producer_asleep)
          :: else -> STEP(channel[w].result_producer_asleep = 0)
          fi
        fi
      od;
      /* the truth, or now and then anything */
      atomic {
        record = segment + 1;
        if
        :: true
        :: lies < LIES && deaths < DEATHS -> lies++; deaths++; lied[w] = 1; lie = 1;
          if
          :: record = 1
          :: record = 2
          :: record = SEGMENTS
          :: record = SEGMENTS + 1
          fi
        fi
      }
#ifdef MUTANT_PUBLISHES_BEFORE_WRITING
      result_tail++;
      STEP(channel[w].result_tail = result_tail);
      STEP(channel[w].result_cell[(result_tail - 1) % CELLS] = record);
#else
      STEP(channel[w].result_cell[result_tail % CELLS] = record);
      result_tail++;
#ifdef MUTANT_WAKES_BEFORE_PUBLISHING
      STEP(asleep = channel[w].result_consumer_asleep; channel[w].result_consumer_asleep = 0);
      if
      :: asleep -> STEP(event = 1; asleep = 0)
      :: else -> skip
      fi;
#endif
      STEP(
        channel[w].result_tail = result_tail;
        if
        :: !lied[w] -> assert(!published[segment]); published[segment] = 1
        :: else -> skip
        fi
      );
#endif
#ifndef MUTANT_WAKES_BEFORE_PUBLISHING
      STEP(asleep = channel[w].result_consumer_asleep; channel[w].result_consumer_asleep = 0);
      if
      :: asleep -> STEP(event = 1; asleep = 0)
      :: else -> skip
      fi;
#endif
      record = 0;
      if
      :: lie -> lie = 0 /* and then the true one */
      :: else -> segment++
      fi
    od
  od;
gone:
  /* SPIN keeps a finished process until younger ones are gone: do not tell its ends apart. */
  atomic { alive[w] = 0; task_head = 0; result_tail = 0; seen = 0; tasks = 0; segment = 0; record = 0; asleep = 0; lie = 0 }
}

active proctype Supervisor() {
  byte w, task_tail, result_head, seen, record, s, n, task, left = SEGMENTS;
  byte held = 0;                          /* segments with the worker, not counted */
  byte pending = (1 << SEGMENTS) - 1;     /* segments to hand out */
  bit liar, did, asleep;

  atomic { alive[0] = 1; run Worker(0) }
  do
  :: left == 0 -> break
  :: else -> did = 0;

    /* 1. a death noticed */
    if
    :: !alive[w] -> goto bury
    :: else -> skip
    fi;

    /* 2. results */
drain:
    do
    :: seen = channel[w].result_tail;
      if
      :: seen == result_head -> break
      :: else -> skip
      fi;
      record = channel[w].result_cell[result_head % CELLS];
      atomic {
        result_head++;
        channel[w].result_head = result_head;
        did = 1;
#ifdef MUTANT_COUNTS_WITHOUT_CHECKING
        if
        :: record >= 1 && record <= SEGMENTS ->
#else
        if
        :: record >= 1 && record <= SEGMENTS && (held & (1 << (record - 1))) != 0 ->
#endif
          s = record - 1;
          held = held & ~(1 << s);
          count[s]++;
          assert(count[s] == 1);
          left--
        :: else ->
          assert(lied[w]);
          liar = 1
        fi;
        s = 0;
        record = 0
      }
      if
      :: liar -> break
      :: else -> skip
      fi;
      atomic { asleep = channel[w].result_producer_asleep; channel[w].result_producer_asleep = 0; asleep = 0 }
    od;
    seen = 0;
    if
    :: n == 1 -> n = 0; goto drained /* called from bury */
    :: else -> skip
    fi;
    if
    :: left == 0 -> break
    :: liar -> doomed[w] = 1; goto bury
    :: else -> skip
    fi;

    /* 3. tasks */
    seen = channel[w].task_head;
    if
    :: pending != 0 && task_tail - seen < CELLS ->
      atomic {
        task = 0;
        s = 0;
        do
        :: s == SEGMENTS || n == TASK_SEGMENTS -> break
        :: s < SEGMENTS && n < TASK_SEGMENTS ->
          if
          :: (pending & (1 << s)) != 0 ->
            assert(!published[s]); /* what was published counts: never done again */
            task = task | (1 << s);
            n++
          :: else -> skip
          fi;
          s++
        od;
        pending = pending & ~task;
        held = held | task;
        n = 0;
        s = 0
      }
      channel[w].task_cell[task_tail % CELLS] = task;
      task = 0;
      task_tail++;
      channel[w].task_tail = task_tail;
      channel[w].task_consumer_asleep = 0; /* exchange and wake */
      did = 1
    :: else -> skip
    fi;
    seen = 0;

    /* 4. sleep on the eventfd and the worker's pidfd */
    if
    :: did -> skip
    :: else ->
      channel[w].result_consumer_asleep = 1;
#ifndef MUTANT_SUPERVISOR_DOES_NOT_LOOK_AGAIN
      seen = channel[w].result_tail;
#else
      seen = result_head;
#endif
      if
      :: seen != result_head -> skip
      :: else ->
        if
        :: atomic { event -> event = 0 }
#ifndef MUTANT_SLEEPS_THROUGH_DEATHS
        :: !alive[w] -> skip
#endif
        :: atomic { deaths < DEATHS -> deaths++; doomed[w] = 1 }; /* taken for hung */
          goto bury
        fi
      fi;
      channel[w].result_consumer_asleep = 0;
      seen = 0
    fi;
    goto next;

    /* The order at a death. Each step has its mutant. */
bury:
#ifdef MUTANT_DRAINS_BEFORE_REAPING
    n = 1;
    goto drain;
drained:
    !alive[w];
#else
#ifndef MUTANT_DOES_NOT_REAP
    !alive[w]; /* waitid: whatever it was about to do, it has done or never will */
#endif
#ifndef MUTANT_DOES_NOT_DRAIN
    if
    :: !liar -> n = 1; goto drain
    :: else -> skip
    fi;
#endif
drained:
    skip;
#endif
    atomic {
#ifndef MUTANT_FORGETS_WHAT_WAS_HELD
      pending = pending | held;
#endif
      held = 0;
      liar = 0;
      task_tail = 0;
      result_head = 0;
      seen = 0;
      event = 0;
      /* The dead worker's memory is gone; so are its differences. */
      if
      :: !alive[w] ->
        channel[w].task_cell[0] = 0;
        channel[w].task_cell[1] = 0;
        channel[w].task_tail = 0;
        channel[w].task_head = 0;
        channel[w].task_consumer_asleep = 0;
        channel[w].result_cell[0] = 0;
        channel[w].result_cell[1] = 0;
        channel[w].result_tail = 0;
        channel[w].result_head = 0;
        channel[w].result_consumer_asleep = 0;
        channel[w].result_producer_asleep = 0;
        lied[w] = 0;
        doomed[w] = 0
      :: else -> skip
      fi
    }
    if
    :: left == 0 -> break
    :: else -> skip
    fi;
    atomic { w++; assert(w < WORKERS); alive[w] = 1; run Worker(w) }
next:
    skip
  od;

  /* The job's end: nobody is left behind. */
  doomed[w] = 1;
  !alive[w];
  for (s : 0 .. SEGMENTS - 1) {
    assert(count[s] == 1)
  }
}
