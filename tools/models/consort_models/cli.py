"""The command line of `consort models`."""

import difflib
import os
import signal
import subprocess
import sys
import textwrap

from . import catalog

DONE, FAILED, USAGE = 0, 1, 2

HELP = """consort models: models to begin with

usage: consort models                        lists them
       consort models [--update] NAME...     makes those that are not made

      --update   made ones, too, where what they are made of has changed since;
                 a job that was begun with the old one does not go on with it
  -h, --help     this text

A model that is made is a bundle: build/bundles/NAME in consort's folder, for "consort run -m".
What its weights are, how well it does and how to change it is in docs/models.md.

exit status:
  0      listed, or all are made
  1      one could not be made
  2      the command line makes no sense
  128+n  stopped by signal n
"""


class UsageError(Exception):
    pass


class Stopped(BaseException):
    """By the signal of this number."""


def main(words=None):
    words = sys.argv[1:] if words is None else words
    try:
        if "-h" in words or "--help" in words:
            print(HELP, end="")
            return DONE
        update = "--update" in words
        chosen = [_named(word) for word in words if word != "--update"]
        if update and not chosen:
            raise UsageError("--update wants the name of a model")
        return _make(list(dict.fromkeys(chosen)), update) if chosen else _list()
    except UsageError as error:
        print(f'consort: {error}\ntry "consort models --help"', file=sys.stderr)
        return USAGE
    except (Stopped, KeyboardInterrupt) as stopped:
        print("consort: stopped", file=sys.stderr)
        return 128 + (stopped.args or (signal.SIGINT,))[0]
    except BrokenPipeError:  # the reader, e.g. head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _named(word):
    if word.startswith("-"):
        raise UsageError(f'unknown option "{word}"')
    for model in catalog.MODELS:
        if model.name == word:
            return model
    names = [model.name for model in catalog.MODELS]
    near = difflib.get_close_matches(word, names, 1)
    raise UsageError(f'unknown model "{word}": ' + (f"did you mean {near[0]}? " if near else "") + f"there are {', '.join(names)}")


def _list():
    width = max(len(model.name) for model in catalog.MODELS) + 2
    print('models to begin with; "consort models NAME" makes one\n')
    for model in catalog.MODELS:
        missing = model.missing()
        state = "made" if model.is_made() else f"not made, takes {model.time}"
        if missing and not model.is_made():
            state += f"; first: {missing[0].command}"
        print(f"{model.name:{width}}{model.does}")
        print(textwrap.indent(f"weights: {model.weights}\n{state}", " " * width))
    return DONE


def _make(models, update):
    wanted = [model for model in models if update or not model.is_made()]
    for model in wanted:  # before the first is begun
        for need in model.missing():
            print(f"consort: {model.name} needs the {need.kind} {need.name}, which is not there; run {need.command}", file=sys.stderr)
            return FAILED
    for model in models:
        if model not in wanted:
            print(f"consort: {model.name} is made and is left as it is", file=sys.stderr)
    for model in wanted:
        if _call([os.path.join(catalog.ROOT, "tools", "models", "make"), model.name]):
            print(f"consort: {model.name} was not made; what went wrong stands above", file=sys.stderr)
            return FAILED
    for model in models:
        print(f"consort run -m {os.path.relpath(model.bundle)} FILES")
    return DONE


def _call(words):
    """Its exit status. It has a session of its own: whatever stops us stops all that it has begun, and no one else does."""
    def stop(number, _):
        raise Stopped(number)
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
              if signal.getsignal(number) != signal.SIG_IGN}
    process = None
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
        return process.wait()
    except Stopped:
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)  # at SIGINT some would show where they were
            process.wait()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
