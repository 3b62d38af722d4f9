"""A model of any of the three sources becomes a program with static sizes that answers the same, or
one clause says why it does not."""

import json
import os
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn

import small_models
from consort_prepare import bundle, program as programs
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
        found.append(programs.fingerprint(in_python(tmp_path, source.format(seed=seed, last=last)) + ":model", [EXAMPLE])[0])
    assert found[0] == found[1] and len(set(found)) == 3


def test_the_fingerprint_of_python_changes_with_what_it_keeps_in_plain_attributes(tmp_path):
    path = in_python(tmp_path, f"""
        import json
        import numpy as np

        class Scaled(nn.Module):
            def __init__(self):
                super().__init__()
                self.mean = torch.from_numpy(np.load({str(tmp_path / "mean.npy")!r}))
                with open({str(tmp_path / "scale.json")!r}) as file:
                    self.scale = json.load(file)
            def forward(self, x):
                return (x[:, :3] - self.mean) / self.scale
        """) + ":Scaled"
    found = []
    for mean, scale in ((1, 2), (1, 2), (3, 2), (1, 4)):
        np.save(tmp_path / "mean.npy", np.full(3, mean, np.float32))
        (tmp_path / "scale.json").write_text(json.dumps(scale))
        found.append(programs.fingerprint(path, [EXAMPLE]))
    assert found[0] == found[1] != found[2] != found[3] != found[0]
    assert len({sha256 for sha256, _ in found}) == 1  # in its answers it shows


@pytest.mark.parametrize("post", [False, True])
@pytest.mark.parametrize("other, same", [(1.00001, True), (1.001, False), (-1, False)])
def test_of_answers_the_last_bits_do_not_make_it_another_model(other, same, post):
    def source(times):
        it = {"name": "made.py:model", "sha256": "0" * 64, "answers": [[1e-3 * times, -2e-3], [5.0]]}
        return {"name": "model.pt", "sha256": "1" * 64, "prepare": 4, "post": it} if post else it
    assert bundle.is_same_source(source(1), json.loads(json.dumps(source(other)))) == same


def test_a_source_of_other_files_or_another_version_is_another():
    one = {"name": "made.py:model", "sha256": "0" * 64, "prepare": 4, "answers": [[1.0]]}
    others = [{**one, "sha256": "1" * 64}, {**one, "prepare": 3}, {**one, "answers": []}, {**one, "answers": [[1.0, 2.0]]},
              {key: value for key, value in one.items() if key != "answers"}, None]
    assert not any(bundle.is_same_source(one, other) or bundle.is_same_source(other, one) for other in others)


def test_the_numbers_of_an_answer_are_few_and_finite():
    few = programs._few_numbers(torch.tensor([[1.0, float("nan"), -float("inf"), 3e38] * 100]))
    assert len(few) == 9 and json.loads(json.dumps(few, allow_nan=False)) == few
    assert programs._few_numbers(torch.zeros(0)) == []


def test_a_change_of_one_score_in_hundreds_is_seen():
    scores = torch.linspace(0, 1, 527)[None]
    changed = scores.clone()
    changed[0, 300] += 0.04
    known = {"name": "m", "sha256": "0", "prepare": 4, "answers": [programs._few_numbers(scores)]}
    assert bundle.is_same_source(known, {**known, "answers": [programs._few_numbers(scores * (1 + 1e-6))]})
    assert not bundle.is_same_source(known, {**known, "answers": [programs._few_numbers(changed)]})


@pytest.mark.parametrize("where", ["project", "elsewhere"])
def test_the_fingerprint_of_python_changes_with_its_sources_wherever_they_lie(tmp_path, monkeypatch, where):
    for folder in ("project", "elsewhere"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "project"))  # as it is /usr, for a project in /usr/src
    sys.modules.pop("the_persons_own", None)
    path = in_python(tmp_path / "project", """
        import the_persons_own
        def model():
            torch.manual_seed(1)
            return nn.Linear(500, 3)
        """) + ":model"
    found = []
    for words in ("a branch that noise does not take", "another"):
        (tmp_path / where / "the_persons_own.py").write_text(f"# {words}\n")
        found.append(programs.fingerprint(path, [EXAMPLE]))
    assert found[0] != found[1]


def test_a_model_that_draws_in_forward_is_the_same_model_each_time(tmp_path):
    path = in_python(tmp_path, """
        class Drawing(nn.Module):
            def forward(self, x):
                return x[:, :3] + torch.rand(3)
        """) + ":Drawing"
    assert programs.fingerprint(path, [EXAMPLE]) == programs.fingerprint(path, [EXAMPLE])


