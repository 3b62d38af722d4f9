"""Segments that end their workers: found fast, set aside with what is known of them, innocents untouched."""

import json
import math
import os
import re
import resource
import shutil
import signal
import time

import pytest

import audio
from program import DONE, FAILED, SOME_FAILED, USAGE, by_file, read_results


@pytest.fixture
def folder(tmp_path, sounds):
    """Thirty files, each of its own name; poisons are added by `poison`."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for n in range(30):
        (folder / f"{n:02d}.flac").symlink_to(sounds.flacs[n])
    return folder


@pytest.fixture
def poison(folder, sounds):
    """poison("~segv@3~", ...) → the names, as results have them: long files among the others."""
    longest = max(sounds.flacs, key=os.path.getsize)

    def add(*words):
        names = [folder / f"{10 + n}{word}.flac" for n, word in enumerate(words)]
        for name in names:
            name.symlink_to(longest)
        return [str(name) for name in names]
    return add


@pytest.fixture
def bundle(null_bundle):
    return null_bundle(segment_seconds=0.25, hop_seconds=0.25)


def quarantine(out):
    path = out.with_name(out.name + ".job") / "quarantine.jsonl"
    return [json.loads(line) for line in path.read_bytes().decode("utf-8").splitlines()] if path.exists() else []


def log_lines(out, name="log"):
    return (out.with_name(out.name + ".job") / name).read_bytes().split(b"\n")[:-1]


def crashes(run):
    found = re.search(r"restarts +(?:[\d,]+ workers? \(([\d,]+) crashed)?", run.stderr)
    return int((found.group(1) or "0").replace(",", ""))


def test_two_poisons_in_one_task_cost_their_own_lines_and_few_deaths(run_consort, tmp_path, bundle, folder,
                                                                     poison):
    calm, out = tmp_path / "calm.jsonl", tmp_path / "out.jsonl"
    assert run_consort("run", "-m", bundle, "-o", calm, folder).exit == DONE
    names = poison("~segv@3~", "~abort@4~")
    run = run_consort("run", "-m", bundle, "-o", out, "-p", 2, "-t", 4, folder)
    assert run.exit == SOME_FAILED, run.stderr
    files = by_file(read_results(out))
    for name, guilty in zip(names, (3, 4)):
        lines = files.pop(name)
        assert [n for n, line in enumerate(lines) if "error" in line] == [guilty]
        assert len(lines) > guilty + 1, "the file goes on"
    assert files == by_file(read_results(calm))
    assert crashes(run) <= 2 * (3 + math.log2(4))
    told = sorted(quarantine(out), key=lambda line: line["file"])
    assert [line["file"] for line in told] == names
    assert [line["segment"] for line in told] == [3, 4]
    assert [line["signal"] for line in told] == ["SIGSEGV", "SIGABRT"]
    for line in told:
        assert line["start"] == pytest.approx(0.25 * line["segment"], abs=1e-3)
        assert line["sample"] > 0 and line["stage"] == "forward" and line["deaths"] == 3
        assert line["message"] == by_file(read_results(out))[line["file"]][line["segment"]]["error"]["message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["time"])
        assert list(line) == ["file", "segment", "start", "sample", "stage", "signal", "deaths", "message",
                              "log", "time"]


def test_one_engine_names_the_guilty_at_once(run_consort, tmp_path, bundle, folder, poison):
    names = poison("~segv@2~", "~segv@3~")
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", bundle, "-o", out, "-p", 1, "-t", 1, "--attempts", 1, folder)
    assert run.exit == SOME_FAILED, run.stderr
    assert {line["file"] for line in quarantine(out)} == set(names)
    assert crashes(run) == 4, "with one engine: once among others, once alone, each"


def test_what_exits_and_what_cannot_be_opened(run_consort, tmp_path, bundle, folder, poison):
    exits, unopened = poison("~exit@1~", "~bus@open~")
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", bundle, "-o", out, "-p", 2, "-t", 2, "--attempts", 2, folder)
    assert run.exit == SOME_FAILED, run.stderr
    told = {line["file"]: line for line in quarantine(out)}
    assert told[exits]["exit"] == 7 and "signal" not in told[exits] and told[exits]["segment"] == 1
    assert told[unopened]["signal"] == "SIGBUS" and told[unopened]["stage"] == "validate"
    assert "segment" not in told[unopened] and "start" not in told[unopened]
    assert told[unopened]["deaths"] == 2


def test_the_last_words_of_a_worker_are_kept(run_consort, tmp_path, bundle, folder, poison):
    [name] = poison("~cry@2~")
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", bundle, "-o", out, "-p", 2, "-t", 2, folder)
    assert run.exit == SOME_FAILED, run.stderr
    [told] = quarantine(out)
    assert told["file"] == name
    assert told["log"][-1] == "this is the end\N{REPLACEMENT CHARACTER} of segment 2"
    lines = [line for line in log_lines(out) if b"this is the end\xff of segment 2" in line]
    assert len(lines) == crashes(run)
    assert all(re.match(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z worker \d+ slot [01]: this", line)
               for line in lines)
    assert "this is the end" in run.stderr


def test_a_flood_of_words_is_in_the_log_and_not_on_the_terminal(run_consort, tmp_path, bundle, folder, poison):
    poison("~say@0~", "~say@5~")
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", bundle, "-o", out, "-p", 2, folder)
    assert run.exit == DONE, run.stderr
    texts = [line.split(b": ", 1)[1] for line in log_lines(out)]
    assert sorted(texts) == sorted(2 * [b"line %d of many" % n for n in range(10_000)])
    shown = sum(line.startswith("line ") for line in run.stderr_lines())
    hidden = sum(int(n) for n in re.findall(r"and (\d+) more lines? of workers", run.stderr))
    assert shown + hidden == 20_000
    assert shown < 5_000, "50 a second"
    assert f'all in "{out}.job/log"' in run.stderr


def test_a_log_that_cannot_be_written_is_told_once_and_the_job_goes_on(run_consort, tmp_path, bundle, folder,
                                                                       poison):
    poison("~say@0~", "~print@5~")
    out = tmp_path / "out.jsonl"
    (tmp_path / "out.jsonl.job/log").mkdir(parents=True)
    run = run_consort("run", "-m", bundle, "-o", out, folder)
    assert run.exit == DONE, run.stderr
    assert run.stderr.count("could not open") == 1 and "the job goes on" in run.stderr


def test_without_a_folder_words_are_shown(run_consort, bundle, folder, poison):
    poison("~cry@2~")
    run = run_consort("run", "-m", bundle, "-o", "-", "--attempts", 1, folder)
    assert run.exit == SOME_FAILED, run.stderr
    assert run.stderr.count("this is the end") == 2
    assert "this is the end" not in run.stdout


def test_status_counts_and_names_what_is_quarantined(run_consort, tmp_path, bundle, folder, poison):
    segment, unopened = poison("~fpe@2~", "~segv@open~")
    out = tmp_path / "out.jsonl"
    assert run_consort("run", "-m", bundle, "-o", out, folder).exit == SOME_FAILED
    told = json.loads(run_consort("status", "--json", out).stdout)
    assert told["quarantined"] == 2
    assert sorted(told["quarantine"], key=str) == sorted(quarantine(out), key=str)
    text = run_consort("status", out).stdout
    assert "quarantined 2" in text
    assert f"{segment}, segment 2 at 0.5 s: the worker was ended by SIGFPE in stage forward, " in text
    assert f"{unopened}: the worker was ended by SIGSEGV in stage validate, " in text


def test_no_line_is_lost_or_there_twice_whenever_the_supervisor_is_killed(start_consort, run_consort, tmp_path,
                                                                          bundle, folder, poison):
    names = poison(*[f"~segv@{n}~" for n in range(1, 7)])
    calm, out = tmp_path / "calm.jsonl", tmp_path / "out.jsonl"
    words = ("-m", bundle, "-p", 2, "-t", 3, folder)
    assert run_consort("run", "-o", calm, *words).exit == SOME_FAILED
    for n in range(12):
        job = start_consort("run", "-o", out, *words, env={"CONSORT_NULL_SEGMENT_US": "2000",
                                                           "CONSORT_COMMIT_MS": "20"})
        time.sleep(0.03 * n)
        if job.popen.poll() is not None:
            break
        job.signal(signal.SIGKILL)
        job.wait()
        told = [(line["file"], line["segment"]) for line in quarantine(out)]
        assert len(told) == len(set(told))
    run = run_consort("run", "-o", out, *words)
    assert run.exit == SOME_FAILED, run.stderr
    assert out.read_bytes() == calm.read_bytes()
    told = [(line["file"], line["segment"]) for line in quarantine(out)]
    assert sorted(told) == sorted((name, n) for n, name in zip(range(1, 7), names))


def test_a_file_that_was_spoiled_is_made_anew_from_the_journal(run_consort, tmp_path, bundle, folder, poison):
    poison("~segv@1~", "~segv@2~")
    out = tmp_path / "out.jsonl"
    words = ("run", "-m", bundle, "-o", out, folder)
    assert run_consort(*words).exit == SOME_FAILED
    before = sorted(quarantine(out), key=str)
    path = tmp_path / "out.jsonl.job/quarantine.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert "nothing to do" in run_consort(*words).stderr
    assert sorted(quarantine(out), key=str) == before and len(before) == 2
    path.unlink()
    run_consort(*words)
    assert sorted(quarantine(out), key=str) == before
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"")
    assert run_consort(*words, "--restart").exit == SOME_FAILED
    assert not path.exists()


def test_a_retry_that_succeeds_takes_its_line_away(run_consort, tmp_path, bundle, folder, poison):
    cured, stays = poison("~segv@5~", "~segv@1~")
    out = tmp_path / "out.jsonl"
    words = ("run", "-m", bundle, "-o", out, folder)
    assert run_consort(*words).exit == SOME_FAILED
    assert {line["file"] for line in quarantine(out)} == {cured, stays}
    os.unlink(cured)
    audio.make(cured, seconds=0.6)  # shorter than the segment that it is poisoned at
    run = run_consort(*words, "--retry-failed")
    assert run.exit == SOME_FAILED, run.stderr
    assert {line["file"] for line in quarantine(out)} == {stays}
    assert json.loads(run_consort("status", "--json", out).stdout)["quarantined"] == 1


@pytest.fixture
def failing(tmp_path, sounds):
    """A list of 300 files, every fifth of which is not there; mend() makes them."""
    entries = [tmp_path / f"{n:03d}.flac" for n in range(300)]
    for n, entry in enumerate(entries):
        if n % 5:
            entry.symlink_to(sounds.flacs[n % 20])
    listing = tmp_path / "list"
    listing.write_text("".join(f"{entry}\n" for entry in entries))
    return listing


@pytest.mark.parametrize("limit", ["7", "0", "10%", "19.5%"])
def test_too_many_failures_end_the_job_and_it_can_go_on(run_consort, tmp_path, bundle, failing, limit):
    calm, out = tmp_path / "calm.jsonl", tmp_path / "out.jsonl"
    assert run_consort("run", "-m", bundle, "-o", calm, failing).exit == SOME_FAILED
    words = ("run", "-m", bundle, "-o", out, "-p", 1, failing)
    slow = {"CONSORT_NULL_SEGMENT_US": "3000"}
    run = run_consort(*words, "--max-failures", limit, env=slow)
    assert run.exit == FAILED
    said = re.search(r"(\d+) of the (\d+) files so far failed, more than --max-failures (\S+) allows",
                     run.stderr_lines()[-1])
    failed, ended = int(said.group(1)), int(said.group(2))
    assert said.group(3) == limit and "goes on" in run.stderr_lines()[-1]
    assert ended < 300
    if limit.endswith("%"):
        assert ended >= 100 and 100 * failed > float(limit[:-1]) * ended
    else:
        assert failed > int(limit)
    status = json.loads(run_consort("status", "--json", out).stdout)
    assert status["state"] == "stopped" and status["files"]["failed"] == failed
    again = run_consort(*words, "--max-failures", limit)
    assert again.exit == FAILED, "the limit still stands"
    run = run_consort(*words, "--max-failures", "30%")
    assert run.exit == SOME_FAILED, run.stderr
    assert out.read_bytes() == calm.read_bytes()


def test_a_share_of_few_files_ends_nothing(run_consort, tmp_path, bundle):
    listing = tmp_path / "list"
    listing.write_text("".join(f"{n}.wav\n" for n in range(99)))
    run = run_consort("run", "-m", bundle, "-o", tmp_path / "out.jsonl", "--max-failures", "1%", listing)
    assert run.exit == SOME_FAILED, run.stderr


@pytest.mark.parametrize("limit", ["", "x", "-1", "5.5", "101%", "%", "nan%"])
def test_limits_that_make_no_sense_are_refused(run_consort, bundle, folder, limit):
    assert run_consort("run", "-m", bundle, f"--max-failures={limit}", folder).exit == USAGE


def test_three_hundred_workers_have_descriptors_enough(start_consort, tmp_path, bundle, folder, poison):
    """Every worker has a pipe of its own, and the usual limit is 1,024."""
    poison("~say@0~")
    out = tmp_path / "out.jsonl"
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, most[1]))
    try:
        job = start_consort("run", "-m", bundle, "-o", out, "-p", 300, folder,
                            env={"CONSORT_NULL_SEGMENT_US": "400000"})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    seen = 0
    while seen < 300 and job.popen.poll() is None:
        seen = sum(it.name == "consort-worker" for it in job.workers())
    run = job.wait()
    assert run.exit == DONE, run.stderr
    assert seen == 300, "the job ended before all were there: make it slower"
    assert len(log_lines(out)) == 10_000
