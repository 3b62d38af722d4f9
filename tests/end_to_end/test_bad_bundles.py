"""A bundle that is not whole, or not what it says, ends the job before any work: exit status 1,
and one line that names the bundle's file and what to do."""

import pytest

import audio
import bundles
import program


@pytest.fixture
def refused(run_consort, tmp_path):
    """refused(bundle) → the line on standard error."""

    def run(bundle):
        audio.make(tmp_path / "a.wav", seconds=4.0, rate=32000)
        done = run_consort("run", "-m", bundle, "-o", tmp_path / "out.jsonl", "--quiet",
                           tmp_path / "a.wav")
        assert done.exit == program.FAILED, done.stderr
        assert done.stdout == ""
        [line] = done.stderr_lines()
        return line

    return run


@pytest.fixture
def real(cnn14_quarter, tmp_path):
    return bundles.copy(cnn14_quarter, tmp_path / "spoiled bundle")


def test_bundle_that_is_not_there(refused, tmp_path):
    assert "no such bundle" in refused(tmp_path / "no such bundle")


def test_bundle_of_that_name_is_suggested_where_it_is(run_consort, tmp_path, null_bundle):
    (tmp_path / "build/bundles").mkdir(parents=True)
    null_bundle().rename(tmp_path / "build/bundles/digits")
    audio.make(tmp_path / "a.wav", seconds=1.0)
    run = run_consort("run", "-m", "digits", "a.wav", cwd=tmp_path)
    assert run.exit == program.FAILED and 'did you mean "build/bundles/digits"?' in run.stderr
    run = run_consort("run", "-m", "digit", "a.wav", cwd=tmp_path)
    assert run.exit == program.FAILED and "a bundle is a folder made by consort-prepare" in run.stderr


def test_bundle_that_is_a_file(refused, tmp_path):
    (tmp_path / "some file").write_text("x")
    assert "some file" in refused(tmp_path / "some file")


def test_folder_that_is_no_bundle(refused, tmp_path):
    (tmp_path / "folder").mkdir()
    assert "model.json" in refused(tmp_path / "folder")


def test_missing_weights(refused, real):
    (real / "weights.bin").unlink()
    assert "weights.bin" in refused(real)


@pytest.mark.parametrize("bytes_left", [0, 1000, -64], ids=["empty", "1000 bytes", "64 bytes less"])
def test_shorter_weights(refused, real, bytes_left):
    content = (real / "weights.bin").read_bytes()
    (real / "weights.bin").write_bytes(content[:bytes_left])
    line = refused(real)
    assert "weights.bin" in line and "bytes" in line


@pytest.mark.parametrize("place", [0, 0.5, -1], ids=["first byte", "middle", "last byte"])
def test_altered_weights(refused, real, place):
    content = bytearray((real / "weights.bin").read_bytes())
    content[place if isinstance(place, int) else int(len(content) * place)] ^= 1
    (real / "weights.bin").write_bytes(content)
    assert "weights.bin" in refused(real)


@pytest.mark.parametrize("name", ["weights.json", "labels.txt"])
def test_altered_small_file(refused, real, name):
    with open(real / name, "ab") as file:
        file.write(b" ")
    assert name in refused(real)


def test_labels_that_are_more_than_the_models_outputs(refused, real):
    with open(real / "labels.txt", "ab") as file:
        file.write(b"one too many\n")
    bundles.list_again(real, "labels.txt")
    manifest = bundles.read_manifest(real)
    labels = len((real / "labels.txt").read_text().splitlines())
    manifest["prepared"].pop("output_size", None)
    bundles.write_manifest(real, manifest)
    line = refused(real)
    assert str(labels) in line and str(labels - 1) in line


@pytest.mark.parametrize("change,word", [
    (lambda m: m.update(colour="blue"), "colour"),
    (lambda m: m["audio"].update(rate=1), "rate"),
    (lambda m: m["features"].update(n_mel=1), "n_mel"),
    (lambda m: m["audio"].pop("sample_rate"), "sample_rate"),
    (lambda m: m["audio"].update(sample_rate="fast"), "sample_rate"),
    (lambda m: m["audio"].update(hop_seconds=0), "hop_seconds"),
    (lambda m: m["output"].update(kind="dance"), "kind"),
    (lambda m: m.update(consort=2), "consort"),
], ids=["unknown key", "unknown key in audio", "unknown key in features", "missing key", "text for a number",
        "no hop", "unknown kind", "another version"])
def test_manifest_that_breaks_a_rule(refused, null_bundle, change, word):
    folder = null_bundle()
    manifest = bundles.read_manifest(folder)
    change(manifest)
    bundles.write_manifest(folder, manifest)
    line = refused(folder)
    assert "model.json" in line and word in line


def test_manifest_that_was_never_prepared(refused, null_bundle):
    folder = null_bundle()
    manifest = bundles.read_manifest(folder)
    del manifest["prepared"]
    bundles.write_manifest(folder, manifest)
    line = refused(folder)
    assert str(folder) in line and "consort-prepare" in line


@pytest.mark.parametrize("content", ["", "{", "[]", '{"consort": 1', "\x00" * 100],
                         ids=["empty", "half", "a list", "cut", "zeros"])
def test_manifest_that_is_no_json_object(refused, null_bundle, content):
    folder = null_bundle()
    (folder / "model.json").write_text(content)
    assert "model.json" in refused(folder)
