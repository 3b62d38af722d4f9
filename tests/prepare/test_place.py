"""The bundle's folder appears whole, or not at all, and nobody else's is touched."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch

import small_models
from conftest import PREPARE, environment, refused


def state(folder):
    return {name: (os.stat(os.path.join(folder, name)).st_ino, open(os.path.join(folder, name), "rb").read())
            for name in os.listdir(folder)}


def test_a_second_call_does_nothing(workshop):
    assert workshop.write(small_models.Plain()).prepare_by_itself().status == 0
    before = state(workshop.bundle)
    again = workshop.prepare_by_itself()
    assert again.status == 0 and "is up to date" in again.out
    assert state(workshop.bundle) == before


@pytest.mark.parametrize("change", ["model", "manifest", "labels", "lost", "shorter"])
def test_a_change_makes_the_bundle_again(workshop, change):
    torch.manual_seed(1)
    assert workshop.write(small_models.Plain()).prepare().status == 0
    before = workshop.prepared()
    if change == "model":
        workshop.write(small_models.Plain())
    elif change == "manifest":
        text = (workshop.folder / "small.json").read_text()
        workshop.write_manifest(text.replace('"top_k": 2', '"top_k": 1'))
    elif change == "labels":
        (workshop.folder / "labels.txt").write_text("a\nb\nd\n")
    elif change == "lost":
        os.remove(os.path.join(workshop.bundle, "weights.bin"))
    else:
        os.truncate(os.path.join(workshop.bundle, "weights.bin"), 100)
    outcome = workshop.prepare()
    assert outcome.status == 0 and "up to date" not in outcome.out, outcome.err
    after = workshop.prepared()
    assert (after["files"] != before["files"]) == (change in ("model", "labels"))
    for name, entry in after["files"].items():
        with open(os.path.join(workshop.bundle, name), "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("kind", ["folder", "file", "link", "bundle with more in it"])
def test_what_is_not_a_bundle_is_never_replaced(workshop, kind):
    workshop.write(small_models.Plain())
    if kind == "folder":
        os.mkdir(workshop.bundle)
        open(os.path.join(workshop.bundle, "thesis.txt"), "w").close()
    elif kind == "file":
        open(workshop.bundle, "w").close()
    elif kind == "link":
        os.symlink(workshop.folder, workshop.bundle)
    else:
        assert workshop.prepare().status == 0
        open(os.path.join(workshop.bundle, "notes.txt"), "w").close()
        (workshop.folder / "labels.txt").write_text("x\ny\nz\n")
    names = sorted(os.listdir(workshop.folder))
    refused(workshop.prepare(), "is not a bundle", "remove it, or choose another name")
    assert sorted(os.listdir(workshop.folder)) == names


def test_an_empty_folder_may_become_the_bundle(workshop):
    os.mkdir(workshop.bundle)
    assert workshop.write(small_models.Plain()).prepare().status == 0
    assert workshop.prepared()["output_size"] == 3


def test_a_place_whose_folder_is_missing_is_one_sentence(workshop):
    workshop.write(small_models.Plain())
    workshop.bundle = str(workshop.folder / "no" / "bundle")
    refused(workshop.prepare(), "does not exist", "make it first")


# Stops just before the rename, as if the machine were slow there, and says so.
STOPPED = """
import sys, time
sys.path.insert(0, {prepare!r})
from consort_prepare import bundle, cli
def stop(self):
    print("ready", flush=True)
    time.sleep(600)
