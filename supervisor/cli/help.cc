#include "supervisor/cli/help.h"

namespace consort {

const char kMainHelp[] =
    R"(consort: run a PyTorch model over a list of audio files on every CPU of this machine

usage: consort COMMAND ...

commands:
  run             audio files in, one line of results for each segment out
  check           which files of a list can be read, and how much sound they are
  tune            the best split of processes and threads for a model on this machine
  compare         threads, processes or both on this machine: a report with figures
  models          models to begin with: what there is, and made
  status          what a job has done, and what failed
  export          the results of a job in other formats
  doctor          this machine, how a job would use it, and what to change

options:
  -h, --help      this text; "consort COMMAND --help" tells about a command
      --version   the version

A model bundle is a program: run only what you trust.
)";

const char kRunHelp[] = R"(consort run: audio files in, one line of results for each segment out

usage: consort run -m BUNDLE [options] (LIST | FILE | DIR | -)...

  LIST   any file whose extension is not that of audio or video: one path a line,
         relative to the list's folder
  FILE   an audio or video file, by its extension
  DIR    every such file below this folder, sorted by path
  -      a list on standard input, its paths relative to the current folder

what to do:
  -m, --model BUNDLE     folder made by consort-prepare (needed)
  -o, --output FILE      where results go; "-": standard output  [results.jsonl]
      --job DIR          what the job needs to go on         [FILE.job]
      --format LIST      once the job is done, its results in these formats, too: csv,
                         raven, audacity, rttm, ctm, srt, vtt; beside FILE, with its
                         last extension replaced
      --merge-detections in these formats: a tag of segments that follow each other is
                         one row, from the first's start to the last's end
      --restart          begin anew, also if the output exists
      --retry-failed     once a job is done: its failed files once more
      --mixed            go on with another CPU, LibTorch or --intra

which tags, in place of what the bundle says; part of the job:
      --top-k K          at most so many tags a segment
      --min-score X      with at least this score
      --thresholds FILE  labels with a least score of their own: label, tab, score
      --include-labels FILE
                         no other labels than these, one a line
      --exclude-labels FILE
                         all labels but these

how to split the work:
  -p, --processes N      worker processes, or "auto"             [auto]
  -t, --threads N        engine threads in each, or "auto"       [auto]
      --intra N          LibTorch threads in each engine, or "default":
                         as many as LibTorch takes by itself     [1]
      --attempts N       crashes before a segment is given up    [3]
      --segment-timeout S
                         seconds until a segment hangs; 0: never [60]
      --max-failures N   end once more than N files failed, exit status 1; N%: more
                         than that share of the files so far, from the 100th on
      --memory-limit SIZE
                         of all processes together: fewer workers, if need be
      --worker-memory-limit SIZE
                         of one worker: beyond it another takes its place
      --no-template      start workers by exec instead of fork, for debuggers

what to show, on standard error:
      --progress HOW     auto, bar, plain or none                [auto]
      --figures FILE     figures of this run as JSON, for programs
      --quiet            only warnings and how the job ended
  -v, --verbose          more, the more often it is given
  -h, --help             this text

A job that was stopped, killed or cut off goes on with the same command. What it has
done lies in its folder (--job); "consort status FILE" tells.

A SIZE is in units of 1024: 800M, 12G, 1.5GiB, 2T. Shared memory, such as the weights,
counts once. A control group's memory limit acts as a --memory-limit.

"auto" is what "consort tune" found for this model on this machine: with neither -p
nor -t its profile is used, as one line says. Without one, it is one process for each
physical core that this process may use, with one thread each; fewer where a memory
limit has no room for them. A job of minutes tries other numbers of processes, and
stays with the best. "consort doctor" tells what it is here, and why.

examples:
  consort run -m cnn14 recordings/           every file of a folder
  consort run -m cnn14 -o day.jsonl day.txt  a list of files
  find . -name '*.flac' | consort run -m cnn14 -o - - | gzip > out.jsonl.gz

exit status:
  0      all files are done
  1      the job could not be done
  2      the command line makes no sense
  3      done, but some files failed: each has a line with an "error" in the results
  128+n  ended by signal n (Ctrl-C: 130)

A model bundle is a program: run only what you trust.
)";

const char kCheckHelp[] =
    R"(consort check: which files of a list can be read, and how much sound they are

usage: consort check [-m BUNDLE] [options] (LIST | FILE | DIR | -)...

  LIST, FILE, DIR and - are as for "consort run". Every file is opened, by processes
  that may crash on it, and its end is looked at. Nothing is run on it.

  -m, --model BUNDLE     how many segments that is, and how long a run would take
      --failed FILE      a list of the files that would fail: one absolute path a line
      --json FILE        everything, a line for each file; "-": standard output, in
                         place of the report
  -p, --processes N      worker processes, or "auto": one a usable CPU  [auto]
      --progress HOW     auto, bar, plain or none                [auto]
      --quiet            only warnings and the report
  -h, --help             this text

