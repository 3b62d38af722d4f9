"""--post: a second model takes what the first gives, and the bundle has both as one."""

import os

import pytest
import torch

import small_models
from conftest import refused
from consort_prepare import bundle, opening, program as programs
from consort_prepare.given import WithPost

EXAMPLE = torch.randn(1, 500, generator=torch.Generator().manual_seed(3))
SOURCE = """
import torch
from torch import nn

class Decoding(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.weights = nn.Linear(3, 1)
    def forward(self, x):
        return torch.cat([x.amax(1, keepdim=True), self.weights(torch.softmax(x, 1))], 1)
"""


def save_post(folder, module, name="post.pt"):
    path = str(folder / name)
    torch.jit.save(torch.jit.script(module.eval()), path)
    return path


@pytest.fixture
def pair(workshop):
    """A workshop with a model of three scores, and the path of a post model that makes two of them."""
    torch.manual_seed(4)
    workshop.write(small_models.Normed(), labels=("largest", "mean"))
    return workshop, save_post(workshop.folder, small_models.Decoding())


def in_python(workshop, post):
    model, second = torch.jit.load(workshop.model), torch.jit.load(post)
    return lambda x: second(model(x))


def test_the_bundle_answers_bit_for_bit_as_both_do_in_python(pair, noise):
    workshop, post = pair
    outcome = workshop.prepare("--post", post)
    assert outcome.status == 0, outcome.err
    torch.set_num_threads(1)
    ours, both = opening.open_bundle(workshop.bundle), in_python(workshop, post)
    with torch.inference_mode():
        for one in noise:
            assert ours(one).shape == (1, 2) and torch.equal(ours(one), both(one))


def test_the_weights_of_both_lie_in_one_table(pair):
    workshop, post = pair
    assert workshop.prepare("--post", post).status == 0
    assert {"model.first.weight", "model.last.bias", "post.weights.weight", "post.weights.bias"} <= set(workshop.table())
    assert set(workshop.prepared()["files"]) == {"code.pt", "labels.txt", "weights.bin", "weights.json"}


def test_the_same_two_make_the_same_bytes(pair):
    workshop, post = pair
    assert workshop.prepare_by_itself("--post", post).status == 0
    first = workshop.prepared()["files"]
    workshop.bundle += "-again"
    assert workshop.prepare_by_itself("--post", post).status == 0
    assert workshop.prepared()["files"] == first


def test_the_post_model_is_part_of_what_makes_a_bundle_up_to_date(pair):
    workshop, post = pair
    assert workshop.prepare("--post", post).status == 0
    source = workshop.prepared()["source"]
    assert source["post"] == {"name": "post.pt", "sha256": bundle.file_sha256(post)}
    assert source["name"] == "small.pt" and source["sha256"] == bundle.file_sha256(workshop.model)
    assert "is up to date" in workshop.prepare("--post", post).out
    torch.manual_seed(6)
    save_post(workshop.folder, small_models.Decoding())
    assert "is up to date" not in workshop.prepare("--post", post).out
    assert workshop.prepared()["source"]["post"]["sha256"] == bundle.file_sha256(post)
    (workshop.folder / "labels.txt").write_text("a\nb\nc\n")
    assert "is up to date" not in workshop.prepare().out
    assert "post" not in workshop.prepared()["source"]


def test_the_schema_knows_it(pair):
    import jsonschema
    from consort_prepare import manifest
    workshop, post = pair
    assert workshop.prepare("--post", post).status == 0
    jsonschema.validate(bundle.read_model(workshop.bundle), manifest.load_schema())


def test_what_a_post_model_writes_to_is_private_to_each_engine(workshop):
    workshop.write(torch.nn.Identity(), labels=("a", "b", "c"))
    assert workshop.prepare("--post", save_post(workshop.folder, small_models.Counting())).status == 0
    assert set(workshop.prepared()["written_buffers"]) == {"post.calls", "post.kept"}


# ---- whose fault it is -----------------------------------------------------------------------

def test_a_post_model_for_other_scores_is_named_with_both_shapes(pair):
    workshop, _ = pair
    post = save_post(workshop.folder, small_models.Decoding(scores=5))
    refused(workshop.prepare("--post", post), 'the post model "post.pt" does not take what the model gives, a tensor of float32 of shape [1, 3]',
            "compare what the two were made for")
    assert not os.path.exists(workshop.bundle)


def test_a_model_that_hears_something_else_is_named(pair):
    workshop, post = pair
    workshop.write(torch.nn.Linear(7, 3))
    refused(workshop.prepare("--post", post), "the model does not take an input of shape [1, 500]")


def test_a_model_of_two_results_has_none_for_a_post_model(pair):
    workshop, post = pair
    workshop.write(small_models.TwoResults())
    refused(workshop.prepare("--post", post), "the model gives a tuple, and a post model takes one tensor")


