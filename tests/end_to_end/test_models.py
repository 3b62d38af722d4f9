"""consort models: what there is to begin with, and made."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

import processes
import program

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/models"))

from consort_models import catalog, cli  # noqa: E402


def test_each_model_is_listed_with_its_weights_and_whether_it_is_made(run_consort, cnn14_quarter):
    done = run_consort("models")
    assert done.exit == program.DONE and done.stderr == ""
    blocks = done.stdout.split("\n\n", 1)[1]
    for model in catalog.MODELS:
        assert f"\n{model.name} " in f"\n{blocks}" and model.weights in blocks
    own = blocks.split("cnn14-quarter ", 1)[1].splitlines()[:3]
    assert own[2].strip() == "made"


def test_help_goes_to_standard_output(run_consort):
    done = run_consort("models", "--help")
    assert done.exit == program.DONE and done.stdout.startswith("consort models: ") and done.stderr == ""


@pytest.mark.parametrize("words, told", [
    (["silro"], 'unknown model "silro": did you mean silero? there are silero, '),
    (["zebra"], 'unknown model "zebra": there are silero, '),
    (["--all"], 'unknown option "--all"'),
    (["silero", "zebra"], 'unknown model "zebra"')])
def test_a_slip_is_a_usage_error(run_consort, words, told):
    done = run_consort("models", *words)
    assert done.exit == program.USAGE and done.stdout == "" and f"consort: {told}" in done.stderr
    assert done.stderr.endswith('try "consort models --help"\n')


@pytest.fixture
def maker(monkeypatch, tmp_path):
    """maker(status): a folder whose tools/models/make ends so, and writes its words into "asked"."""
    def make(status):
        script = tmp_path / "tools/models/make"
        script.parent.mkdir(parents=True)
        script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho what went wrong >&2\nexit {status}\n')
        script.chmod(0o755)
        monkeypatch.setattr(catalog, "ROOT", str(tmp_path))
        monkeypatch.setattr(catalog, "BUNDLES", str(tmp_path / "build/bundles"))
        return tmp_path / "asked"
    return make


def test_each_model_is_made_once_and_the_command_that_runs_it_is_told(maker, monkeypatch, capfd, tmp_path):
    asked = maker(0)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["silero", "cnn14", "silero"]) == program.DONE
    assert asked.read_text() == "silero\ncnn14\n"
    assert capfd.readouterr().out == "consort run -m build/bundles/silero FILES\nconsort run -m build/bundles/cnn14 FILES\n"


def test_a_model_that_is_made_is_left_alone_unless_asked_for(maker, monkeypatch, capfd, tmp_path):
    asked = maker(0)
    monkeypatch.chdir(tmp_path)
    bundle = tmp_path / "build/bundles/silero"
    bundle.mkdir(parents=True)
    (bundle / "model.json").write_text("{}")
    assert cli.main(["silero", "cnn14"]) == program.DONE
    assert asked.read_text() == "cnn14\n"
    said = capfd.readouterr()
    assert said.err.startswith("consort: silero is made and is left as it is\n") and "bundles/silero FILES" in said.out
    assert cli.main(["--update", "silero"]) == program.DONE
    assert asked.read_text() == "cnn14\nsilero\n"
    assert cli.main(["--update"]) == program.USAGE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_whoever_stops_it_stops_what_makes_the_model(tmp_path, number):
    script = tmp_path / "tools/models/make"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/bash\npython3 -c 'import time; time.sleep(60)' &\necho $! > {tmp_path}/new && mv {tmp_path}/new {tmp_path}/begun\nwait\n")
    script.chmod(0o755)
    code = ("import sys; from consort_models import catalog, cli; catalog.ROOT, catalog.BUNDLES = sys.argv[1:]; "
            "sys.exit(cli.main(['cnn14']))")
    told = subprocess.Popen([sys.executable, "-c", code, tmp_path, tmp_path / "bundles"], stderr=subprocess.PIPE, text=True,
                            env=os.environ | {"PYTHONPATH": str(ROOT / "tools/models")}, start_new_session=True)
    assert processes.wait_until((tmp_path / "begun").exists)
    told.send_signal(number)
    assert told.communicate(timeout=20)[1] == "consort: stopped\n" and told.returncode == 128 + number
    worker = pathlib.Path("/proc", (tmp_path / "begun").read_text().strip())
    assert processes.wait_until(lambda: not worker.exists())


def test_a_model_that_cannot_be_made_ends_it(maker, capfd):
    asked = maker(7)
    assert cli.main(["silero", "cnn14"]) == program.FAILED
    assert asked.read_text() == "silero\n"
    said = capfd.readouterr()
    assert said.err == "what went wrong\nconsort: silero was not made; what went wrong stands above\n" and said.out == ""


def test_what_a_model_is_made_with_and_is_not_there_is_told_with_the_command_that_brings_it(monkeypatch, capsys):
    needs = (catalog.Need("program", "no-such-speaker", "tools/setup --for models"),)
    monkeypatch.setattr(catalog, "MODELS", (catalog.Model("talker", "talks", "none", "no time", needs),))
    assert cli.main(["talker"]) == program.FAILED
    assert capsys.readouterr().err == ("consort: talker needs the program no-such-speaker, which is not there; "
                                       "run tools/setup --for models\n")
    assert cli.main([]) == program.DONE
    assert "not made, takes no time; first: tools/setup --for models" in capsys.readouterr().out


def test_each_model_is_known_to_its_maker_and_has_its_words():
    known = subprocess.run([ROOT / "tools/models/make", "no-such-model"], capture_output=True, text=True).stderr
    told = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    for model in catalog.MODELS:
        assert f" {model.name} " in known and f"`{model.name}`" in told
    makes = known.partition("known are ")[2].partition(" and the groups")[0].split()
    variants = ("-bf16", "-int8", "-torchscript")
    assert {name for name in makes if not name.endswith(variants)} == {model.name for model in catalog.MODELS} | {"null"}


def test_each_need_is_one_that_is_there_or_not():
    assert catalog.Need("Python package", "torch", "x").is_there() and not catalog.Need("Python package", "no_such", "x").is_there()
    assert catalog.Need("file", "/", "x").is_there() and not catalog.Need("file", "/no/such", "x").is_there()
    assert catalog.Need("program", "sh", "x").is_there()
