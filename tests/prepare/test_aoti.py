"""Compiled bundles: what is in them, that they answer as the model does, and which variant is kept."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
import torch
from torch import nn

import small_models
from conftest import LOG_MEL, MANIFEST, Workshop, environment, refused

HEARING = {**MANIFEST, "features": LOG_MEL}
SHAPE = (1, 1, 26, 8)  # of its segments
LIBRARY = "code/data/aotinductor/model/model.so"
METADATA = "code/data/aotinductor/model/model_metadata.json"


class Convolutions(nn.Module):
    """Three weights that can be packed; two of its buffers are tied."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.last = nn.Linear(32, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.one(x)))
        return torch.sigmoid(self.last(torch.relu(self.two(x)).mean((2, 3))))


@pytest.fixture(scope="session", autouse=True)
def quick_compiler():
    """The vector instructions that the CPU says it has are not tried out first, which takes seconds."""
    os.environ.update(TORCHINDUCTOR_VEC_ISA_OK="1", CONSORT_PREPARE_SECONDS="0.1")


def workshop_in(folder, module=None, manifest=HEARING):
    workshop = Workshop(folder)
    workshop.backend = "auto"
    if module is None:
        torch.manual_seed(11)
        module = Convolutions()
        module.norm.running_mean.uniform_(-1, 1)
    if isinstance(module, Convolutions):
        module = torch.jit.trace(module.eval(), torch.zeros(SHAPE), check_trace=False)
    return workshop.write(module, manifest=manifest)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """All variants of a model that came as TorchScript. (workshop, outcome)"""
    workshop = workshop_in(tmp_path_factory.mktemp("compiled"))
    return workshop, workshop.prepare_by_itself()


@pytest.fixture(scope="session")
def in_fours(tmp_path_factory):
    workshop = workshop_in(tmp_path_factory.mktemp("in fours, it's a long way"))
    outcome = workshop.prepare_by_itself("--fast", "--batch", "4")
    assert outcome.status == 0, outcome.err
    return workshop


def inputs(number=3):
    generator = torch.Generator().manual_seed(12)
    return [torch.randn(SHAPE, generator=generator) * 3 for _ in range(number)]


def test_a_bundle_has_code_weights_and_labels_and_nothing_else(compiled):
    workshop, outcome = compiled
    assert outcome.status == 0, outcome.err
    prepared = workshop.prepared()
    assert set(prepared["files"]) == {LIBRARY, METADATA, "labels.txt", "weights.bin", "weights.json"}
    found = {os.path.relpath(os.path.join(folder, name), workshop.bundle) for folder, _, names in os.walk(workshop.bundle) for name in names}
    assert found == {*prepared["files"], "model.json"}
    assert not workshop.left_beside()


def test_what_was_found_is_recorded(compiled):
    from consort_prepare import bundle, manifest
    import jsonschema
    workshop, _ = compiled
    prepared = workshop.prepared()
    assert (prepared["backend"], prepared["precision"], prepared["torch"]) == ("aoti", "fp32", torch.__version__.split("+")[0])
    assert prepared["input_shape"] == list(SHAPE) and prepared["batch"] == 1 and prepared["output_size"] == 3
    assert prepared["written_buffers"] == [] and prepared["cpu"] == bundle.cpu()
    jsonschema.validate(bundle.read_model(workshop.bundle), manifest.load_schema())


def test_each_variant_was_timed_and_the_fastest_kept(compiled):
    workshop, outcome = compiled
    variants = workshop.prepared()["variants"]
    assert [each["name"] for each in variants] == ["packed", "unpacked", "unfrozen"]
    chosen, = [each for each in variants if each["chosen"]]
    assert 0 < chosen["ms_per_segment"] <= 1.03 * min(each["ms_per_segment"] for each in variants)
    assert re.search(r"packed \S+ ms a segment, unpacked \S+, unfrozen \S+: " + chosen["name"] + " kept", outcome.err)
    assert chosen["packed"] == sum(row["layout"] == "mkldnn" for row in workshop.table().values())
    assert workshop.prepared()["packed"] == {"weights": chosen["packed"], "of": 3}


