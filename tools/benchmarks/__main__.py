"""tools/bench [NAME... | all | list] [--quick] [the options of that one NAME: tools/bench NAME --help]

Without a NAME: peers. --quick: fewer rounds, smaller jobs; to see that it works, not to quote.
"""

import argparse
import importlib
import sys
import time

from benchmarks import common

# In the order in which `all` runs them. Each module has a docstring, whose first line `list`
# shows, and measure(quick); one with options of its own has parser(), and measure(quick, options).
NAMES = ("limit", "front-end", "rings", "memory-of-a-list", "memory-of-a-recording", "weights", "deaths", "hanging-head",
         "slow-storage", "allocator", "codecs", "tune", "auto", "peers")


def load(name):
    return importlib.import_module("benchmarks." + name.replace("-", "_"))


def fail(text):
    print(f"tools/bench: {text}", file=sys.stderr)
    sys.exit(2)


def run(name, quick, words):
    module = load(name)
    if hasattr(module, "parser"):
        options = module.parser().parse_args(words)  # --help ends here
        measure = lambda: module.measure(quick, options)
    elif words:
        fail(f'unknown argument "{words[0]}" of {name}')
    else:
        measure = lambda: module.measure(quick)
    began = time.monotonic()
    print(f"\n== {name}: {module.__doc__.splitlines()[0]}", flush=True)
    measure()
    again = " ".join([name, *words, *(["--quick"] if quick else [])])
    print(f"({time.monotonic() - began:.0f} s; again: tools/bench {again})", flush=True)


def main():
    words = sys.argv[1:]
    names = []
    while words and not words[0].startswith("-"):
        names.append(words.pop(0))
    if not names and {"-h", "--help"} & set(words):
        print(f"usage: {__doc__}")
        return
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true")
    args, words = parser.parse_known_args(words)
    if names == ["list"]:
        for name in NAMES:
            print(f"{name:23}{load(name).__doc__.splitlines()[0]}")
        return
    names = NAMES if names == ["all"] else names or ["peers"]
    for name in names:
        if name not in NAMES:
            fail(f'unknown benchmark "{name}"; known are {", ".join(NAMES)}, all')
    if words and len(names) > 1:
        fail(f'"{words[0]}" belongs to one benchmark: name only that one')
    if not {"-h", "--help"} & set(words):
        common.describe_machine()
    for name in names:
        run(name, args.quick, words)


if __name__ == "__main__":
    main()
