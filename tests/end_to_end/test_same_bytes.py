"""Results are the same bytes however the work is split: the short form of tools/check/same-bytes."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tools"))

from check import common, corpus, splits  # noqa: E402
from check.check_same_bytes import hop_of_370_ms  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def same_program(consort):
    common.CONSORT = consort


@pytest.fixture(scope="module")
def mixed_files():
    """40 files of 27 kinds, an MP3 of five minutes and shorter long ones, and damaged ones."""
    return corpus.corpus("corpus-short", 40, (60, 300, 60, 60, 0, 30), damaged_seconds=10)


@pytest.fixture(scope="module")
def alone(cnn14_quarter, mixed_files):
    """What one worker with one engine makes of them."""
    outcome = splits.run(cnn14_quarter, [mixed_files], (1, 1))
    assert outcome.lines > 200
    # Bad files are bad in every split, and have the same words in each.
    assert {"not_found", "empty", "not_audio", "not_finite", "truncated", "decode"} <= set(outcome.errors)
    return outcome


def assert_same(one, other):
    assert other.sha256 == one.sha256, splits.first_difference(one, other)


@pytest.mark.parametrize("split", [(2, 1), (1, 2), (3, 2)])
def test_the_split_changes_no_byte(alone, cnn14_quarter, mixed_files, split):
    assert_same(alone, splits.run(cnn14_quarter, [mixed_files], split))


def test_kills_change_no_byte(alone, cnn14_quarter, mixed_files):
    other = splits.run(cnn14_quarter, [mixed_files], (2, 2), kills=5, every_seconds=alone.seconds / 12)
    assert other.kills > 0
    assert_same(alone, other)


def test_the_split_changes_no_byte_where_segments_overlap_and_begin_between_samples():
    files = corpus.corpus("corpus-overlapping", 27, (0, 100, 20, 20, 0, 20), damaged_seconds=6)
    bundle = common.variant("cnn14-quarter", hop_of_370_ms, "overlapping")
    one = splits.run(bundle, [files], (1, 1))
    assert one.lines > 500
    assert_same(one, splits.run(bundle, [files], (3, 2)))
