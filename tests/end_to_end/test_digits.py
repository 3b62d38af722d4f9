"""digits: the network hears as far as it says, its decoder and its measure are right, and its training works in the
shortest form. How well the real one does, its training prints; docs/models.md has it."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in ("tools/models", "tools/prepare"):
    sys.path.insert(0, str(ROOT / folder))

import digits  # noqa: E402
from consort_prepare import frontend  # noqa: E402

HOP, CONTEXT = 200, 50  # frames of digits between segments, and on each side of a segment's own part


def test_a_frame_of_digits_is_the_same_in_each_segment_that_holds_it():
    """So what overlapping segments decode to is what the whole recording decodes to."""
    torch.manual_seed(1)
    model = digits.Recognizer().eval()
    sound = 0.1 * np.random.default_rng(2).standard_normal(22 * digits.RATE).astype(np.float32)
    long = frontend.Frontend({**digits.MANIFEST, "audio": {**digits.MANIFEST["audio"], "segment_seconds": 22.0, "hop_seconds": 22.0}})
    front, length = frontend.Frontend(digits.MANIFEST), int(digits.SEGMENT_SECONDS * digits.RATE)
    assert digits.MOST_CONTEXT_SECONDS <= CONTEXT * digits.FRAME_SECONDS
    with torch.inference_mode():
        whole = model(long(sound))[0]
        assert whole.shape == (1100, len(digits.TOKENS))
        for k in range(5):
            start = int(k * digits.HOP_SECONDS * digits.RATE)
            own = model(front(sound[start:start + length]))[0][CONTEXT:CONTEXT + HOP]
            assert torch.allclose(own, whole[k * HOP + CONTEXT:(k + 1) * HOP + CONTEXT], atol=1e-4)


@pytest.mark.parametrize("frames, words", [
    ("--oo-n-e--|-tt-w-o-", ["one", "two"]), ("thre-e", ["three"]), ("three", ["thre"]), ("", []), ("|-|", []), ("|six|", ["six"])])
def test_repeats_fall_together_and_blanks_fall_away(frames, words):
    tokens = [0 if letter == "-" else digits.TOKENS.index(letter) for letter in frames]
    assert digits.decoded(torch.nn.functional.one_hot(torch.tensor(tokens, dtype=torch.long), len(digits.TOKENS)).float()) == words


@pytest.mark.parametrize("said, heard, wrong", [
    ("one two", "one two", 0), ("one two", "two", 1), ("two", "one two", 1), ("one", "two", 1), ("", "one one", 2), ("one two six", "six two", 2)])
def test_words_put_in_left_out_or_taken_for_others_are_counted(said, heard, wrong):
    assert digits.edits(said.split(), heard.split()) == wrong


def test_it_is_trained(tmp_path):
    path = tmp_path / "digits.pt"
    done = subprocess.run([sys.executable, ROOT / "tools/models/digits.py", path, "--steps", "2", "--phrases", "8"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "word error rate on unheard voices in noise 10 dB below: " in done.stdout
    front = frontend.Frontend(digits.MANIFEST)
    assert torch.jit.load(str(path))(front(np.zeros(48000, np.float32))).shape == (1, 300, len(digits.TOKENS))
    assert (tmp_path / "digits.labels.txt").read_text().split() == digits.TOKENS