Told on standard output: files that are fine and files that would fail, by error code
with the first of each, hours of sound, the shortest and the longest file, containers,
sample rates and channels.

What it cannot see: damage in the middle of a file, and samples that are not numbers;
only decoding everything shows that. What is decoded to its end all the same, which
takes as long as a run's reading: files whose length nothing else tells (a FLAC that
was written to a pipe; WMA, AMR, WavPack, Monkey's Audio and other formats that FFmpeg
reads in one pass; of M4A and AAC the packets are counted), and files whose end is not
where their header says.

exit status:
  0      all files are fine
  1      it could not be found out
  2      the command line makes no sense
  3      some files would fail
  128+n  ended by signal n (Ctrl-C: 130); what was seen so far is told
)";

const char kTuneHelp[] =
    R"(consort tune: the best split of processes and threads for a model on this machine

usage: consort tune -m BUNDLE [options] (LIST | FILE | DIR | -)...

  LIST, FILE, DIR and - are as for "consort run": a sample of these files is worked
  on, again and again, with one split after the other. Nothing of it is kept.

  -m, --model BUNDLE     folder made by consort-prepare (needed)
      --objective WHAT   what is best                            [throughput]
                         throughput: most segments a second
                         latency: least time of a segment (its 95th percentile); of
                           those that are equal in that, most segments a second
                         memory: least memory, of those with at least 0.9 of the most
                           segments a second
      --memory-limit SIZE
                         of all processes together: splits that take more are out
      --seconds S        for all of it                           [120]
      --json             what was found, for programs
      --progress HOW     auto, bar, plain or none                [auto]
      --quiet            only warnings and what was found
  -h, --help             this text

Told on standard output: the best split, how sure that is, what the next best would
cost, all that was tried, and the path of the profile, in which it is kept. "consort
run" takes its split from there when it is given neither -p nor -t. A profile is good
for this CPU, this number of usable CPUs, this bundle and this version of consort.

The machine should have nothing else to do meanwhile.

exit status:
  0      a profile was written
  1      none was: no split fits, or it could not be found out
  2      the command line makes no sense
  128+n  ended by signal n (Ctrl-C: 130); an older profile stays as it was
)";

const char kStatusHelp[] = R"(consort status: what a job has done, and what failed

usage: consort status [--json] DIR | RESULTS

  DIR      the folder of a job
  RESULTS  its results; the folder is then RESULTS.job

      --json   everything, for programs: one line of JSON
  -h, --help   this text
)";

const char kExportHelp[] = R"(consort export: the results of a job in other formats

usage: consort export --job DIR --format LIST [-o PATH] [--per-recording]

      --job DIR          folder of a job, or its results (needed)
      --format LIST      of those below, as in csv,srt (needed)
  -o, --output PATH      where it goes, if it is one; "-": standard output
                         [beside the results, with their last extension replaced]
      --per-recording    a file for each recording, in the new folder PATH, laid out
                         as the recordings are
      --merge-detections a tag of segments that follow each other is one row, from the
                         first's start to the last's end, with the highest score;
                         events and words stay as they are; not for jsonl
      --force            replace a file that is there
  -h, --help             this text

formats:
  jsonl      the lines of the results
  csv        a row for each tag, transcript and error
  raven      selection table of Raven Pro                        [.raven.txt]
  audacity   label track of Audacity                             [.audacity.txt]
  rttm       Rich Transcription Time Marked, SPEAKER lines
  ctm        time-marked words of NIST's tools
  srt, vtt   subtitles: SubRip, WebVTT

Of several tags of an interval, audacity, rttm, ctm, srt and vtt have the best one. A
job that is not finished is exported as far as it counts. docs/formats.md tells more.

exit status:
  0      exported
  1      it could not be
  2      the command line makes no sense
  128+n  ended by signal n; nothing was exported
)";

const char kDoctorHelp[] =
    R"(consort doctor: this machine, how a job would use it, and what to change

usage: consort doctor [-m BUNDLE] [--json]

  -m, --model BUNDLE     a folder made by consort-prepare: its memory counts, too
      --json             the same for programs
  -h, --help             this text

Told on standard output: what was found (CPUs, what affinity, cpuset and quota leave
of them, memory, frequency, other load, allocator, environment), the split that
"consort run" would choose and why, and each thing that costs speed with the command
that changes it. Nothing is changed by asking.

exit status:
  0      nothing was found that costs speed
  1      it could not be found out
  2      the command line makes no sense
  3      something costs speed
)";

}  // namespace consort