def test_what_forward_imports_lies_beside_the_model_and_is_a_part_of_it(tmp_path):
    sys.modules.pop("imported_late", None)
    path = in_python(tmp_path, """
        class Late(nn.Module):
            def forward(self, x):
                import imported_late
                return x[:, :3] * imported_late.TIMES
        """) + ":Late"
    (tmp_path / "imported_late.py").write_text("TIMES = 2\n")
    assert torch.equal(programs.run_exported(programs.load(path, EXAMPLE).exported, EXAMPLE), EXAMPLE[:, :3] * 2)
    assert sys.path[0] != str(tmp_path)  # where it would hide what others import by that name
    found = programs.fingerprint(path, [EXAMPLE])
    (tmp_path / "imported_late.py").write_text("TIMES = 2  # times\n")
    assert programs.fingerprint(path, [EXAMPLE]) != found


def test_a_random_number_that_nothing_uses_is_left_out(tmp_path):
    found = programs.load(in_python(tmp_path, """
        class Dropping(nn.Module):
            def forward(self, x):
                torch.rand([])
                return x[:, :3] + 1
        """) + ":Dropping", EXAMPLE)
    assert not any("rand" in str(node.target) for node in found.exported.graph.nodes)
    assert torch.equal(programs.run_exported(found.exported, EXAMPLE), EXAMPLE[:, :3] + 1)


def test_a_buffer_that_is_bound_anew_is_one_that_is_written_to(tmp_path):
    path = in_python(tmp_path, """
        class Binding(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("memory", torch.zeros(1, 3))
                self.register_buffer("before", torch.ones(1, 3))
            def forward(self, x):
                last = self.before
                self.before = self.memory
                self.memory = self.memory + x[:, :3]
                return last
        """) + ":Binding"
    found = programs.load(path, EXAMPLE, stateful=True)
    assert {name.split(".")[-1] for name in programs.written_buffers(found.exported)} == {"memory", "before"}
    ours, theirs = found.exported.module(check_guards=False), programs.original(path)
    with torch.no_grad():
        for _ in range(4):
            assert torch.equal(ours(EXAMPLE), theirs(EXAMPLE))
    with pytest.raises(programs.NotConvertible, match='it keeps state in buffer "'):
        programs.load(path, EXAMPLE)


def test_a_buffer_that_is_bound_to_another_shape_is_told(tmp_path):
    path = in_python(tmp_path, """
        class Growing(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("memory", torch.zeros(1, 3))
            def forward(self, x):
                self.memory = torch.cat([self.memory, x[:, :3]])
                return self.memory.sum(0)
        """) + ":Growing"
    with pytest.raises(programs.NotConvertible, match='it binds buffer "memory" anew, to what is not of its shape'):
        programs.load(path, EXAMPLE, stateful=True)


def test_a_file_of_python_may_have_dataclasses(tmp_path):
    path = tmp_path / "with_dataclass.py"
    path.write_text("from __future__ import annotations\nimport dataclasses\nfrom torch import nn\n"
                    "@dataclasses.dataclass\nclass Config:\n    labels: int = 3\n"
                    "def model(): return nn.Linear(500, Config().labels)\n")
    assert programs.run_exported(programs.load(f"{path}:model", EXAMPLE).exported, EXAMPLE).shape == (1, 3)


def test_python_does_not_start_threads_that_a_fork_would_lose(tmp_path):
    path = in_python(tmp_path, """
        torch.set_num_threads(2)
        def model():
            torch.set_num_threads(3)
            return nn.Linear(500, 3)
        """)
    set_num_threads = torch.set_num_threads
    programs.load(f"{path}:model", EXAMPLE)
    assert torch.get_num_threads() == 1 and torch.set_num_threads is set_num_threads


def test_python_that_gives_another_model_each_time_is_refused(tmp_path):
    with pytest.raises(PrepareError, match="another model each time"):
        programs.fingerprint(in_python(tmp_path, "def model(): return nn.Linear(500, 3)") + ":model", [EXAMPLE])


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
    with pytest.raises(PrepareError, match=r"it is damaged, or of another version of PyTorch \(\w+: \w"):
        programs.load(path, EXAMPLE)


def test_a_program_from_a_gpu_is_told_as_one(tmp_path, monkeypatch):
    from torch.export.pt2_archive import _package

    def load(*_, **__):  # what torch.export.load tells of it is that "we ran into an error"
        raise RuntimeError("Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False.\nMore of it")
    monkeypatch.setattr(_package, "load_pt2", load)
    with pytest.raises(PrepareError) as told:
        programs.load(exported(tmp_path, small_models.Plain()), EXAMPLE)
    assert "it was made for a GPU; move it to the CPU before" in told.value.sentence() and "damaged" not in told.value.sentence()


def test_an_input_of_another_shape_is_told(tmp_path):
    for save in (scripted, exported):
        with pytest.raises(programs.NotConvertible):
            programs.load(save(tmp_path, small_models.Plain()), torch.randn(1, 400))
