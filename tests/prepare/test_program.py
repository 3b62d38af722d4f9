"""A model of any of the three sources becomes a program with static sizes that answers the same, or
one clause says why it does not."""

import os
import textwrap

import pytest
import torch
from torch import nn

import small_models
from consort_prepare import program as programs
from consort_prepare.errors import PrepareError

EXAMPLE = torch.randn(1, 500, generator=torch.Generator().manual_seed(3))


def scripted(folder, module):
    path = str(folder / "small.pt")
    torch.jit.save(torch.jit.script(module.eval()), path)
    return path


def exported(folder, module, dynamic=False):
    path = str(folder / "small.pt2")
    shapes = {"dynamic_shapes": ({0: torch.export.Dim("batch", min=1, max=8)},)} if dynamic else {}
    torch.export.save(torch.export.export(module.eval(), (EXAMPLE.repeat(2, 1) if dynamic else EXAMPLE,), **shapes), path)
    return path


def in_python(folder, source, name="made.py"):
    (folder / name).write_text("import torch\nfrom torch import nn\n" + textwrap.dedent(source))
    return str(folder / name)


def sizes(program):
    return [size for node in program.graph.nodes if isinstance(node.meta.get("val"), torch.Tensor) for size in node.meta["val"].shape]


@pytest.mark.parametrize("save", [scripted, exported, lambda *a: exported(*a, dynamic=True)], ids=["TorchScript", "exported", "dynamic"])
@pytest.mark.parametrize("make", [small_models.Plain, small_models.Normed])
def test_every_source_gives_static_sizes_and_the_same_scores(tmp_path, save, make):
    torch.manual_seed(1)
    module = make()
    found = programs.load(save(tmp_path, module), EXAMPLE)
    assert all(isinstance(size, int) for size in sizes(found.exported))
    assert found.exported.example_inputs[0][0].shape == (1, 500)
    with torch.no_grad():
        assert torch.equal(programs.run_exported(found.exported, EXAMPLE), module(EXAMPLE))
        assert torch.equal(found.original(EXAMPLE), module(EXAMPLE))


@pytest.mark.parametrize("make", [small_models.TwoResults, small_models.Tied, lambda: small_models.PlainAttributes(10)])
def test_the_first_of_several_results_tied_weights_and_plain_tensors(tmp_path, make):
    torch.manual_seed(2)
    module = make()
    found = programs.load(scripted(tmp_path, module), EXAMPLE)
    with torch.no_grad():
        expected = programs.first_result(module(EXAMPLE))
    assert torch.equal(programs.run_exported(found.exported, EXAMPLE), expected)


@pytest.mark.parametrize("make,words", [
    (small_models.Counting, 'it keeps state in buffer "calls"'), (small_models.Remembering, 'it keeps state in buffer "memory"'),
    (small_models.Random, "it draws random numbers"), (small_models.Branching, "it has a loop that does not convert")])
def test_what_the_converter_would_lose_is_told_in_one_clause(tmp_path, make, words):
    with pytest.raises(programs.NotConvertible) as told:
        programs.load(scripted(tmp_path, make()), EXAMPLE)
    assert words in told.value.reason and "\n" not in told.value.reason and len(told.value.reason) < 220


