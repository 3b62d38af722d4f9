"""`consort compare` as a person calls it, on the null worker."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/end_to_end"))

import bundles as made_bundles  # noqa: E402
import processes  # noqa: E402
import program  # noqa: E402
from test_report import Page  # noqa: E402

SEGMENT_US = "4000"  # what a null segment takes: as quick as a small model


@pytest.fixture(scope="session")
def runner(tmp_path_factory):
    path = pathlib.Path(os.environ.get("CONSORT_BIN", ROOT / "build/release/bin/consort")).resolve()
    if not os.access(path.with_name("consort-compare"), os.X_OK):
        pytest.fail(f"no program consort-compare beside {path}: call tools/test, or set CONSORT_BIN")
    made = program.Runner(path, tmp_path_factory.mktemp("home"))
    yield made
    made.end_all()


@pytest.fixture
def compare(runner):
    """compare(*words, timeout=, …) → Run"""
    return lambda *words, **options: runner.run("compare", *words, env={"CONSORT_NULL_SEGMENT_US": SEGMENT_US}, timeout=120, **options)


@pytest.fixture
def bundle(tmp_path):
    return made_bundles.write_null_bundle(tmp_path / "null", segment_seconds=0.1, hop_seconds=0.1)


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    import wave
    path = tmp_path_factory.mktemp("sound") / "short.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(bytes(2 * 16000 * 2))
    return path


def refused(run, status, *words):
    assert run.exit == status and run.stdout == "", run.stderr
    assert run.stderr.startswith("consort: "), run.stderr
    for word in words:
        assert word in run.stderr, run.stderr


def test_it_measures_and_writes_a_report(compare, bundle, sound, tmp_path):
    run = compare("-m", bundle, "--minutes", 0.2, "--grid", "1,2x1", "-o", tmp_path / "out.html", sound)
    assert run.exit == 0, run.stderr
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.faults == [] and page.fetched == []
    data = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert json.loads(page.data) == data
    assert data["plan"]["rounds"] >= 2 and data["command"].startswith("consort compare -m ") and "--consort" not in data["command"]
    points = {it["point"]: it for it in data["points"]}
    assert "null 1x1 intra=1" in points
    for it in points.values():
        assert len(it["runs"]) >= 2 and it["estimates"]["per_second"]["mean"] > 0, it
    assert run.stdout.splitlines()[0] == data["words"][0]
    assert re.search(r"consort: round 1 of \d, run 1 of \d+: .*, \d:\d\d left", run.stderr)
    assert list(run.tmp.iterdir()) == [] and sorted(it.name for it in tmp_path.iterdir()) == ["null", "out.html", "out.json"]
    assert processes.job_processes(run.test_id) == []


def test_a_broken_file_and_a_name_that_is_no_text_spoil_nothing(compare, bundle, sound, tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9.wav")
    odd.write_bytes(sound.read_bytes())
    (tmp_path / "broken.wav").write_text("no sound")
    run = compare("-m", bundle, "--minutes", 0.1, "--grid", "1x1", "-o", tmp_path / os.fsdecode(b"o\xfft.html"), tmp_path / "broken.wav", odd)
    assert run.exit == 0, run.stderr
    assert run.stdout.splitlines()[-1] == f"report: {tmp_path}/o\\udcfft.html"
    page = Page((tmp_path / os.fsdecode(b"o\xfft.html")).read_text(encoding="utf-8"))
    data = json.loads((tmp_path / os.fsdecode(b"o\xfft.json")).read_text(encoding="utf-8"))
    assert page.faults == [] and json.loads(page.data) == data
    assert str(odd) in data["audio"]["words"] and str(odd) in data["command"]
    assert data["points"]  # which of them there was time for, depends


def test_help_and_a_wrong_command_line(compare, bundle, sound):
    run = compare("--help")
    assert run.exit == 0 and "--grid" in run.stdout and "--consort" not in run.stdout and "usage: consort compare -m BUNDLE" in run.stdout
    refused(compare(), 2, "no model", 'try "consort compare --help"')
    for wrong in ("1,2", "1,2x", "0x1", "1,ax1", "1x1x1", "²x1"):
        refused(compare("-m", bundle, "--grid", wrong, sound), 2, "--grid takes", wrong)
    for wrong in ("0", "-1", "nan", "soon"):
        refused(compare("-m", bundle, "--minutes", wrong, sound), 2, "--minutes takes", wrong)
    for wrong, meant in (("--gird", "--grid"), ("--minuts=2", "--minutes"), ("-quiet", "--quiet"), ("--modle", "--model")):
        refused(compare("-m", bundle, wrong, "1x1", sound), 2, f'unknown option "{wrong}": did you mean {meant}?\n')
    refused(compare("-m", bundle, "--gpu", sound), 2, 'unknown option "--gpu"\n')
    refused(compare("-m", bundle, sound, "--minutes"), 2, "consort: --minutes needs a value\n")
    for option, value in (("--minutes", 5), ("-o", "out.html"), ("--json", "out.json"), ("--grid", "1x1")):
        refused(compare("-m", bundle, option, value, sound, option, value), 2, "is given more than once, and takes one value")
    for option in ("--output", "--json"):
        refused(compare("-m", bundle, option, "-", sound), 2, f"consort: {option} takes a file")


def test_what_cannot_be_measured_is_told_before_anything_is_written(compare, bundle, sound, tmp_path):
    out = tmp_path / "out.html"
    refused(compare("-m", tmp_path / "none", "-o", out, sound), 1, 'could not open "', "none/model.json", "no such file")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/model.json").write_text("[]")
    refused(compare("-m", tmp_path / "odd", "-o", out, sound), 1, "is not the manifest")
    (tmp_path / "empty.txt").write_text("\n")
    refused(compare("-m", bundle, "-o", out, tmp_path / "empty.txt"), 1, "null: ", "is empty; name some audio")
    (tmp_path / "folder").mkdir()
    refused(compare("-m", bundle, "-o", out, tmp_path / "folder"), 1, "is empty; name some audio")
    refused(compare("-m", bundle, "-o", out, tmp_path / "missing.txt"), 1, "missing.txt")
    refused(compare("-m", bundle, "-o", out, tmp_path / "missing.wav"), 1, f'the first: "{tmp_path}/missing.wav": not_found')
    (tmp_path / "broken.wav").write_text("no sound")
    refused(compare("-m", bundle, "-o", out, tmp_path / "broken.wav"), 1, "null: ", f'the first: "{tmp_path}/broken.wav": not_audio, ', "name audio")
    (tmp_path / "broken.txt").write_text("broken.wav\nmissing.wav\n")
    refused(compare("-m", bundle, "-o", out, tmp_path / "broken.txt"), 1, 'the first: "broken.wav": not_audio, ')
    refused(compare("-m", bundle, "-o", out, "-"), 1, "standard input")
    assert not [it for it in tmp_path.iterdir() if "out." in it.name]


def test_an_output_that_cannot_be_written_is_told_before_measuring(compare, bundle, sound, tmp_path):
    for wrong, word in ((tmp_path / "no/out.html", "no such file"), (tmp_path, "it is a folder")):
        run = compare("-m", bundle, "-o", wrong, "--minutes", 5, sound)
        refused(run, 1, "could not write", word)
        assert len(run.stderr_lines()) == 1, "no model was looked at, no recording made"
    refused(compare("-m", bundle, "-o", tmp_path / "out.json", sound), 1, "would both be")
    before = sound.read_bytes()
    for words in (("-o", sound), ("--json", sound)):
        refused(compare("-m", bundle, *words, sound), 1, "is to be read", "name another output")
    assert sound.read_bytes() == before


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
def test_a_signal_ends_it_and_leaves_nothing(runner, bundle, sound, tmp_path, number):
    job = runner.start("compare", "-m", bundle, "--minutes", 5, "-o", tmp_path / "out.html", sound,
                       env={"CONSORT_NULL_SEGMENT_US": SEGMENT_US})
    assert processes.wait_until(lambda: any(it.name.startswith("consort-worker") for it in job.workers()), 60)
    job.signal(number)
    run = job.wait(60)
    assert run.exit == 128 + number
    assert run.stderr.splitlines()[-1] == "consort: stopped before there was something to report; nothing was written"
    assert processes.wait_until(lambda: not processes.job_processes(run.test_id), 10)
    assert list(run.tmp.iterdir()) == [] and [it.name for it in tmp_path.iterdir()] == ["null"]


def test_a_killed_comparison_leaves_no_job_running(runner, bundle, sound, tmp_path):
    job = runner.start("compare", "-m", bundle, "--minutes", 5, "-o", tmp_path / "out.html", sound,
                       env={"CONSORT_NULL_SEGMENT_US": SEGMENT_US})
    assert processes.wait_until(lambda: any(it.name.startswith("consort-worker") for it in job.workers()), 60)
    left = [it.name for it in job.tmp.iterdir()]
    assert left and all(it.startswith("consort-compare-") for it in left)
    job.signal(signal.SIGKILL)
    job.wait(60)
    assert processes.wait_until(lambda: not processes.job_processes(job.test_id), 10)
    # The next one takes away what this one could not.
    run = runner.run("compare", "-m", tmp_path / "null", "-o", tmp_path / "out.html", tmp_path / "missing.wav", env={"TMPDIR": str(job.tmp)})
    assert run.exit == 1 and list(job.tmp.iterdir()) == []


def test_without_its_launcher_consort_says_so(tmp_path):
    path = pathlib.Path(os.environ.get("CONSORT_BIN", ROOT / "build/release/bin/consort")).resolve()
    alone = tmp_path / "consort"
    alone.write_bytes(path.read_bytes())
    alone.chmod(0o755)
    done = subprocess.run([alone, "compare", "-m", "x"], capture_output=True, text=True)
    assert done.returncode == 1 and "consort-compare" in done.stderr and "belongs beside consort" in done.stderr
