"""Command lines that make no sense, outputs that cannot be, and more engines than CPUs."""

import os

import pytest

import audio
import program


@pytest.fixture
def sound(tmp_path):
    return audio.make(tmp_path / "a.wav", seconds=4.0, rate=16000)


@pytest.mark.parametrize("words,named", [
    (["-p", "0"], "-p"), (["-p", "-1"], "-p"), (["-p", "x"], "-p"), (["-p", "1.5"], "-p"),
    (["-t", "0"], "-t"), (["-t", "x"], "-t"), (["-t", ""], "-t"),
    (["--intra", "0"], "--intra"), (["--attempts", "0"], "--attempts"),
    (["--progress", "dance"], "--progress"), (["--no-such-option"], "--no-such-option"),
    (["--quiet", "-v"], "-v"), (["-p", "99999999999999999999"], "-p"),
], ids=" ".join)
def test_senseless_option_is_a_usage_error_that_names_it(run_consort, null_bundle, sound, tmp_path,
                                                         words, named):
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", *words, sound)
    assert run.exit == program.USAGE
    assert run.stdout == ""
    assert named in run.stderr
    assert 1 <= len(run.stderr_lines()) <= 2, "one line, and a hint below"
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("words", [[], ["run"], ["dance"], ["run", "a.wav"], ["run", "-m", "bundle"]],
                         ids=lambda words: " ".join(words) or "nothing")
def test_incomplete_command_is_a_usage_error(run_consort, tmp_path, words):
    run = run_consort(*words, cwd=tmp_path)
    assert run.exit == program.USAGE
    assert run.stderr_lines() and run.stdout == ""


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]], ids=" ".join)
def test_help_goes_to_standard_output(run_consort, words):
    run = run_consort(*words)
    assert (run.exit, run.stderr) == (program.DONE, "")
    assert "consort" in run.stdout


def test_help_says_that_a_bundle_is_a_program(run_consort):
    assert "trust" in run_consort("run", "--help").stdout


def test_output_in_a_folder_that_does_not_exist(run_consort, null_bundle, sound, tmp_path):
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "no folder/out.jsonl", "--quiet", sound)
    assert run.exit == program.FAILED
    [line] = run.stderr_lines()
    assert "no folder" in line
    assert not (tmp_path / "no folder").exists()


def test_output_in_a_folder_that_may_not_be_written(run_consort, null_bundle, sound, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "locked/out.jsonl", "--quiet", sound,
                      without_root_powers=True)
    assert run.exit == program.FAILED
    [line] = run.stderr_lines()
    assert "locked" in line and "permission denied" in line.lower()


def test_output_that_is_a_folder(run_consort, null_bundle, sound, tmp_path):
    (tmp_path / "out.jsonl").mkdir()
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "--quiet", sound)
    assert run.exit == program.FAILED
    [line] = run.stderr_lines()
    assert "out.jsonl" in line


def test_output_that_is_not_ours_is_kept_unless_told(run_consort, null_bundle, sound, tmp_path):
    output = tmp_path / "out.jsonl"
    output.write_text("{\"file\":\"precious\"}\n")
    run = run_consort("run", "-m", null_bundle(), "-o", output, "--quiet", sound)
    assert run.exit == program.FAILED
    [line] = run.stderr_lines()
    assert "out.jsonl" in line and "--restart" in line
    assert output.read_text() == "{\"file\":\"precious\"}\n"

    run = run_consort("run", "-m", null_bundle(), "-o", output, "--restart", sound)
    assert run.exit == program.DONE, run.stderr
    assert [line["start"] for line in program.read_results(output)] == [0.0, 3.0]


def test_output_dash_carries_results_and_nothing_else(run_consort, null_bundle, sound, tmp_path):
    bundle = null_bundle()
    to_file = run_consort("run", "-m", bundle, "-o", tmp_path / "out.jsonl", sound)
    to_stdout = run_consort("run", "-m", bundle, "-o", "-", sound, cwd=tmp_path)
    assert (to_file.exit, to_stdout.exit) == (program.DONE, program.DONE), to_stdout.stderr
    assert to_file.stdout == ""
    assert to_stdout.stdout == (tmp_path / "out.jsonl").read_text()


def test_full_disk_ends_the_job_with_a_sentence(run_consort, null_bundle, sound):
    run = run_consort("run", "-m", null_bundle(), "-o", "/dev/full", "--quiet", sound)
    assert run.exit == program.FAILED
    [line] = run.stderr_lines()
    assert "/dev/full" in line and "no space left" in line.lower()


def test_more_engines_than_cpus_is_one_warning(run_consort, null_bundle, sound, tmp_path):
    cpus = len(os.sched_getaffinity(0))
    few = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "few.jsonl", "--quiet",
                      "-p", 1, "-t", 1, sound)
    many = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "many.jsonl", "--quiet",
                       "-p", cpus + 1, "-t", 2, sound)
    assert (few.exit, many.exit) == (program.DONE, program.DONE), many.stderr
    said = [line for line in many.stderr_lines() if "CPU" in line]
    assert len(said) == 1 and str(2 * (cpus + 1)) in said[0]
    assert not any("CPU" in line for line in few.stderr_lines())
    assert (tmp_path / "many.jsonl").read_bytes() == (tmp_path / "few.jsonl").read_bytes()


