"""Programs in fewer bits stay near the original, and what cannot be done is told."""

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from conftest import MANIFEST
from consort_prepare import graphs, precision, program as programs
from consort_prepare.errors import PrepareError

AUDIO = {**MANIFEST, "audio": {**MANIFEST["audio"], "normalize": "none"}, "output": {**MANIFEST["output"], "activation": "none"}}
SHAPE = (1, 1, 20, 25)


class Convolutions(nn.Module):
    """Two convolutions with norms, a linear layer: the three that are packed or quantized."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 16, 3, bias=False), nn.Conv2d(16, 32, 3)
        self.norm_one, self.norm_two = nn.BatchNorm2d(16), nn.BatchNorm2d(32)
        self.last = nn.Linear(32, 3)

    def forward(self, x):
        x = torch.relu(self.norm_one(self.one(x)))
        x = torch.relu(self.norm_two(self.two(x)))
        return self.last(x.mean((2, 3)))


@pytest.fixture(scope="module", params=["TorchScript", "exported"])
def program(request, tmp_path_factory):
    torch.manual_seed(4)
    module, folder = Convolutions(), tmp_path_factory.mktemp("program")
    for norm in (module.norm_one, module.norm_two):
        norm.running_mean.uniform_(-1, 1), norm.running_var.uniform_(0.5, 30)
    module.eval()
    with torch.no_grad():
        if request.param == "TorchScript":
            path = str(folder / "m.pt")
            torch.jit.save(torch.jit.trace(module, torch.randn(SHAPE), check_trace=False), path)
        else:
            path = str(folder / "m.pt2")
            batch = torch.export.Dim("batch", min=1, max=8)
            torch.export.save(torch.export.export(module, (torch.randn(2, *SHAPE[1:]),), dynamic_shapes=({0: batch},)), path)
    return programs.load(path, torch.randn(SHAPE))


@pytest.fixture(scope="module")
def inputs():
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(SHAPE, generator=generator) for _ in range(6)]


@pytest.fixture
def any_cpu(monkeypatch):
    """The graph's arithmetic can be run everywhere, only slower."""
    monkeypatch.setattr(precision, "missing", lambda *_: None)


def scores(exported, inputs):
    return torch.cat([programs.run_exported(exported, x) for x in inputs])


def near(program, lowered, inputs, most):
    expected, got = scores(program.exported, inputs), scores(lowered, inputs)
    assert got.dtype == torch.float32 and got.shape == expected.shape
    assert not torch.equal(got, expected)
    assert (got - expected).abs().max() < most * expected.std()


def test_fp32_is_the_program_itself(program, inputs):
    assert precision.lower(program, inputs, "fp32") is program.exported


def test_bf16_takes_and_gives_float_and_is_near(program, inputs, any_cpu):
    lowered = precision.lower(program, [], "bf16")
    assert {tensor.dtype for tensor in lowered.state_dict.values() if tensor.is_floating_point()} == {torch.bfloat16}
    near(program, lowered, inputs, 0.1)


def test_norms_are_folded_into_the_weights_before_they_are_rounded(program, inputs):
    folded = graphs.fold_norms(graphs.plain(program.exported))
    assert not [node for node in folded.graph.nodes if "batch_norm" in str(node.target)]
    with torch.no_grad():
        got = torch.cat([folded(x) for x in inputs])
    assert torch.allclose(got, scores(program.exported, inputs), atol=1e-5)


def test_lowering_leaves_the_program_as_it_was(program, inputs, any_cpu):
    before = scores(program.exported, inputs)
    precision.lower(program, inputs, "bf16")
    precision.lower(program, inputs, "int8")
    assert torch.equal(scores(program.exported, inputs), before)


