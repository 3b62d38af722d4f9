"""Models that answer in frames: a score for each label, many times a segment."""

import numpy as np
import pytest
import soundfile
import torch

from conftest import MANIFEST, RATE, refused

FRAME = 50  # samples: ten a segment
CTC = {**MANIFEST, "output": {"kind": "ctc", "labels": "labels.txt", "frame_seconds": FRAME / RATE, "word_separator": ""}}


class Framed(torch.nn.Module):
    """Loudness and its opposite of each frame, and a weight: [1, frames, 3], or without the 1."""

    def __init__(self, batch_first: bool):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.batch_first = batch_first

    def forward(self, x):
        loud = x.reshape(-1, 10, 50).abs().mean(-1)
        rows = torch.stack([loud, -loud, self.weight.expand(loud.shape)], -1)
        return rows if self.batch_first else rows[0]


class AcrossFrames(torch.nn.Module):
    """[1, labels, frames]: the wrong way round."""

    def forward(self, x):
        return x.reshape(-1, 10, 50)[:, :, :3].transpose(1, 2).contiguous()


class TimeFirst(torch.nn.Module):
    """[frames, 1, labels], as recurrent networks have it."""

    def forward(self, x):
        return x.reshape(10, 1, 50)[:, :, :3].contiguous()


@pytest.mark.parametrize("batch_first", [True, False])
def test_frames_by_labels_are_prepared(workshop, batch_first):
    outcome = workshop.write(Framed(batch_first), CTC).prepare()
    assert outcome.status == 0, outcome.err
    assert workshop.prepared()["output_size"] == 30


def test_frames_are_compiled(workshop):
    sound = workshop.folder / "noise.wav"
    soundfile.write(sound, np.random.default_rng(1).normal(0, 0.1, 3 * RATE), RATE)
    workshop.backend = "aoti"
    outcome = workshop.write(Framed(False), CTC).prepare_by_itself("--fast", "--verify", sound)
    assert outcome.status == 0, outcome.err
    assert workshop.prepared()["backend"] == "aoti" and workshop.prepared()["output_size"] == 30
    assert "top token of a frame equal in 100.00 %" in outcome.out


def test_frames_that_are_not_rows_of_labels_are_refused(workshop):
    refused(workshop.write(AcrossFrames(), CTC).prepare(), "the model gives an answer of shape [1, 3, 10] for a segment, but there are 3 labels",
            "[1, frames, labels]")
    refused(workshop.write(Framed(True), CTC, labels="abcd").prepare(), "shape [1, 10, 3]", "4 labels")


def test_frames_in_the_place_of_the_batch_are_refused(workshop):
    refused(workshop.write(TimeFirst(), CTC).prepare(), "shape [10, 1, 3]", "transpose it: [1, frames, labels]")


def test_a_blank_that_is_no_label_is_refused(workshop):
    manifest = {**CTC, "output": {**CTC["output"], "blank": 3}}
    refused(workshop.write(Framed(True), manifest).prepare(), '"output.blank" is 3', "3 labels, counted from 0")


@pytest.mark.parametrize("times", [0.5, 2])
def test_frames_that_do_not_fill_the_segment_are_refused(workshop, times):
    manifest = {**CTC, "audio": {**CTC["audio"], "hop_seconds": CTC["audio"]["segment_seconds"]},
                "output": {**CTC["output"], "frame_seconds": times * FRAME / RATE}}
    refused(workshop.write(Framed(True), manifest).prepare(), "gives 10 frames for a segment of 0.5 s", '"output.frame_seconds": 0.05')


def test_a_separator_that_no_label_has_is_refused(workshop):
    manifest = {**CTC, "output": {**CTC["output"], "word_separator": "|"}}
    refused(workshop.write(Framed(True), manifest).prepare(), 'begins with "|", so no word would ever end', '"output.word_separator"')
