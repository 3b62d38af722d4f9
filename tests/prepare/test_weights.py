"""What is taken out of a model comes back bit for bit, whatever shape it was in."""

import hashlib
import json
import os
import zipfile

import pytest
import torch

import small_models
from conftest import ROOT, refused


def prepared(workshop, module, **kwargs):
    outcome = workshop.write(module, **kwargs).prepare()
    assert outcome.status == 0, outcome.err
    return workshop


def equal_bit_for_bit(workshop, inputs):
    for expected, got in workshop.answers(inputs):
        assert torch.equal(expected, got)


def test_every_answer_of_the_bundle_is_the_model_s(workshop, noise):
    torch.manual_seed(1)
    equal_bit_for_bit(prepared(workshop, small_models.Normed()), noise)


def test_weights_used_inside_branches_and_loops_come_back(workshop, noise):
    torch.manual_seed(1)
    equal_bit_for_bit(prepared(workshop, small_models.Branching()), noise + [x * 1e-3 for x in noise])


def test_the_table_names_aligned_ranges_inside_the_file(workshop):
    prepared(workshop, small_models.Normed())
    with open(os.path.join(workshop.bundle, "weights.json"), encoding="utf-8") as file:
        table = json.load(file)
    with open(os.path.join(workshop.bundle, "weights.bin"), "rb") as file:
        content = file.read()
    assert table["version"] == 1 and table["bytes"] == len(content)
    assert table["sha256"] == hashlib.sha256(content).hexdigest()
    names = [row["name"] for row in table["tensors"]]
    module = torch.jit.load(workshop.model)
    assert set(names) == {name for name, _ in [*module.named_parameters(), *module.named_buffers()]}
    for row in table["tensors"]:
        assert row["offset"] % 64 == 0 and 0 <= row["offset"] and row["offset"] + row["nbytes"] <= len(content)
        assert row["layout"] == "strided"


def test_the_code_alone_keeps_the_names_and_has_no_weights(workshop):
    prepared(workshop, small_models.Normed())
    code = torch.jit.load(os.path.join(workshop.bundle, "code.pt"))
    original = torch.jit.load(workshop.model)
    for ours, theirs in ((code.named_parameters(), original.named_parameters()), (code.named_buffers(), original.named_buffers())):
        ours, theirs = dict(ours), dict(theirs)
        assert list(ours) == list(theirs)
        for name, tensor in ours.items():
            assert tensor.numel() == 0 and tensor.dtype == theirs[name].dtype
    with zipfile.ZipFile(os.path.join(workshop.bundle, "code.pt")) as archive:
        assert sum(e.file_size for e in archive.infolist() if "/data/" in e.filename) == 0


def test_tied_weights_and_views_are_stored_once(workshop, noise):
    torch.manual_seed(2)
    prepared(workshop, small_models.Tied())
    table = workshop.table()
    first, second, turned = (table[name] for name in ("first.weight", "second.weight", "turned"))
    assert (first["offset"], first["nbytes"]) == (second["offset"], second["nbytes"])
    assert (turned["offset"], turned["nbytes"]) == (first["offset"], first["nbytes"])
    assert turned["strides"] == [1, 500] and turned["storage_offset"] == 10
    assert os.path.getsize(os.path.join(workshop.bundle, "weights.bin")) < 500 * 500 * 4 + 16384
    equal_bit_for_bit(workshop, noise)


def test_a_view_into_a_large_storage_takes_only_what_it_spans(workshop, noise):
    torch.manual_seed(3)
    module = small_models.Plain()
    large = torch.randn(4_000_000)
    module.last.weight = torch.nn.Parameter(large[1001:1001 + 48].view(3, 16))
    module.last.bias = torch.nn.Parameter(large[1100:1103])
    prepared(workshop, module)
    assert os.path.getsize(os.path.join(workshop.bundle, "weights.bin")) < 40_000
    equal_bit_for_bit(workshop, noise)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.bool, torch.int64])
def test_tensors_of_every_dtype_come_back(tmp_path, dtype):
    from consort_prepare.weights import map_weights, write_weights
    tensors = {"a": torch.arange(7).to(dtype), "b": torch.arange(24).reshape(4, 6).to(dtype).t(), "none": torch.empty(0, 3, dtype=dtype),
               "one": torch.tensor(1).to(dtype)}
    write_weights(tensors, str(tmp_path / "w.bin"), str(tmp_path / "w.json"))
    back = map_weights(str(tmp_path / "w.bin"), str(tmp_path / "w.json"))
    for name, tensor in tensors.items():
        assert back[name].dtype == dtype and back[name].stride() == tensor.stride() and torch.equal(back[name], tensor)


