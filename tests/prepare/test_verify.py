"""--verify: what it measures, of two models that are told apart."""

import math

import numpy as np
import pytest
import soundfile
import torch

from conftest import MANIFEST
from consort_prepare import verify
from consort_prepare.errors import PrepareError


def manifest(activation="none"):
    return {**MANIFEST, "audio": {**MANIFEST["audio"], "normalize": "none"}, "stateful": False, "output": {**MANIFEST["output"], "activation": activation}}


@pytest.fixture
def sounds(tmp_path):
    """5 segments of 500 samples in two files; each sample of segment n is n / 10."""
    steps = np.repeat(np.arange(5, dtype=np.float32) / 10, 500)
    soundfile.write(tmp_path / "a.wav", steps[:1500], 1000, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", steps[1500:], 1000, subtype="FLOAT")
    return [str(tmp_path)]


def test_worst_and_mean_difference_and_equal_top_tags(sounds):
    original = lambda x: torch.tensor([[0.15, 0.0, 0.0]])
    ours = lambda x: torch.tensor([[0.15, x[0, 0].item(), 0.0]])  # the top of the last three segments
    found = verify.compare(lambda: (original, ours), manifest(), sounds, "0" * 64)
    assert found["segments"] == 5 and found["files"] == 2
    assert found["worst_difference"] == pytest.approx(0.4, abs=1e-6)
    assert found["mean_difference"] == pytest.approx((0 + 0.1 + 0.2 + 0.3 + 0.4) / 15, abs=1e-6)
    assert found["top_tag_equal"] == pytest.approx(2 / 5)
    assert verify.words(found, manifest()) == "verify: 5 segments of 2 files: worst difference 0.4, top tag equal in 40.00 %, mean difference 0.067"


def test_the_difference_is_of_scores_after_the_activation(sounds):
    original, ours = lambda x: torch.tensor([[0.0, 20.0]]), lambda x: torch.tensor([[0.0, 40.0]])
    found = verify.compare(lambda: (original, ours), manifest("sigmoid"), sounds, "")
    assert found["worst_difference"] < 1e-6
    ours = lambda x: torch.tensor([[math.log(3), 20.0]])
    assert verify.compare(lambda: (original, ours), manifest("sigmoid"), sounds, "")["worst_difference"] == pytest.approx(0.25, abs=1e-6)


def test_a_score_that_is_not_finite_on_one_side_alone_is_no_agreement(sounds):
    nan, one = torch.tensor([[float("nan"), 1.0]]), torch.tensor([[1.0, 1.0]])
    for pair in ((lambda x: one, lambda x: nan), (lambda x: nan, lambda x: one)):
        with pytest.raises(PrepareError, match="gives NaN or infinity, and the other does not"):
            verify.compare(lambda: pair, manifest(), sounds, "")
    assert verify.compare(lambda: (lambda x: nan, lambda x: nan), manifest(), sounds, "")["worst_difference"] == 0


def test_answers_in_frames_are_compared_frame_by_frame(sounds):
    heard = manifest("log_softmax")
    heard["output"] = {"kind": "ctc", "labels": "x", "activation": "log_softmax", "frame_seconds": 0.1}
    original = lambda x: torch.tensor([[[0.0, math.log(3)], [2.0, 0.0]]])
    ours = lambda x: torch.tensor([[[0.0, math.log(3)], [0.0, 2.0]]])
    found = verify.compare(lambda: (original, ours), heard, sounds, "")
    assert found["top_tag_equal"] == pytest.approx(1 / 2)
    assert found["worst_difference"] == pytest.approx(math.tanh(1), abs=1e-6), "of probabilities"
    assert "top token of a frame equal in 50.00 %" in verify.words(found, heard)


def test_an_original_that_gives_several_results_is_taken_by_its_first(sounds):
    found = verify.compare(lambda: (lambda x: (x[:, :3], x), lambda x: x[:, :3]), manifest(), sounds, "")
    assert found["worst_difference"] == 0


def test_another_number_of_scores_is_told(sounds):
    with pytest.raises(PrepareError, match="the bundle gives 2 scores for a segment, the model 3"):
        verify.compare(lambda: (lambda x: x[:, :3], lambda x: x[:, :2]), manifest(), sounds, "")


def test_the_hash_is_of_the_sounds_alone(sounds, tmp_path):
    before = verify.check_audio(sounds)
    assert verify.check_audio([str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]) == before
    soundfile.write(tmp_path / "b.wav", np.zeros(10, np.float32), 1000)
    assert verify.check_audio(sounds) != before


def test_a_stateful_pair_begins_anew_with_each_file(sounds):
    def counting():
        calls = []

        def model(x):
            calls.append(x)
            return torch.tensor([[float(len(calls)), 0.0, 0.0]])
        return model

    heard = []

    def watched():
        model = counting()

        def watching(x):
            answer = model(x)
            heard.append(int(answer[0, 0]))
            return answer
        return watching

    found = verify.compare(lambda: (counting(), watched()), {**manifest(), "stateful": True}, sounds, "")
    assert found["worst_difference"] == 0 and heard == [1, 2, 3, 1, 2]
