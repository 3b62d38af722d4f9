"""What the model does is held against what its manifest says."""

import os

import pytest
import torch

import small_models
from conftest import LOG_MEL, MANIFEST, refused


def test_buffers_the_model_writes_to_are_named(workshop, noise):
    assert workshop.write(small_models.Counting()).prepare().status == 0
    assert workshop.prepared()["written_buffers"] == ["calls", "kept"]
    for expected, got in workshop.answers(noise):
        assert torch.equal(expected, got)


def test_what_is_stored_of_a_written_buffer_is_its_state_before_any_call(workshop):
    from consort_prepare.weights import map_weights
    assert workshop.write(small_models.Counting()).prepare().status == 0
    stored = map_weights(workshop.bundle + "/weights.bin", workshop.bundle + "/weights.json")
    assert stored["calls"].item() == 0 and stored["kept"].abs().max().item() == 0


def test_another_answer_to_the_same_segment_is_refused(workshop):
    workshop.write(small_models.Remembering())
    refused(workshop.prepare(), "another answer when the same segment comes again, so it keeps state", '"stateful": true')


@pytest.mark.parametrize("make", [small_models.Random, small_models.RandomInSilence])
@pytest.mark.parametrize("stateful", [False, True])
def test_random_numbers_are_refused_with_state_and_without(workshop, make, stateful):
    workshop.write(make(), manifest={**MANIFEST, "stateful": stateful})
    refused(workshop.prepare(), "the model draws random numbers", "eval()")


def test_a_model_that_says_it_is_stateful_may_remember(workshop):
    workshop.write(small_models.Remembering(), manifest={**MANIFEST, "stateful": True})
    assert workshop.prepare().status == 0
    assert workshop.prepared()["written_buffers"] == ["memory"]


def test_too_few_labels_name_both_numbers(workshop):
    workshop.write(small_models.Plain(scores=4))
    refused(workshop.prepare(), "gives 4 scores", "there are 3 labels")


def test_too_many_results_are_refused(workshop):
    workshop.write(small_models.TwoResults())
    refused(workshop.prepare(), "the model gives a tuple, not one tensor")


def test_an_input_of_another_shape_is_refused_with_the_shape(workshop):
    workshop.write(small_models.Plain(), manifest={**MANIFEST, "features": LOG_MEL})
    refused(workshop.prepare(), "does not take an input of shape [1, 1, 26, 8]", 'compare "audio" and "features"')


class ForGpu(torch.nn.Module):
    def forward(self, x):
        return x[:, :3] + torch.zeros(3, device="cuda:0")


def test_a_model_that_wants_a_gpu_is_told_as_one(workshop):
    refused(workshop.write(ForGpu()).prepare(), "it was made for a GPU; move it to the CPU before")


def test_of_an_error_with_the_dispatchers_table_the_line_above_it_is_told():
    from consort_prepare import checks
    error = RuntimeError("The following operation failed.\nRuntimeError: Could not run 'aten::add' with arguments from the 'Sparse' backend. "
                         "This could be because of much.\n\nCPU: registered at a.cpp:1\nCUDA: registered at b.cpp:2\n")
    assert checks._telling_line(error) == "RuntimeError: Could not run 'aten::add' with arguments from the 'Sparse' backend."
    assert checks._telling_line(RuntimeError("first\nlast\n")) == "last" and checks._telling_line(ValueError()) == "ValueError"


class Binding(torch.nn.Module):
    """Its buffer becomes another tensor with each call."""

    def __init__(self):
        super().__init__()
        self.register_buffer("memory", torch.zeros(3))

    def forward(self, x):
        self.memory = self.memory + x[0, :3]
        return self.memory * 1


@pytest.mark.parametrize("load", [Binding, None], ids=["Python", "TorchScript"])
def test_a_buffer_that_is_bound_anew_is_written_to(workshop, load):
    from consort_prepare import checks, manifest
    workshop.write(Binding(), manifest={**MANIFEST, "stateful": True})
    read = manifest.read_manifest(str(workshop.folder / "small.json"))
    assert checks.check_behaviour(load or (lambda: torch.jit.load(workshop.model)), read, "abc")[2] == ["memory"]


class WithoutCopy(small_models.Remembering):
    def __deepcopy__(self, _):
        raise RuntimeError("Only Tensors created explicitly by the user support the deepcopy protocol at the moment")


def behaviour_with_state(workshop, load):
    from consort_prepare import checks, manifest
    workshop.write_manifest({**MANIFEST, "stateful": True})
    return checks.check_behaviour(load, manifest.read_manifest(str(workshop.folder / "small.json")), "abc")