def test_scores_that_are_not_the_labels_are_the_post_models(pair):
    workshop, post = pair
    (workshop.folder / "labels.txt").write_text("a\nb\nc\n")
    refused(workshop.prepare("--post", post), "the post model gives 2 scores for a segment, but there are 3 labels")


def test_two_results_of_a_post_model_are_one_too_many(pair):
    workshop, _ = pair
    refused(workshop.prepare("--post", save_post(workshop.folder, small_models.TwoDecodings())), "the post model gives a tuple, not one tensor")


@pytest.mark.parametrize("content, words", [(None, "no such file or directory"), (b"RIFF....", "is not a TorchScript file")])
def test_a_post_model_that_is_none_is_one_sentence(pair, content, words):
    workshop, post = pair
    os.remove(post)
    if content is not None:
        with open(post, "wb") as file:
            file.write(content)
    refused(workshop.prepare("--post", post), post, words)


# ---- for the compiler: tests/end_to_end/test_pitch.py compiles two into one --------------------

def exported(path, module, example):
    shapes = {"dynamic_shapes": ({0: torch.export.Dim("batch", min=1, max=8)},)}
    torch.export.save(torch.export.export(module.eval(), (example.repeat(2, 1),), **shapes), str(path))
    return str(path)


@pytest.mark.parametrize("model_kind", ["torchscript", "exported"])
@pytest.mark.parametrize("post_kind", ["torchscript", "exported", "python"])
def test_two_of_any_kind_become_one_program(tmp_path, model_kind, post_kind):
    torch.manual_seed(4)
    model, post = small_models.Normed(), small_models.Decoding()
    torch.manual_seed(5)
    post.weights = torch.nn.Linear(3, 1)
    with torch.no_grad():
        expected = post(model.eval()(EXAMPLE))
        scores = model(EXAMPLE)
    first = save_post(tmp_path, model, "model.pt") if model_kind == "torchscript" else exported(tmp_path / "model.pt2", model, EXAMPLE)
    if post_kind == "python":
        (tmp_path / "decoding.py").write_text(SOURCE)
        second = str(tmp_path / "decoding.py") + ":Decoding"
    else:
        second = save_post(tmp_path, post) if post_kind == "torchscript" else exported(tmp_path / "post.pt2", post, scores)
    given = WithPost(first, second)
    found = programs.load(given, EXAMPLE)
    assert torch.allclose(programs.run_exported(found.exported, EXAMPLE), expected, atol=1e-6)
    assert programs.run_exported(programs.with_batch(found, 4), EXAMPLE.repeat(4, 1)).shape == (4, 2)
    assert programs.kind_of(given) == ("torchscript" if model_kind == post_kind == "torchscript" else "mixed")


@pytest.mark.parametrize("model, post, words", [
    (small_models.Normed, small_models.LoopingDecoding, '"post.pt" has a loop that does not convert'),
    (small_models.Branching, small_models.Decoding, '"model.pt" has a'),
    (small_models.Normed, small_models.Remembering, '"post.pt" keeps state in buffer "memory"')])
def test_the_one_that_does_not_convert_is_named(tmp_path, model, post, words):
    torch.manual_seed(4)
    second = post()
    if isinstance(second, small_models.Remembering):
        second.last = torch.nn.Linear(3, 3)
    with pytest.raises(programs.NotConvertible) as told:
        programs.load(WithPost(save_post(tmp_path, model(), "model.pt"), save_post(tmp_path, second)), EXAMPLE)
    assert told.value.reason.startswith(words), told.value.reason


def test_a_model_with_state_begins_with_the_state_it_was_saved_with(tmp_path):
    """To make one program of the two the model is run, and that must leave no trace."""
    torch.manual_seed(4)
    given = WithPost(save_post(tmp_path, small_models.RememberingInBatch(), "model.pt"), save_post(tmp_path, small_models.Decoding()))
    ours = programs.load(given, EXAMPLE, stateful=True).exported.module(check_guards=False)
    theirs = programs.original(given)
    with torch.no_grad():
        answers = [(theirs(EXAMPLE).clone(), ours(EXAMPLE).clone()) for _ in range(3)]
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in answers)
    assert not torch.allclose(answers[0][0], answers[1][0])


def test_what_cannot_be_compiled_falls_back_with_its_post_model(pair):
    workshop, _ = pair
    workshop.backend = "auto"
    post = save_post(workshop.folder, small_models.LoopingDecoding())
    outcome = workshop.prepare("--post", post)
    assert outcome.status == 0 and 'the model does not compile: "post.pt" has a loop' in outcome.err, outcome.err
    assert workshop.prepared()["backend"] == "torchscript"