def test_a_job_that_never_began_leaves_no_file_that_refuses_the_next_try(run_consort, tmp_path, null_bundle, sounds):
    out = tmp_path / "out.jsonl"
    for trouble in (dict(env={"CONSORT_WORKER": "/bin/false"}), dict(env={"CONSORT_WORKER": "/nowhere"})):
        assert run_consort("run", "-m", null_bundle(), "-o", out, sounds.flacs[0], **trouble).exit == 1
        assert not out.exists()
    assert run_consort("run", "-m", null_bundle(), "-o", out, tmp_path / "no-list").exit == 1
    assert not out.exists()
    assert run_consort("run", "-m", null_bundle(), "-o", out, sounds.flacs[0]).exit == 0


OLD = '{"file":"old"}\n'


@pytest.mark.parametrize("operand", ["recordigns/", "recordigns", "no_such_list.txt", "sounds.txt/more"])
@pytest.mark.parametrize("output", ["out.jsonl", "-"])
def test_an_operand_that_is_missing_is_refused_before_anything_is_made(run_consort, tmp_path, null_bundle, sound, operand,
                                                                      output):
    bundle = null_bundle()
    (tmp_path / "sounds.txt").write_text(f"{sound}\n")
    before = sorted(tmp_path.iterdir())
    os.utime(tmp_path, (0, 0))
    run = run_consort("run", "-m", bundle, "-o", output, "--quiet", sound, operand, cwd=tmp_path)
    assert run.exit == program.FAILED
    [line] = run.stderr_lines()
    assert f'could not open "{operand}"' in line and "name a list, a folder, or a file with" in line
    assert sorted(tmp_path.iterdir()) == before
    assert tmp_path.stat().st_mtime == 0, "nor was anything made and taken away"


@pytest.mark.parametrize("words,meant", [
    (["run", "--segment-timout", "5"], "--segment-timeout"), (["run", "--memorylimit=4G"], "--memory-limit"),
    (["run", "-quiet"], "--quiet"), (["status", "--jason"], "--json"), (["rum"], "run"), (["docter"], "doctor"),
], ids=str)
def test_what_was_meant_is_told(run_consort, words, meant):
    run = run_consort(*words, "x.wav")
    assert run.exit == program.USAGE
    assert f"did you mean {meant}?" in run.stderr_lines()[0]


def test_restart_with_a_typo_keeps_the_old_results(run_consort, tmp_path, null_bundle, sounds):
    out = tmp_path / "out.jsonl"
    out.write_text(OLD)
    assert run_consort("run", "-m", null_bundle(), "-o", out, "--restart", tmp_path / "no-list").exit == 1
    assert out.read_text() == OLD


def test_restart_keeps_the_old_results_when_the_job_cannot_start(run_consort, tmp_path, null_bundle, sounds):
    out = tmp_path / "out.jsonl"
    out.write_text(OLD)
    run = run_consort("run", "-m", null_bundle(), "-o", out, "--restart", sounds.flacs[0],
                      env={"CONSORT_WORKER": "/bin/false"})
    assert run.exit == 1
    assert out.read_text() == OLD
    assert run_consort("run", "-m", null_bundle(), "-o", out, "--restart", sounds.flacs[0]).exit == 0
    assert "old" not in out.read_text() and out.read_text().startswith('{"file":')


def test_a_recording_in_a_folder_is_never_written_over(run_consort, tmp_path, null_bundle, sounds):
    folder = tmp_path / "rec"
    folder.mkdir()
    sound = folder / "a.wav"
    before = open(sounds.wavs[0], "rb").read()
    sound.write_bytes(before)
    for options in ((), ("--restart",)):
        run = run_consort("run", "-m", null_bundle(), "-o", sound, *options, folder)
        assert run.exit == 1 and "does not look like results" in run.stderr and "--restart" not in run.stderr
        assert sound.read_bytes() == before


def test_the_output_is_never_an_operand(run_consort, tmp_path, null_bundle, sounds):
    sound = tmp_path / "a.wav"
    sound.write_bytes(open(sounds.wavs[0], "rb").read())
    before = sound.read_bytes()
    run = run_consort("run", "-m", null_bundle(), "-o", sound, "--restart", sound)
    assert run.exit == 1 and "cannot be the output as well" in run.stderr
    assert sound.read_bytes() == before


def test_a_closed_standard_output_loses_no_results_in_silence(consort, tmp_path, null_bundle, sounds):
    import subprocess
    words = ["bash", "-c", '"$0" run --quiet -m "$1" -o - "$2" >&-', consort, null_bundle(), sounds.flacs[0]]
    run = subprocess.run(words, stderr=subprocess.PIPE, timeout=30)
    assert run.returncode == 1 and b"could not write" in run.stderr


@pytest.mark.parametrize("audio, prepared, words", [
    ({"hop_seconds": 1.5}, {}, "audio.hop_seconds is not audio.segment_seconds"),
    ({}, {"batch": 4}, "was prepared for batches of 4"),
])
def test_a_bundle_whose_state_cannot_go_from_segment_to_segment_is_refused(run_consort, tmp_path, null_bundle, sounds,
                                                                           audio, prepared, words):
    import json
    bundle = null_bundle()
    model = json.loads((bundle / "model.json").read_text())
    model |= {"stateful": True, "audio": model["audio"] | audio, "prepared": model["prepared"] | prepared}
    (bundle / "model.json").write_text(json.dumps(model))
    run = run_consort("run", "-m", bundle, "-o", tmp_path / "out.jsonl", sounds.flacs[0])
    assert run.exit == 1 and words in run.stderr and len(run.stderr_lines()) == 1