def test_a_branch_that_noise_does_not_take_is_not_lost(tmp_path):
    class Silent(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(500, 3)

        def forward(self, x):
            return self.last(x) if x.abs().max() > 0 else self.last(x) + 1

    # Tracing takes the branch of its example: there is nothing to lose. Python has both.
    with pytest.raises(programs.NotConvertible, match="it branches on what it hears"):
        programs.load(in_python(tmp_path, """
            class Silent(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.last = nn.Linear(500, 3)
                def forward(self, x):
                    return self.last(x) if x.abs().max() > 0 else self.last(x) + 1
            def model(): return Silent()
            """) + ":model", EXAMPLE)
    traced = torch.jit.trace(Silent().eval(), EXAMPLE)
    torch.jit.save(traced, str(tmp_path / "traced.pt"))
    found = programs.load(str(tmp_path / "traced.pt"), EXAMPLE)
    silence = torch.zeros_like(EXAMPLE)
    with torch.no_grad():
        assert torch.equal(programs.run_exported(found.exported, silence), traced(silence))


def test_an_exported_program_that_writes_to_a_buffer_is_found(tmp_path):
    with pytest.raises(programs.NotConvertible, match='it keeps state in buffer "calls"'):
        programs.load(exported(tmp_path, small_models.Counting()), EXAMPLE)


def test_a_model_that_writes_into_its_input_is_found(tmp_path):
    path = in_python(tmp_path, """
        class Writing(nn.Module):
            def forward(self, x):
                return x.relu_()[:, :3] + 1
        """)
    with pytest.raises(programs.NotConvertible, match="it writes into its input"):
        programs.load(path + ":Writing", EXAMPLE)


@pytest.mark.parametrize("save", [scripted, lambda *a: exported(*a, dynamic=True)], ids=["TorchScript", "dynamic"])
def test_a_batch_has_the_scores_of_each_alone(tmp_path, save):
    torch.manual_seed(3)
    found = programs.load(save(tmp_path, small_models.Normed()), EXAMPLE)
    four = programs.with_batch(found, 4)
    inputs = torch.cat([EXAMPLE, EXAMPLE * 0.1, torch.zeros_like(EXAMPLE), EXAMPLE.flip(1)])
    together = programs.run_exported(four, inputs)
    assert together.shape == (4, 3) and all(isinstance(size, int) for size in sizes(four))
    alone = torch.cat([programs.run_exported(found.exported, one[None]) for one in inputs])
    assert torch.allclose(together, alone, atol=1e-6)
    assert programs.with_batch(found, 1) is found.exported


@pytest.mark.parametrize("save,make,words", [
    (exported, small_models.Normed, "it was exported for other sizes"),  # its sizes were fixed when it was saved
    (scripted, small_models.Tied, "depend on the others of a batch")])  # it looks at the first alone
def test_a_model_for_one_segment_at_a_time_takes_no_batch(tmp_path, save, make, words):
    found = programs.load(save(tmp_path, make()), EXAMPLE)
    with pytest.raises(programs.NotConvertible, match=words):
        programs.with_batch(found, 2)


def test_scores_without_a_batch_get_one(tmp_path):
    found = programs.load(in_python(tmp_path, """
        class Flat(nn.Module):
            def __init__(self):
                super().__init__()
                self.last = nn.Linear(500, 3)
            def forward(self, x):
                return self.last(nn.functional.dropout(x, 0.5, self.training))[0]
        """) + ":Flat", EXAMPLE)
    assert programs.run_exported(found.exported, EXAMPLE).shape == (1, 3)


def test_a_module_is_found_in_the_current_folder_by_its_import_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    in_python(tmp_path, "def model(): return nn.Linear(500, 3)", "models_of_mine.py")
    assert programs.run_exported(programs.load("models_of_mine:model", EXAMPLE).exported, EXAMPLE).shape == (1, 3)


def test_the_fingerprint_of_python_changes_with_its_weights_and_its_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = """
        def model():
            torch.manual_seed({seed})
            return nn.Sequential(nn.Linear(500, 3), nn.{last}())
        """
    found = []
    for seed, last in ((1, "ReLU"), (1, "ReLU"), (2, "ReLU"), (1, "Tanh")):
        found.append(programs.fingerprint(in_python(tmp_path, source.format(seed=seed, last=last)) + ":model"))
    assert found[0] == found[1] and len(set(found)) == 3


@pytest.mark.parametrize("source,name,words", [
    ("def model(): return 1", "model", "gives a int, not an nn.Module"), ("", "model", "has no attribute 'model'"),
    ("1 / 0", "model", "ZeroDivisionError"), ("def model(one): return one", "model", "missing 1 required positional argument")])
def test_python_that_gives_no_model_is_one_sentence(tmp_path, source, name, words):
    with pytest.raises(PrepareError) as told:
        programs.load(f"{in_python(tmp_path, source)}:{name}", EXAMPLE)
    assert words in told.value.sentence() and "a function without arguments" in told.value.sentence()


def test_a_damaged_program_is_one_sentence(tmp_path):
    path = exported(tmp_path, small_models.Plain())
    os.truncate(path, os.path.getsize(path) - 300)
    with pytest.raises(PrepareError, match="it is damaged, or of another version of PyTorch"):
        programs.load(path, EXAMPLE)


def test_an_input_of_another_shape_is_told(tmp_path):
    for save in (scripted, exported):
        with pytest.raises(programs.NotConvertible):
            programs.load(save(tmp_path, small_models.Plain()), torch.randn(1, 400))