def test_a_model_that_insists_on_float_inside_runs_under_autocast(tmp_path, any_cpu):
    class Insists(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(500, 64), nn.Linear(64, 3)

        def forward(self, x):
            return self.last(torch.relu(self.first(x)).float() * torch.ones(64))

    torch.manual_seed(6)
    traced = torch.jit.trace(Insists().eval(), torch.randn(1, 500))
    torch.jit.save(traced, str(tmp_path / "m.pt"))
    program = programs.load(str(tmp_path / "m.pt"), torch.randn(1, 500))
    lowered = precision.lower(program, [], "bf16")
    x = torch.randn(1, 500)
    assert torch.allclose(programs.run_exported(lowered, x), traced(x), atol=0.05)


def test_int8_quantizes_every_convolution_and_linear_layer(program, inputs, any_cpu):
    lowered = precision.lower(program, inputs, "int8")
    assert precision.quantized(lowered) == (3, 3)
    assert precision.quantized(program.exported) == (0, 3)
    near(program, lowered, inputs, 0.5)


def test_int8_takes_its_ranges_from_the_given_inputs(program, inputs, any_cpu):
    fitting = precision.lower(program, inputs, "int8")
    narrow = precision.lower(program, [x * 0.01 for x in inputs], "int8")
    expected = scores(program.exported, inputs)
    assert (scores(fitting, inputs) - expected).abs().mean() < 0.5 * (scores(narrow, inputs) - expected).abs().mean()


def test_batches_in_fewer_bits(program, inputs, any_cpu):
    for kind in ("bf16", "int8"):
        lowered = precision.lower(program, inputs, kind, batch=4)  # 6 inputs: the second group is filled up
        got = programs.run_exported(lowered, torch.cat(inputs[:4]))
        assert got.shape == (4, 3) and (got - scores(program.exported, inputs[:4])).abs().max() < 0.5


def test_int8_without_sounds_is_told_the_cure(program, any_cpu):
    with pytest.raises(PrepareError) as told:
        precision.lower(program, [], "int8")
    assert "--calibrate AUDIO" in told.value.sentence()


def test_a_model_of_which_nothing_can_be_quantized_is_told(tmp_path, any_cpu):
    class Narrow(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Conv1d(1, 3, 500)

        def forward(self, x):
            return self.last(x.unsqueeze(1)).squeeze(2)

    torch.export.save(torch.export.export(Narrow().eval(), (torch.randn(1, 500),)), str(tmp_path / "m.pt2"))
    program = programs.load(str(tmp_path / "m.pt2"), torch.randn(1, 500))
    with pytest.raises(PrepareError, match="no two-dimensional convolution and no linear layer"):
        precision.lower(program, [torch.randn(1, 500)], "int8")


CPUS = {"old": "avx2 fma", "zen4": "avx2 avx512_bf16 avx512_vnni", "alder": "avx2 avx_vnni", "cascade": "avx512f avx512_vnni", "sapphire": "amx_bf16 amx_int8"}


@pytest.mark.parametrize("kind,able", [("fp32", set(CPUS)), ("bf16", {"zen4", "sapphire"}), ("int8", {"zen4", "alder", "cascade", "sapphire"})])
def test_a_precision_the_cpu_lacks_is_a_sentence(tmp_path, kind, able):
    for name, flags in CPUS.items():
        path = tmp_path / name
        path.write_text(f"processor\t: 0\nmodel name\t: Some {name}\nflags\t\t: fpu {flags}\n")
        told = precision.missing(kind, str(path))
        assert (told is None) == (name in able)
        assert told is None or (kind in told and f"(Some {name})" in told)


def test_lower_refuses_what_the_cpu_lacks(program, inputs, monkeypatch):
    monkeypatch.setattr(precision, "missing", lambda *_: "bf16 needs another CPU")
    with pytest.raises(PrepareError, match="bf16 needs another CPU"):
        precision.lower(program, inputs, "bf16")


def sounds(folder, lengths):
    """Each file's samples are its number, so that an input tells where it came from."""
    for number, length in enumerate(lengths, 1):
        soundfile.write(folder / f"{number:02d}.wav", np.full(length, number / 64, np.float32), 1000, subtype="FLOAT")


def test_calibration_is_spread_over_the_files_and_over_each_file(tmp_path):
    sounds(tmp_path, [500 * 40, 500 * 3, 500 * 40])
    inputs = precision.calibration_inputs([str(tmp_path)], AUDIO, most=12)
    files = [round(float(x[0, 0]) * 64) for x in inputs]
    assert files == [1] * 4 + [2] * 3 + [3] * 4 and all(x.shape == (1, 500) for x in inputs)


def test_of_many_files_calibration_takes_some_from_the_first_to_the_last(tmp_path):
    sounds(tmp_path, [600] * 30)
    files = [round(float(x[0, 0]) * 64) for x in precision.calibration_inputs([str(tmp_path)], AUDIO, most=10)]
    assert files == list(range(1, 31, 3))


def test_calibration_without_sound_is_told(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(2000, np.float32), 1000)
    with pytest.raises(PrepareError, match="there is no sound in the files given to --calibrate"):
        precision.calibration_inputs([str(tmp_path / "silence.wav")], AUDIO)
    (tmp_path / "empty").mkdir()
    for path, words in (("empty", "there is no sound in"), ("nothing.wav", "no such file or directory")):
        with pytest.raises(PrepareError, match=words):
            precision.calibration_inputs([str(tmp_path / path)], AUDIO)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(PrepareError, match='could not read ".*text.wav"'):
        precision.calibration_inputs([str(tmp_path / "text.wav")], AUDIO)