bundle.Staging.put_in_place = stop
sys.exit(cli.main({args!r}))
"""


def stopped_before_the_rename(workshop):
    script = STOPPED.format(prepare=PREPARE, args=workshop.command()[3:])
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_kill_before_the_rename_leaves_the_old_bundle_whole(workshop, signal_number):
    assert workshop.write(small_models.Plain()).prepare().status == 0
    before = state(workshop.bundle)
    (workshop.folder / "labels.txt").write_text("x\ny\nz\n")
    process = stopped_before_the_rename(workshop)
    process.send_signal(signal_number)
    process.communicate()
    assert state(workshop.bundle) == before
    if signal_number != signal.SIGKILL:
        assert not workshop.left_beside()
    # The next run takes away what the killed one left.
    assert workshop.prepare().status == 0
    assert not workshop.left_beside()
    assert state(workshop.bundle) != before


def test_there_is_a_whole_bundle_at_every_step_of_replacing_one(workshop, monkeypatch):
    assert workshop.write(small_models.Plain()).prepare().status == 0
    (workshop.folder / "labels.txt").write_text("x\ny\nz\n")
    steps = []

    def watched(module, name):
        real = getattr(module, name)

        def step(*args, **kwargs):
            assert set(os.listdir(workshop.bundle)) == {"model.json", *workshop.prepared()["files"]}
            real(*args, **kwargs)
            assert set(os.listdir(workshop.bundle)) == {"model.json", *workshop.prepared()["files"]}
            steps.append(name)
        monkeypatch.setattr(module, name, step)

    watched(shutil, "rmtree")
    watched(os, "rename")
    assert workshop.prepare().status == 0
    assert steps  # the old one was taken away


def test_a_kill_before_the_first_rename_leaves_no_bundle(workshop):
    workshop.write(small_models.Plain())
    process = stopped_before_the_rename(workshop)
    process.kill()
    process.communicate()
    assert not os.path.exists(workshop.bundle)
    assert workshop.prepare().status == 0 and not workshop.left_beside()


def test_what_a_living_run_makes_is_left_alone(workshop):
    workshop.write(small_models.Plain())
    process = stopped_before_the_rename(workshop)
    try:
        assert workshop.prepare().status == 0
        assert len(workshop.left_beside()) == 1
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize("content,words", [
    (b"", ["is not a TorchScript file"]), (b"RIFF....", ["is not a TorchScript file"]), (b"PK\x03\x04 and no more", ["is damaged or cut off"])])
def test_a_model_that_is_no_model_is_one_sentence(workshop, content, words):
    workshop.write(small_models.Plain())
    with open(workshop.model, "wb") as file:
        file.write(content)
    refused(workshop.prepare(), *words)


def test_a_state_dict_is_refused_and_not_loaded(workshop):
    workshop.write(small_models.Plain())
    torch.save(small_models.Plain().state_dict(), workshop.model)
    refused(workshop.prepare(), "has no TorchScript in it", "torch.jit.save")


def test_a_missing_model_is_one_sentence(workshop):
    workshop.write(small_models.Plain())
    os.remove(workshop.model)
    refused(workshop.prepare(), "could not open", "no such file or directory")


def test_a_cut_off_model_is_one_sentence(workshop):
    workshop.write(small_models.Plain())
    os.truncate(workshop.model, os.path.getsize(workshop.model) // 2)
    refused(workshop.prepare(), "is damaged or cut off")


def test_wrong_usage_exits_2(workshop):
    workshop.write(small_models.Plain())
    assert workshop.prepare_by_itself("--zebra").status == 2


@pytest.mark.parametrize("words, told", [
    (["--precison", "bf16"], 'unknown option "--precison": did you mean --precision?'),
    (["--zebra=1"], 'unknown option "--zebra=1"'),
    (["--precision", "bf61"], '--precision takes fp32, bf16 or int8, not "bf61"'),
    (["--batch", "0"], '--batch takes auto or a number from 1 to 64, not "0"'),
    (["--manifest"], "--manifest needs a value"),
    (["other.pt"], '"other.pt" is too much: one MODEL makes one bundle'),
])
def test_wrong_usage_is_told_in_one_line(workshop, words, told):
    outcome = workshop.prepare(*words)
    assert outcome.status == 2 and outcome.err == f'consort-prepare: {told}\ntry "consort-prepare --help"\n'


@pytest.mark.parametrize("precision, drift, told", [
    ("bf16", {}, "\nhow far bf16 moves the scores is not known: --verify AUDIO measures it, over sounds like yours"),
    ("bf16", {"audio_sha256": "0"}, ""), ("fp32", {}, "")])
def test_fewer_bits_that_nobody_compared_are_told(workshop, monkeypatch, precision, drift, told):
    from consort_prepare import bundle
    workshop.write(small_models.Plain())
    workshop.backend = "auto"
    monkeypatch.setattr(bundle, "up_to_date", lambda *_: {"prepared": {"drift": drift} if drift else {}})
    assert workshop.prepare("--precision", precision).out == f"{workshop.bundle} is up to date{told}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_a_sentence(workshop, monkeypatch, number):
    from consort_prepare import bundle
    workshop.write(small_models.Plain())
    monkeypatch.setattr(bundle, "up_to_date", lambda *_: os.kill(os.getpid(), number))
    handler = signal.getsignal(signal.SIGHUP)
    try:
        outcome = workshop.prepare()
    finally:
        signal.signal(signal.SIGHUP, handler)
    assert outcome.status == 128 + number
    assert outcome.err == "consort-prepare: stopped; no bundle was made\n" and not os.path.exists(workshop.bundle)


def test_help_says_that_a_bundle_is_a_program(workshop):
    outcome = workshop.prepare("--help")
    assert outcome.status == 0 and "run only what you trust" in " ".join(outcome.out.split())