def test_the_same_model_gives_the_same_bytes(workshop):
    prepared(workshop, small_models.Normed())
    first = {name: entry["sha256"] for name, entry in workshop.prepared()["files"].items()}
    workshop.bundle += "-again"
    assert workshop.prepare().status == 0
    assert {name: entry["sha256"] for name, entry in workshop.prepared()["files"].items()} == first


def frozen(module):
    return torch.jit.freeze(torch.jit.script(module.eval()))


@pytest.mark.parametrize("make", [small_models.Plain, small_models.Normed, small_models.Branching])
def test_weights_in_a_frozen_graph_are_moved_out(workshop, noise, make):
    torch.manual_seed(4)
    prepared(workshop, frozen(make()))
    assert [name for name in workshop.table() if name.startswith("consort_constants.")]
    with zipfile.ZipFile(os.path.join(workshop.bundle, "code.pt")) as archive:
        left = sum(e.file_size for e in archive.infolist() if e.filename.split("/")[1] in ("data", "constants"))
    assert left < 4096  # the small ones may stay
    equal_bit_for_bit(workshop, noise + [x * 1e-3 for x in noise])


def test_a_constant_that_tracing_left_is_moved_out(workshop, noise):
    torch.manual_seed(5)
    module = torch.jit.trace(small_models.WithConstants(torch.randn(500)), noise[0])
    prepared(workshop, module)
    assert "consort_constants.c0" in workshop.table()
    equal_bit_for_bit(workshop, noise)


def test_constants_of_children_of_one_type_are_moved_out(workshop, noise):
    torch.manual_seed(6)
    child = torch.jit.trace(small_models.WithConstants(torch.randn(500)), noise[0])
    prepared(workshop, small_models.TwoOfAKind(child))
    module = torch.jit.load(workshop.model)
    assert module.one._c._type().qualified_name() == module.two._c._type().qualified_name()
    equal_bit_for_bit(workshop, noise)


def test_packed_weights_that_nothing_can_take_out_are_refused(workshop):
    torch.manual_seed(7)
    module = torch.ao.quantization.quantize_dynamic(
        torch.nn.Sequential(torch.nn.Linear(500, 500), torch.nn.Linear(500, 3)).eval(), {torch.nn.Linear})
    workshop.write(torch.jit.script(module))
    refused(workshop.prepare_by_itself(), "inside the model's code and cannot be taken out", "save the model before torch.jit.freeze")
    assert not os.path.exists(workshop.bundle) and not workshop.left_beside()


def test_small_plain_attributes_stay_in_the_code(workshop, noise):
    torch.manual_seed(8)
    prepared(workshop, small_models.PlainAttributes(10))
    equal_bit_for_bit(workshop, noise)


def test_large_plain_attributes_are_refused_by_name(workshop):
    workshop.write(small_models.PlainAttributes(20_000))
    refused(workshop.prepare(), "plain attributes", '"scale"', "register_buffer")


@pytest.mark.parametrize("name", ["cnn14-quarter", "silero"])
def test_our_own_models_answer_the_same(name):
    from consort_prepare import bundle, checks, manifest, opening, torchscript
    model = os.path.join(ROOT, "build", "models", name + ".pt")
    folder = os.path.join(ROOT, "build", "bundles", name)
    if not os.path.exists(model) or not os.path.exists(folder):
        pytest.fail(f"run tools/models/make {name} first")
    torch.set_num_threads(1)
    ours, original = opening.open_bundle(folder), torchscript.load(model)
    compiled = bundle.read_model(folder)["prepared"]["backend"] == "aoti"
    read = manifest.read_manifest(os.path.splitext(model)[0] + ".json")
    for model_input in checks.noise_inputs(read):
        expected, got = checks.run(original, model_input), checks.run(ours, model_input)
        assert torch.allclose(expected, got, atol=1e-5) if compiled else torch.equal(expected, got)
    code = sum(entry["bytes"] for file, entry in bundle.read_model(folder)["prepared"]["files"].items() if file.startswith("code"))
    assert code < 500_000
