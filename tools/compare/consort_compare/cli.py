"""The command line of `consort compare`. Exit statuses are consort's: 0, 1, 2, 128 + n."""

import argparse
import difflib
import json
import os
import re
import shlex
import sys
import time

from . import bundles as bundle_files
from . import measure, sounds
from .errors import CompareError, Interrupted
from .outputs import DATA_KEY, GENERATOR, Outputs
from .progress import Progress
from .scratch import Scratch
from .signals import Signals

DONE, FAILED, USAGE = 0, 1, 2
MOST_MINUTES = 24 * 60
MOST_COUNT = 9999  # as consort's

DESCRIPTION = """Threads, processes, or both? Measures on this machine, with your model, and writes one HTML
report with figures, and its data as JSON beside it.

  LIST   one path a line, relative to the list's folder
  FILE   an audio or video file
  DIR    every such file below it

Without an operand: a recording of 35 minutes, made by script. What is too short is repeated.
With several bundles of one model (-m cnn14 -m cnn14-torchscript) it compares backends, shows
LibTorch's thread pools at work (torchscript), and what packed weights add (aoti). Processes x
threads are compared with the first. For good figures let nothing else run meanwhile."""

EPILOG = """Every point is a real job of "consort run". Points are run in rounds, each in another random
order, so that a drift of the machine shows as a spread, and what the spread does not carry is not
claimed. Where the time does not suffice points are left out, and the report says which.

Ctrl-C: once two rounds are whole the report is made of them, else nothing is written; exit
status 130 either way.

exit status:
  0      the report is written
  1      it could not be made
  2      the command line makes no sense
  128+n  ended by signal n

A model bundle is a program: run only what you trust."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        message = re.sub(r"^argument [^:]*: (?=--)", "", message)  # ours name their option
        message = re.sub(r"^argument [^:]*(--[\w-]+): expected one argument$", r"\1 needs a value", message)
        self.exit(USAGE, f'consort: {message}\ntry "consort compare --help"\n')

    def parse(self, words):
        """Options and operands, mixed as they come. What is unknown is an error that says what was meant."""
        found, rest = self.parse_known_intermixed_args(words)
        unknown = next((it for it in rest if it.startswith("-")), None)
        if unknown is not None:
            self.error(f'unknown option "{unknown}"{self._did_you_mean(unknown)}')
        return found

    def _did_you_mean(self, word):
        known = [it for action in self._actions if action.help != argparse.SUPPRESS for it in action.option_strings]
        word = "--" + word.partition("=")[0].lstrip("-")
        near = difflib.get_close_matches(word, [it for it in known if it.startswith("--")], 1, 0.75)
        return f": did you mean {near[0]}?" if near else ""


class Once(argparse.Action):
    """An option with one value: another one would pass the first over, which is a slip more often than not."""

    def __call__(self, parser, namespace, value, option_string=None):
        given = vars(namespace).setdefault("given_once", set())
        if self.dest in given:
            raise argparse.ArgumentError(self, f"{self.option_strings[-1]} is given more than once, and takes one value")
        given.add(self.dest)
        setattr(namespace, self.dest, value)


def grid(text):
    """"1,2,4x1,8" → ((1, 2, 4), (1, 8))"""
    def numbers(part):
        found = part.split(",")
        if not all(it.isascii() and it.isdecimal() and 1 <= int(it) <= MOST_COUNT for it in found):
            raise argparse.ArgumentTypeError(f'--grid takes engine threads and intra-op threads, such as 1,2,4,8x1,4, not "{text}"')
        return tuple(sorted(set(map(int, found))))
    threads, _, intras = text.partition("x")
    return numbers(threads), numbers(intras)


def minutes(text):
    try:
        found = float(text)
    except ValueError:
        found = 0
    if not 0 < found <= MOST_MINUTES:
        raise argparse.ArgumentTypeError(f'--minutes takes a number above 0, up to {MOST_MINUTES}, not "{text}"')
    return found


def output(option):
    def path(text):
        if text == "-":
            raise argparse.ArgumentTypeError(f'{option} takes a file; standard output is not possible')
        return text
    return path


def parser():
    result = Parser(prog="consort compare", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
                    usage="consort compare -m BUNDLE [-m BUNDLE]... [options] [LIST | FILE | DIR]...",
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    add = result.add_argument
    add("--consort", required=True, help=argparse.SUPPRESS)  # the launcher's
    add("-m", "--model", metavar="BUNDLE", action="append", default=[], help="folder made by consort-prepare (needed)")
    add("--grid", action=Once, type=grid, metavar="TxI",
        help="engine threads x intra-op threads   [1,2,4,8,16 and up to twice the usable CPUs x 1,4,8,16]")
    add("--minutes", action=Once, type=minutes, default=5.0, metavar="M", help="all of it, report included   [5]")
    add("-o", "--output", action=Once, type=output("--output"), default="report.html", metavar="FILE", help="the report   [report.html]")
    add("--json", action=Once, type=output("--json"), metavar="FILE", help="its data   [the report's name with .json]")
    add("--quiet", action="store_true", help="no progress")
    add("operands", nargs="*", metavar="LIST | FILE | DIR", help=argparse.SUPPRESS)
    return result


def _json_path(args):
    path = args.json or os.path.splitext(args.output)[0] + ".json"
    if os.path.realpath(path) == os.path.realpath(args.output):
        raise CompareError(f'the report and its data would both be "{path}"', "name the data with --json")
    return path


def compare(args, progress, signals):
    """Returns the signal that came, or 0. Raises CompareError, Interrupted."""
    began = time.monotonic()
    measure.check(args.consort)
    found = bundle_files.read(args.model)
    roles = bundle_files.roles(found)
    glibc = roles.base.backend != "null" and os.access(os.path.join(os.path.dirname(args.consort), "consort-worker-glibc"), os.X_OK)
    outputs = scratch = measurer = None
    try:
        try:
            with signals.held():
                outputs = Outputs({args.output: GENERATOR, _json_path(args): DATA_KEY}, args.operands)
                scratch = Scratch()
            audio, told = _audio(args, scratch.path, progress)
            measurer = measure.Measurer(args.consort, audio, scratch.path, signals.held)
            from . import machine  # after what can be refused at once
            from .session import Session
            from .neighbours import Neighbours
            neighbours = Neighbours()
            session = Session(roles, measurer, time.monotonic, progress, args.minutes * 60 - (time.monotonic() - began), args.grid, glibc)
            outcome = session.run(signals.only_note)
            progress.at("writing the report")
            from . import report
            described = machine.describe(args.consort, roles, outcome.usable, neighbours.share())
            options = {"command": "consort compare " + shlex.join(args.typed), "minutes": args.minutes}
            page, kept = report.make(outcome, roles, described, told, options, glibc)
            outputs.write([page, json.dumps(kept, ensure_ascii=False, indent=1) + "\n"])
            progress.clear()
            if not args.quiet:
                print("\n".join(kept["words"]))
                print(f"report: {args.output}")
            return outcome.interrupted or signals.noted
        finally:
            signals.only_note()  # the clean-up is never broken off
    finally:
        if measurer is not None:
            measurer.end()
        if scratch is not None:
            scratch.take_away()
        if outputs is not None:
            outputs.give_up()


def _audio(args, folder, progress):
    """(Audio, what the report says of it)"""
    if "-" in args.operands:
        raise CompareError("a list on standard input cannot be read again and again", "give it as a file")
    if args.operands:
        return sounds.Audio(args.operands), {"words": " ".join(args.operands) + ", repeated as needed", "minutes": sounds.MINUTES}
    progress.at("making a recording")
    path = sounds.make_recording(os.path.join(folder, "recording.wav"))
    words = (f"one recording of {sounds.MINUTES} minutes made by script (noise, tones, speech-like bursts; "
             f"16-bit WAV, {sounds.RATE / 1000:g} kHz mono)")
    return sounds.Audio([path]), {"words": words, "minutes": sounds.MINUTES}


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    if sys.stdout is not None:
        sys.stdout.reconfigure(errors="backslashreplace")  # paths are bytes; standard error does so anyway
    args = parser().parse(argv)
    args.typed = _without_launchers(argv)
    if not args.model:
        parser().error("no model: name its bundle with -m")
    progress = Progress() if not args.quiet else _Silent()
    try:
        with Signals() as signals:
            number = compare(args, progress, signals)
        return 128 + number if number else DONE
    except Interrupted as interrupted:
        progress.clear()
        print("consort: stopped before there was something to report; nothing was written", file=sys.stderr)
        return 128 + interrupted.number
    except CompareError as error:
        line = error.sentence()
    except OSError as error:
        line = f"could not go on: {error}"
    except MemoryError:
        line = "out of memory"
    progress.clear()
    print(f"consort: {line}", file=sys.stderr)
    return FAILED


def _without_launchers(argv):
    return argv[2:] if argv[:1] == ["--consort"] else argv


class _Silent(Progress):
    def _write(self, text):
        pass
