"""The scores of `consort run` against plain Python: the short form of tools/check/reference.

Every third of the demo's sounds, as they are (resampled) and made anew at the model's rate.
"""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tools"))

from check import common, corpus, scores  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def same_program(consort):
    common.CONSORT = consort


@pytest.mark.parametrize("model", ["silero", "cnn14-quarter"])
def test_scores_are_those_of_the_whole_file_and_of_each_segment_alone(model):
    compared = scores.compare(model, "as they are", common.demo_sounds()[::3])
    assert compared.resampled
    assert compared.broken() == []


@pytest.mark.parametrize("model,rate", [("silero", 16000), ("cnn14-quarter", 32000)])
def test_scores_are_those_of_python_where_nothing_is_resampled(model, rate):
    compared = scores.compare(model, "at its rate", corpus.at_rate(common.demo_sounds()[::3], rate))
    assert not compared.resampled
    assert compared.broken() == []


def test_a_bundle_prints_the_best_of_its_scores_rounded():
    segments, odd = scores.check_printing("cnn14-quarter", common.demo_sounds()[::6])
    assert segments > 30
    assert odd == []


def test_the_comparison_tells_another_model():
    """What is compared is not vacuous: the scores of a wrong bundle are found to be wrong."""
    def other_filters(manifest, labels):
        manifest["features"]["f_min"] = 60.0

    wrong = common.variant("cnn14-quarter", other_filters, "other-filters", magnified=True)
    broken = scores.compare("cnn14-quarter", "wrong", common.demo_sounds()[:3], wrong).broken()
    assert any("from the whole file" in line for line in broken)
    assert any("from each segment alone" in line for line in broken)
