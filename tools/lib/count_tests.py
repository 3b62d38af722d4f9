"""Counts what test runners reported, and says it in one place.

    count_tests.py [--failed NAME]... [SUITE=REPORT.xml]...

REPORT is JUnit's XML, as `ctest --output-junit` and `pytest --junitxml` write it. A report that is
missing, unreadable or empty counts as one failed test: a suite that died early must not look like
a good one. `--failed NAME` counts one failure of a step that has no report, such as a build.

Prints a line for each suite, the names of failed tests, how many were skipped, and, last,
`N passed, N failed`. Exit status 0 only if something passed and nothing failed.
"""

import argparse
import sys
import xml.etree.ElementTree as ElementTree


class Suite:
    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.failed = []   # names
        self.skipped = []  # names

    def fail(self, what):
        self.failed.append(f"{self.name}: {what}")


def was_skipped(case):
    """A skip that was asked for. CTest also says "skipped" for a program it could not find."""
    if case.get("status") == "disabled":
        return True
    skip = case.find("skipped")
    if skip is None:
        return False
    return case.get("status") != "notrun" or skip.get("message", "").startswith("SKIP_")


def passed(case):
    return (case.find("failure") is None and case.find("error") is None
            and case.find("skipped") is None and case.get("status", "run") == "run")


def full_name(case):
    group, name = case.get("classname", ""), case.get("name", "?")
    # CTest repeats the test's name as its class.
    return name if group in ("", name) else f"{group}.{name}"


def read_suite(name, path, may_be_empty):
    suite = Suite(name)
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        suite.fail(f"left no report ({error})")
        return suite
    for case in cases:
        if was_skipped(case):
            suite.skipped.append(f"{name}: {full_name(case)}")
        elif passed(case):
            suite.passed += 1
        else:
            suite.fail(full_name(case))
    if not cases and not may_be_empty:
        suite.fail("ran no test")
    return suite


def main():
    parser = argparse.ArgumentParser(description="Counts tests in JUnit reports.")
    parser.add_argument("--failed", action="append", default=[], metavar="NAME",
                        help="a step that failed and has no report")
    parser.add_argument("--may-be-empty", action="store_true",
                        help="a suite without tests is no failure (tests were picked by name)")
    parser.add_argument("reports", nargs="*", metavar="SUITE=REPORT.xml")
    options = parser.parse_args()

    suites = [read_suite(*report.split("=", 1), options.may_be_empty) for report in options.reports]
    for name in options.failed:
        suite = Suite(name)
        suite.fail("did not end well")
        suites.append(suite)

    width = max([len(suite.name) for suite in suites], default=0)
    for suite in suites:
        print(f"{suite.name:<{width}}  {suite.passed:>5} passed {len(suite.failed):>4} failed "
              f"{len(suite.skipped):>4} skipped")
    for suite in suites:
        for name in suite.failed:
            print(f"FAILED  {name}")
    skipped = [name for suite in suites for name in suite.skipped]
    if skipped:
        print(f"skipped {len(skipped)}: {'; '.join(skipped[:10])}{'; …' if len(skipped) > 10 else ''}")
    passed_count = sum(suite.passed for suite in suites)
    failed_count = sum(len(suite.failed) for suite in suites)
    print(f"{passed_count} passed, {failed_count} failed")
    return 0 if passed_count and not failed_count else 1


if __name__ == "__main__":
    sys.exit(main())
