"""tools/bench NAME... | all | list [--quick]

--quick: fewer rounds, smaller jobs; to see that it works, not to quote.
"""

import argparse
import importlib
import time

from benchmarks import common

# In the order in which `all` runs them. Each module has a docstring, whose first line `list`
# shows, and measure(quick).
NAMES = ("limit", "rings", "memory-of-a-list", "weights", "deaths")


def load(name):
    return importlib.import_module("benchmarks." + name.replace("-", "_"))


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", usage=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.names == ["list"]:
        for name in NAMES:
            print(f"{name:18}{load(name).__doc__.splitlines()[0]}")
        return
    names = NAMES if args.names == ["all"] else args.names
    for name in names:
        if name not in NAMES:
            parser.error(f'unknown benchmark "{name}"; known are {", ".join(NAMES)}, all')
    common.describe_machine()
    for name in names:
        began = time.monotonic()
        print(f"\n== {name}: {load(name).__doc__.splitlines()[0]}", flush=True)
        load(name).measure(args.quick)
        print(f"({time.monotonic() - began:.0f} s; again: tools/bench {name}{' --quick' if args.quick else ''})",
              flush=True)


if __name__ == "__main__":
    main()
