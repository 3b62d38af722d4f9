"""Models with state: what their bundles remember from segment to segment is what the model does."""

import json
import textwrap

import pytest
import torch

import small_models
from conftest import MANIFEST, refused

STATEFUL = {**MANIFEST, "stateful": True}
PYTHON = textwrap.dedent("""
    import torch

    class Remembering(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(1)
            self.cell = torch.nn.GRUCell(500, 64)
            self.last = torch.nn.Linear(64, 3)
            self.register_buffer("hidden", torch.zeros(1, 64))
            self.register_buffer("heard", torch.zeros(1))

        def forward(self, x):
            self.hidden.copy_(self.cell(x, self.hidden))
            self.heard += 1
            return self.last(self.hidden) + self.heard

    def make():
        return Remembering()
""")


def answers(model, inputs):
    with torch.inference_mode():
        return [model(x).reshape(-1).clone() for x in inputs]


def test_a_torchscript_file_remembers_as_the_model_does(workshop, noise):
    workshop.write(small_models.Remembering(), manifest=STATEFUL)
    assert workshop.prepare().status == 0
    for expected, got in workshop.answers(noise + noise):
        assert torch.equal(expected.reshape(-1), got.reshape(-1))


@pytest.mark.parametrize("make", [small_models.SharedState, small_models.SharedBuffer, small_models.SharedBuffers])
def test_state_in_memory_that_two_attributes_share_is_refused(workshop, make):
    workshop.write(make(), manifest=STATEFUL)
    refused(workshop.prepare(), '"h"', '"state"', "which share memory", "clone() one of them")


def test_attributes_that_share_memory_to_no_effect_are_taken(workshop, noise):
    workshop.write(small_models.Parts(), manifest=STATEFUL)
    outcome = workshop.prepare()
    assert outcome.status == 0, outcome.err
    for expected, got in workshop.answers(noise + noise):
        assert torch.equal(expected, got)


def test_shared_memory_that_is_written_anew_for_each_segment_is_taken_without_state(workshop, noise):
    workshop.write(small_models.Overwriting())
    outcome = workshop.prepare()
    assert outcome.status == 0, outcome.err
    for expected, got in workshop.answers(noise + noise):
        assert torch.equal(expected, got)


@pytest.mark.parametrize("options, named", [
    (("--batch", "4"), "--batch 4 is of no use"), (("--precision", "bf16"), "--precision bf16 would round"),
    (("--variant", "packed"), "--variant packed would freeze"),
])
def test_what_would_take_its_state_away_is_refused(workshop, options, named):
    workshop.backend = "auto"
    workshop.write(small_models.Remembering(), manifest=STATEFUL)
    refused(workshop.prepare(*options), '"stateful" is true', named)


def test_segments_that_overlap_are_refused(workshop):
    workshop.write(small_models.Remembering(), manifest={**STATEFUL, "audio": {**MANIFEST["audio"], "hop_seconds": 0.25}})
    refused(workshop.prepare(), '"stateful" is true, but "audio.hop_seconds" (0.25)')


def test_python_with_written_buffers_compiles_and_remembers(tmp_path, noise):
    import subprocess
    import sys
    from conftest import environment
    from consort_prepare import opening
    (tmp_path / "remembering.py").write_text(PYTHON)
    (tmp_path / "remembering.json").write_text(json.dumps(STATEFUL))
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    source = str(tmp_path / "remembering.py:make")
    done = subprocess.run([sys.executable, "-m", "consort_prepare", source, "-o", str(tmp_path / "bundle"), "--batch", "auto"],
                          capture_output=True, text=True, env={**environment(), "CONSORT_PREPARE_SECONDS": "0.1"}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    prepared = json.loads((tmp_path / "bundle/model.json").read_text())["prepared"]
    assert prepared["backend"] == "aoti" and prepared["batch"] == 1
    assert [variant["name"] for variant in prepared["variants"]] == ["unfrozen"]
    assert len(prepared["written_buffers"]) == 2
    from consort_prepare import program
    torch.set_num_threads(1)
    expected = answers(program.original(source), noise + noise)
    for _ in range(2):  # opened again, it begins anew
        got = answers(opening.open_bundle(str(tmp_path / "bundle"), prepared["written_buffers"]), noise + noise)
        for one, other in zip(expected, got):
            assert torch.allclose(one, other, atol=1e-4)