class Hooked(small_models.Plain):
    """Gives what a hook kept, as who takes an inner layer's result does."""

    def __init__(self):
        super().__init__()
        self.kept = {}
        self.identity = torch.nn.Identity()
        self.identity.register_forward_hook(lambda module, given, result: self.kept.update(it=result))

    def forward(self, x):
        self.identity(super().forward(x))
        return self.kept["it"]


def test_a_model_may_have_hooks_that_write_into_it(workshop):
    from consort_prepare import checks, manifest
    workshop.write_manifest(MANIFEST)
    assert checks.check_behaviour(Hooked, manifest.read_manifest(str(workshop.folder / "small.json")), "abc")[1] == 3


class Lazy(small_models.Plain):
    """Its buffers come with the first segment."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", None)

    def forward(self, x):
        if self.mask is None:
            self.mask = torch.ones(1)
            self.register_buffer("late", torch.ones(1))
        return super().forward(x) * self.mask * self.late


def test_buffers_that_come_with_the_first_segment_are_written_to(workshop):
    assert behaviour_with_state(workshop, Lazy)[2] == ["mask", "late"]


@pytest.mark.parametrize("make", [small_models.Remembering, WithoutCopy])
def test_state_of_a_model_that_is_made_once_is_not_taken_for_random_numbers(workshop, make):
    module = make()
    assert behaviour_with_state(workshop, lambda: module)[2] == ["memory"]
    assert (module.memory.abs().max() == 0) == (make is small_models.Remembering)  # the copy heard it all


def test_other_last_bits_of_what_has_no_copy_are_not_taken_for_random_numbers(workshop):
    def load():  # as where its weights are NumPy's, which begin anywhere in memory
        torch.manual_seed(1)
        module = WithoutCopy()
        module.last.weight.data *= 1 + 1e-6 * len(loaded)
        loaded.append(module)
        return module
    loaded = []
    assert behaviour_with_state(workshop, load)[2] == ["memory"] and len(loaded) == 3


def test_a_bundle_whose_buffer_is_bound_anew_remembers_as_the_model_does(workshop, noise):
    assert workshop.write(Binding(), manifest={**MANIFEST, "stateful": True}).prepare().status == 0
    assert workshop.prepared()["written_buffers"] == ["memory"]
    for expected, got in workshop.answers(noise + noise):
        assert torch.equal(expected, got)


def test_the_shape_and_the_size_are_recorded(workshop):
    assert workshop.write(small_models.Plain()).prepare().status == 0
    assert workshop.prepared()["input_shape"] == [1, 500] and workshop.prepared()["output_size"] == 3


def test_verify_prints_the_difference_over_every_segment(workshop):
    import numpy as np
    import soundfile
    sound = np.random.default_rng(1).normal(0, 0.1, 2750).astype(np.float32)
    soundfile.write(workshop.folder / "a.wav", sound, 1000)
    soundfile.write(workshop.folder / "b.flac", np.stack([sound, -sound], 1)[:1000], 2000)
    workshop.write(small_models.Plain())
    audio = [word for name in ("a.wav", "b.flac") for word in ("--verify", str(workshop.folder / name))]
    outcome = workshop.prepare(*audio)
    assert outcome.status == 0, outcome.err
    # 2750 samples make 6 segments of 500, 1000 samples at 2 kHz make one
    assert "7 segments of 2 files: worst difference 0, top tag equal in 100.00 %" in outcome.out
    assert workshop.prepared()["drift"]["segments"] == 7
    again = workshop.prepare(*audio)
    assert "up to date" in again.out and "7 segments" in again.out
    weights, before = os.path.join(workshop.bundle, "weights.bin"), workshop.prepared()
    file = os.stat(weights).st_ino
    other = workshop.prepare("--verify", workshop.folder / "b.flac")  # the bundle stays, and is verified again
    assert other.status == 0 and "up to date" in other.out and "1 segment of 1 file" in other.out, other.err
    assert os.stat(weights).st_ino == file and workshop.prepared() == {**before, "drift": workshop.prepared()["drift"]}
    assert workshop.prepared()["drift"]["segments"] == 1 and "up to date" in workshop.prepare().out and not workshop.left_beside()


def test_verify_with_something_that_is_no_sound_is_one_sentence(workshop):
    workshop.write(small_models.Plain())
    refused(workshop.prepare("--verify", workshop.folder / "labels.txt"), 'could not read "', "labels.txt")
    refused(workshop.prepare("--verify", workshop.folder / "nothing.wav"), 'could not open "', "nothing.wav")
