"""Do two reports of `consort compare` agree within their own spread?

Two estimates agree if the difference of their logarithms is within the root of the sum of their squared
95 % half intervals: equal machines do so nineteen times in twenty. Only points that both reports have
are looked at. Exit status 0 if the share that agrees is at least --least, 1 if not.
"""

import argparse
import json
import math
import sys

METRICS = ("per_second", "latency_mean_ms")


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        if found["consort_compare"] != 1:
            raise ValueError
        return {it["point"]: it["estimates"] for it in found["points"] if not it["kill"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"tools/check/compare-repeats: could not read \"{path}\": "
                 f"{error.strerror if isinstance(error, OSError) else 'it is not the data of a report of consort compare'}")


def compared(first, second, metric):
    """[(point, ratio of the second to the first, how far it may be from 1, agrees)]"""
    rows = []
    for point in sorted(first.keys() & second.keys()):
        a, b = first[point].get(metric), second[point].get(metric)
        if a and b:
            apart, allowed = math.log(b["mean"] / a["mean"]), math.hypot(a["half"], b["half"])
            rows.append((point, math.exp(apart), allowed, abs(apart) <= allowed))
    return rows


def main(argv=None):
    parser = argparse.ArgumentParser(prog="tools/check/compare-repeats", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs=2, metavar="REPORT.json")
    parser.add_argument("--least", type=float, default=0.95, metavar="SHARE", help="share of points that must agree   [0.95]")
    args = parser.parse_args(argv)
    first, second = map(read, args.reports)
    good = True
    for metric in METRICS:
        rows = compared(first, second, metric)
        if not rows:
            sys.exit("tools/check/compare-repeats: the reports have no point in common")
        for point, ratio, allowed, agrees in rows:
            if not agrees:
                print(f"{metric}: {point}: {ratio:.3f}, where ± {100 * allowed:.1f} % was to be expected")
        share = sum(it[3] for it in rows) / len(rows)
        good = good and share >= args.least
        print(f"{metric}: {sum(it[3] for it in rows)} of {len(rows)} points agree, {100 * share:.1f} %")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