def test_a_converted_model_has_all_its_weights_packed_and_its_sizes_are_static(compiled):
    variants = {each["name"]: each["packed"] for each in compiled[0].prepared()["variants"]}
    assert variants == {"packed": 3, "unpacked": 0, "unfrozen": 0}


def test_the_compiled_code_answers_as_the_model_does(compiled):
    for expected, got in compiled[0].answers(inputs()):
        assert torch.allclose(expected, got, atol=1e-6)


def test_no_path_of_the_making_stays_in_the_code(compiled):
    workshop, _ = compiled
    with open(os.path.join(workshop.bundle, LIBRARY), "rb") as file:
        content = file.read()
    assert os.fsencode(str(workshop.folder)) not in content and b".tmp-" not in content


def test_a_second_call_does_nothing_and_takes_no_compiler(compiled):
    workshop, _ = compiled
    stamp = os.stat(os.path.join(workshop.bundle, "model.json")).st_mtime_ns
    os.environ["CXX"] = "no-such-compiler"
    try:
        outcome = workshop.prepare_by_itself()
    finally:
        del os.environ["CXX"]
    assert outcome.status == 0 and "is up to date" in outcome.out and outcome.err == ""
    assert os.stat(os.path.join(workshop.bundle, "model.json")).st_mtime_ns == stamp


@pytest.mark.parametrize("options", [["--fast"], ["--variant", "unpacked"], ["--batch", "2"], ["--batch", "auto"], ["--portable"], ["--precision", "bf16"], ["--backend", "torchscript"]])
def test_with_other_options_it_is_another_bundle(compiled, options):
    from consort_prepare import bundle, cli, manifest as manifests
    workshop, _ = compiled
    asked = {}
    for given in ([], options):
        args = cli.parser().parse_args([workshop.model, "-o", workshop.bundle, *given])
        asked[len(given)] = cli.Asked(args.backend, args.precision, args.batch, args.fast, args.portable, [], variant=args.variant).to_json()
    path = os.path.splitext(workshop.model)[0] + ".json"
    manifest = manifests.read_manifest(path)
    given = workshop.bundle, manifest, manifests.read_labels(manifest, path), bundle.source_of(workshop.model, manifest)
    assert bundle.up_to_date(*given, asked[0]) is not None
    assert bundle.up_to_date(*given, asked[len(options)]) is None


def test_for_another_cpu_it_is_made_again(compiled, monkeypatch):
    from consort_prepare import bundle
    prepared = compiled[0].prepared()
    assert bundle._is_for_this_cpu(prepared)
    for flags in (prepared["cpu"]["flags"][:-1], [*prepared["cpu"]["flags"], "avx1024"]):
        monkeypatch.setattr(bundle, "_cpu_model_and_flags", lambda: ("", flags))
        assert not bundle._is_for_this_cpu(prepared)
        assert bundle._is_for_this_cpu({**prepared, "cpu": {"portable": True, "flags": prepared["cpu"]["flags"][:1]}})


def test_the_same_model_gives_the_same_bytes_wherever_it_is_made(in_fours, tmp_path):
    again = workshop_in(tmp_path)
    assert again.prepare_by_itself("--fast", "--batch", "4").status == 0
    assert again.prepared()["files"] == in_fours.prepared()["files"]


def test_a_batch_is_recorded_and_each_segment_has_its_own_answer(in_fours):
    from consort_prepare import aoti
    prepared = in_fours.prepared()
    assert prepared["batch"] == 4 and prepared["input_shape"] == [4, *SHAPE[1:]]
    assert [each["name"] for each in prepared["variants"]] == ["packed-batch4"]
    run, original = aoti.open_package(in_fours.bundle), torch.jit.load(in_fours.model)
    segments = inputs(4)
    with torch.inference_mode():
        together = run(torch.cat(segments))
        for segment, got in zip(segments, together):
            assert torch.allclose(original(segment)[0], got, atol=1e-6)
    for expected, got in in_fours.answers(segments):  # as --verify opens it
        assert torch.allclose(expected, got, atol=1e-6)


class AmongOthers(nn.Module):
    """Its scores depend on the other segments of a batch."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(500, 3)

    def forward(self, x):
        return self.last(x) + x.mean()


def test_a_model_whose_segments_mix_in_a_batch_is_refused_one(tmp_path):
    workshop = workshop_in(tmp_path, AmongOthers(), MANIFEST)
    outcome = workshop.prepare_by_itself("--batch", "4")
    assert outcome.status == 1 and "cannot be compiled for a batch of 4" in outcome.err and "leave --batch out" in outcome.err
    assert not os.path.exists(workshop.bundle) and not workshop.left_beside()


def test_last_bits_that_depend_on_the_place_in_a_batch_are_found(tmp_path):
    from consort_prepare import manifest
    from consort_prepare.workbench import Runner
    workshop = workshop_in(tmp_path)
    runner = Runner(workshop.model, manifest.read_manifest(os.path.splitext(workshop.model)[0] + ".json"))
    flat = lambda x: x.reshape(len(x), -1)[:, :3].clone()
    def in_place_two(x):
        scores = flat(x)
        scores[2] = torch.nextafter(scores[2], torch.tensor(9.0))
        return scores
    def beside_noise(x):
        scores = flat(x)
        scores[0] += 1e-6 * (x[3] != x[3, 0, 0, 0]).any()
        return scores
    for name, run, expected in (("good", flat, True), ("place", in_place_two, False), ("neighbour", beside_noise, False)):
        runner._opened[name] = run
        assert runner.independent(name, 4) is expected, name


def test_what_does_not_convert_is_torchscript_with_one_line_that_says_why(tmp_path):
    workshop = workshop_in(tmp_path, small_models.Branching(), MANIFEST)
    outcome = workshop.prepare_by_itself()
    assert outcome.status == 0, outcome.err
    lines = [line for line in outcome.err.splitlines() if line.startswith("consort-prepare: ")]
    assert len(lines) == 1 and lines[0].startswith("consort-prepare: the backend is torchscript, because the model does not compile: it has a")
    assert workshop.prepared()["backend"] == "torchscript" and lines[0].endswith(workshop.prepared()["reason"])
    outcome = workshop.prepare_by_itself("--backend", "aoti")
    assert outcome.status == 1 and "cannot be compiled" in outcome.err and "leave out --backend aoti" in outcome.err


def test_a_model_with_state_is_torchscript(tmp_path):
    workshop = workshop_in(tmp_path, small_models.Counting(), MANIFEST)
    outcome = workshop.prepare_by_itself()
    assert outcome.status == 0 and 'it keeps state in buffer "calls"' in outcome.err
    assert workshop.prepared()["backend"] == "torchscript"
    assert set(workshop.prepared()["written_buffers"]) == {"calls", "kept"}


def test_the_libraries_may_lie_in_a_folder_with_a_blank(tmp_path, monkeypatch):
    import tempfile
    from torch._inductor import config, cpp_builder
    from torch.utils import cpp_extension
    from consort_prepare import aoti
    libraries = tmp_path / "a clone's place" / "lib"
    libraries.parent.mkdir()
    libraries.symlink_to(cpp_extension.TORCH_LIB_PATH)
    monkeypatch.setattr(cpp_extension, "TORCH_LIB_PATH", str(libraries))
    for name in ("TORCHINDUCTOR_CACHE_DIR", "TMPDIR", "TORCHINDUCTOR_COMPILE_THREADS"):  # what set_scratch sets is as before afterwards
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)
    monkeypatch.setattr(config, "compile_threads", config.compile_threads)
    aoti.set_scratch(str(tmp_path / "scratch"))
    [named] = cpp_builder._get_torch_related_args(include_pytorch=True, aot_mode=True)[1]
    assert re.fullmatch(r"[\w/]+", named) and os.path.samefile(named, libraries)


def compiler(folder, text):
    """A C++ compiler that answers what it is asked about itself, and for the rest does `text`."""
    path = folder / "g++"
    path.write_text(f'#!/bin/bash\ncase "$*" in *.cpp*) {text} ;; *) exec g++ "$@" ;; esac\n')
    path.chmod(0o755)
    return str(path)


def test_a_compiler_that_fails_is_one_line_and_torchscript(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", compiler(tmp_path, "echo 'x.cpp:1:1: error: all is lost' >&2; exit 1"))
    workshop = workshop_in(tmp_path)
    outcome = workshop.prepare_by_itself("--fast")
    assert outcome.status == 0, outcome.err
    assert "the backend is torchscript, because the model does not compile: it does not compile: " in outcome.err and "all is lost" in outcome.err
    assert workshop.prepared()["backend"] == "torchscript" and not workshop.left_beside()
    again = workshop.prepare_by_itself("--fast")  # the compiler may be well again
    assert again.status == 0 and "all is lost" in again.err and "up to date" not in again.out


def test_without_a_compiler_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    refused(workshop_in(tmp_path).prepare_by_itself(), 'no C++ compiler "no-such-compiler"', "install g++, or prepare with --backend torchscript")


def processes_with(word):
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                found += [name] if name.isdigit() and word.encode() in file.read() else []
        except OSError:
            pass
    return found


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_kill_while_it_compiles_ends_the_compiler_too(tmp_path, monkeypatch, signal_number):
    begun = tmp_path / "begun"
    monkeypatch.setenv("CXX", compiler(tmp_path, f"touch '{begun}'; sleep 600"))
    workshop = workshop_in(tmp_path)
    process = subprocess.Popen(workshop.command("--fast"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.05)
    assert processes_with(str(tmp_path))
    process.send_signal(signal_number)
    process.wait()
    for _ in range(200):  # they are ended, not waited for
        if not processes_with(str(tmp_path)):
            break
        time.sleep(0.05)
    assert not processes_with(str(tmp_path))
    assert not os.path.exists(workshop.bundle)
    if signal_number != signal.SIGKILL:
        assert not workshop.left_beside()
        assert process.returncode in (128 + signal_number, -signal_number)


def test_options_before_the_model_leave_the_model_alone(compiled):
    from consort_prepare import cli
    args = cli.parser().parse_args(["--verify", "a.wav", "--calibrate", "b.wav", "--verify", "c", "model.pt", "-o", "out"])
    assert args.model == "model.pt" and args.verify == ["a.wav", "c"] and args.calibrate == ["b.wav"]


@pytest.mark.parametrize("options,words", [
    (["--precision", "int8"], ["int8 takes its ranges from sounds", "--calibrate AUDIO"]),
    (["--backend", "torchscript", "--portable"], ["--portable is for the backend aoti"]),
    (["--portable", "--variant", "packed"], ["--variant packed packs its weights for one CPU"]),
    (["--fast", "--variant", "packed"], ["--fast is a variant, too"]),
    (["--calibrate", "x.wav"], ["--calibrate is for int8"]),
    (["--portable", "--precision", "int8", "--calibrate", "x.wav"], ["int8 packs its weights for one CPU"])])
def test_options_that_do_not_go_together_are_one_sentence(tmp_path, options, words):
    refused(workshop_in(tmp_path).prepare(*options), *words)


def test_a_batch_must_be_a_number(tmp_path):
    for text in ("0", "65", "many", "-1"):
        assert workshop_in(tmp_path).prepare("--batch", text).status == 2


def test_a_quantized_package_is_told_apart_by_internal_names(tmp_path):
    from consort_prepare import aoti, precision
    import numpy as np
    import soundfile
    if precision.missing("int8"):
        pytest.skip(precision.missing("int8"))
    workshop = workshop_in(tmp_path)
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(3).normal(0, 0.1, 3000).astype(np.float32), 1000)
    outcome = workshop.prepare_by_itself("--precision", "int8", "--fast", "--calibrate", str(tmp_path / "a.wav"))
    assert outcome.status == 0, outcome.err
    names = torch._C._aoti.AOTIModelPackageLoader(os.path.join(workshop.bundle, "code"), "model", False, 1, -1).get_constant_fqns()
    assert len(set(names)) < len(names) == len(workshop.table())  # names of the program repeat
    prepared = workshop.prepared()
    assert prepared["precision"] == "int8" and prepared["packed"]["weights"] > 0
    assert prepared["drift"]["segments"] == 6 and prepared["drift"]["worst_difference"] < 0.1
    for expected, got in workshop.answers(inputs()):
        assert torch.allclose(expected, got, atol=0.1)


# ---- the table, without a compiler ---------------------------------------------------------

def row(index, name, shape, stride, size, offset=0, dtype="float32", layout="strided", more=()):
    fields = {"name": f'"{name}"', "dtype": f"cached_torch_dtype_{dtype}", "offset": offset, "data_size": size, "from_folded": "false",
              "shape": "{" + ", ".join(map(str, shape)) + "}", "stride": "{" + ", ".join(map(str, stride)) + "}",
              "layout": f"static_cast<int32_t>(cached_torch_layout_{layout})", "original_fqn": '"same"', **dict(more)}
    return "".join(f"    constants_info_[{index}].{key} = {value};\n" for key, value in fields.items())


def test_tied_viewed_and_empty_constants_come_back(tmp_path):
    from consort_prepare import aoti, weights
    tensors = {"a": torch.arange(100, dtype=torch.float32), "view": torch.arange(1000, dtype=torch.float32)[500:600].view(10, 10).t(),
               "tied": torch.arange(100, dtype=torch.float32), "empty": torch.empty(0, 3), "one": torch.tensor(7, dtype=torch.int64),
               "bits": torch.tensor([True, False, True])}
    sizes, blob, text = [], b"", ""
    for index, (name, tensor) in enumerate(tensors.items()):
        storage = bytes(tensor.untyped_storage())
        size = len(storage) + -len(storage) % 64
        blob += storage.ljust(size, b"\0")
        text += row(index, name, tensor.shape, tensor.stride(), size, tensor.storage_offset(), str(tensor.dtype).split(".")[1])
    (tmp_path / "blob").write_bytes(blob)
    (tmp_path / "wrapper.cpp").write_text(text)
    rows = aoti.read_table(str(tmp_path / "wrapper.cpp"))
    aoti.write_weights(rows, str(tmp_path / "blob"), str(tmp_path))
    back = weights.map_weights(str(tmp_path / "weights.bin"), str(tmp_path / "weights.json"))
    assert list(back) == list(tensors)
    for name, tensor in tensors.items():
        assert torch.equal(back[name], tensor) and back[name].stride() == tensor.stride() and back[name].dtype == tensor.dtype
    table = {each["name"]: each for each in json.loads((tmp_path / "weights.json").read_text())["tensors"]}
    assert table["a"]["offset"] == table["tied"]["offset"]
    assert table["view"]["nbytes"] < 600  # of 4000: what it spans
    assert all(each["offset"] % 64 == 0 and each["offset"] + each["nbytes"] <= os.path.getsize(tmp_path / "weights.bin") for each in table.values())


@pytest.mark.parametrize("change,words", [
    ({"from_folded": "true"}, "computed at run time"), ({"layout": "cached_torch_layout_sparse"}, "layout"),
    ({"data_size": "128"}, "their table says otherwise"), ({"shape": "{1000}"}, "outside of its range")])
def test_a_table_that_does_not_fit_its_constants_is_refused(tmp_path, change, words):
    from consort_prepare import aoti
    (tmp_path / "blob").write_bytes(bytes(64))
    (tmp_path / "wrapper.cpp").write_text(row(0, "a", [16], [1], 64, more=change.items()))
    with pytest.raises(RuntimeError, match=words):
        aoti.write_weights(aoti.read_table(str(tmp_path / "wrapper.cpp")), str(tmp_path / "blob"), str(tmp_path))


def test_a_close_race_goes_to_the_earlier_variant():
    from consort_prepare import variants

    def winner(*ms):
        made = [variants.Made(name, 1, "", 0, "", each) for name, each in zip(("packed", "unpacked", "unfrozen"), ms)]
        return variants.fastest(made).variant

    assert winner(8.0, 9.0, 12.0) == "packed"
    assert winner(169, 70.8, 70.3) == "unpacked"
    assert winner(10.2, 10.1, 10.0) == "packed"
    assert winner(20, 15, 10) == "unfrozen"
