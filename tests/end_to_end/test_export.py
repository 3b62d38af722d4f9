"""`consort run --format` and `consort export`: when files are made, where, and what they never replace."""

import json
import os
import pathlib
import signal

import pytest

import jobs
import processes
from program import DONE, FAILED, SOME_FAILED, USAGE, by_file, read_results

SLOW = {"CONSORT_COMMIT_MS": "20", "CONSORT_NULL_SEGMENT_US": "3000"}
EXTENSIONS = (".csv", ".audacity.txt", ".raven.txt", ".rttm", ".ctm", ".srt", ".vtt")
ALL = "csv,audacity,raven,rttm,ctm,srt,vtt"


def tree(folder):
    return {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names}


def beside(tmp_path):
    """What lies beside the results, but for the bundles and what tests make."""
    return {it.name for it in tmp_path.iterdir() if it.name.startswith((".out", "out")) and it.is_file()}


@pytest.fixture
def words(tmp_path, null_bundle, sounds):
    return ("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", *sounds.flacs[:3])


def test_run_makes_every_format_beside_the_results(run_consort, tmp_path, words):
    run = run_consort(*words, "--format", ALL)
    assert run.exit == DONE, run.stderr
    assert beside(tmp_path) == {"out" + it for it in (".jsonl", *EXTENSIONS)}
    assert f"exported    {tmp_path / 'out.csv'}, " in run.stderr
    assert run.stderr.count("count from its own beginning") == 3, "audacity, srt, vtt"
    calm = tmp_path / "calm.jsonl"
    assert run_consort(*words[:3], "-o", calm, *words[5:]).exit == DONE
    assert calm.read_bytes() == (tmp_path / "out.jsonl").read_bytes()
    status = json.loads(run_consort("status", "--json", tmp_path / "out.jsonl").stdout)
    assert status["state"] == "finished" and "format" not in "".join(status)


def test_run_says_nothing_of_it_with_quiet_but_warnings(run_consort, words):
    run = run_consort(*words, "--format", "csv,srt", "--quiet")
    assert run.exit == DONE
    [line] = run.stderr_lines()
    assert line.startswith("warning: each recording's times in the srt file")


def test_what_is_missing_is_made_by_the_same_command(run_consort, tmp_path, words):
    assert run_consort(*words).exit == DONE
    run = run_consort(*words, "--format", "csv,rttm")
    assert run.exit == DONE and "nothing to do" in run.stderr and "exported" in run.stderr
    first = (tmp_path / "out.csv").read_bytes()
    os.unlink(tmp_path / "out.csv")
    stamp = (tmp_path / "out.rttm").stat().st_mtime_ns
    assert run_consort(*words, "--format", "csv,rttm").exit == DONE
    assert (tmp_path / "out.csv").read_bytes() == first
    assert (tmp_path / "out.rttm").stat().st_mtime_ns == stamp, "it was there"
    run = run_consort(*words, "--format", "csv,rttm")
    assert "exported" not in run.stderr


def test_what_the_job_made_follows_its_results(run_consort, tmp_path, null_bundle, sounds):
    late = tmp_path / "late.flac"
    listing = tmp_path / "list"
    listing.write_text(f"{sounds.flacs[0]}\n{late}\n")
    words = ("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", listing)
    csv = tmp_path / "out.csv"
    assert run_consort(*words, "--format", "csv").exit == SOME_FAILED
    assert "not_found" in csv.read_text()
    late.symlink_to(sounds.flacs[1])
    assert run_consort(*words, "--format", "csv", "--retry-failed").exit == DONE
    assert "not_found" not in csv.read_text() and str(late) in csv.read_text()
    listing.write_text(f"{sounds.flacs[0]}\n{late}\n{sounds.flacs[2]}\n")
    assert run_consort(*words).exit == DONE
    assert sounds.flacs[2] not in csv.read_text(), "nobody asked for it"
    run = run_consort(*words, "--format", "csv")
    assert run.exit == DONE and "nothing to do" in run.stderr
    assert sounds.flacs[2] in csv.read_text()
    assert run_consort(*words, "--format", "csv", "--restart").exit == DONE
    run = run_consort("export", "--job", tmp_path / "out.jsonl.job", "--format", "csv", "-o", "-")
    assert run.exit == DONE and run.stdout == csv.read_text()


def test_a_file_from_elsewhere_is_never_replaced(run_consort, tmp_path, words):
    mine = tmp_path / "out.csv"
    mine.write_text("mine")
    for more in ((), ("--restart",)):
        run = run_consort(*words, "--format", "csv", *more)
        assert run.exit == FAILED
        assert f'"{mine}" exists, and is not as this job\'s --format made it; move it away' in run.stderr
        assert not (tmp_path / "out.jsonl").exists(), "told before anything is done"
        assert not (tmp_path / "out.jsonl.job").exists()
    assert run_consort(*words).exit == DONE
    run = run_consort(*words, "--format", "csv")
    assert run.exit == DONE and f'warning: "{mine}" is not as --format made it' in run.stderr
    run = run_consort("export", "--job", tmp_path / "out.jsonl", "--format", "csv")
    assert run.exit == FAILED and "add --force" in run.stderr
    assert mine.read_text() == "mine"
    assert run_consort("export", "--job", tmp_path / "out.jsonl", "--format", "csv", "--force").exit == DONE
    assert mine.read_text().startswith("file,start,end")
    assert run_consort("export", "--job", tmp_path / "out.jsonl", "--format", "csv").exit == DONE, "it is ours now"
    mine.write_text("worked on")
    assert run_consort("export", "--job", tmp_path / "out.jsonl", "--format", "csv").exit == FAILED


def test_a_job_that_is_stopped_exports_nothing_until_it_is_done(start_consort, run_consort, tmp_path, null_bundle,
                                                                sounds):
    out = tmp_path / "out.jsonl"
    words = ("run", "-m", null_bundle(segment_seconds=0.25, hop_seconds=0.25), "-o", out, "-p", 1, "--format", "csv",
             *sounds.flacs)
    job = start_consort(*words, env=SLOW)
    assert processes.wait_until(lambda: out.exists() and out.stat().st_size > 10_000)
    job.signal(signal.SIGINT)
    run = job.wait()
    assert run.exit == 130 and "export" not in run.stderr
    assert beside(tmp_path) == {"out.jsonl"}
    run = run_consort("export", "--job", out, "--format", "jsonl", "-o", tmp_path / "so-far.jsonl")
    assert run.exit == DONE
    [warning, told] = run.stderr_lines()
    assert warning.startswith("warning: the job is not finished: what counts so far is exported, ")
    assert f"of {len(sounds.flacs)} files" in warning and told.startswith("exported    ")
    so_far = (tmp_path / "so-far.jsonl").read_bytes()
    assert so_far and out.read_bytes().startswith(so_far)
    assert run_consort(*words).exit == DONE
    assert beside(tmp_path) == {"out.jsonl", "out.csv"}
    assert {line.split(",")[0] for line in (tmp_path / "out.csv").read_text().splitlines()[1:]} == set(sounds.flacs)


def test_of_a_job_at_work_what_counts_is_exported(start_consort, run_consort, tmp_path, null_bundle, sounds):
    out = tmp_path / "out.jsonl"
    start_consort("run", "-m", null_bundle(segment_seconds=0.25, hop_seconds=0.25), "-o", out, "-p", 1,
                  *sounds.flacs, env=SLOW)
    assert processes.wait_until(lambda: out.exists() and out.stat().st_size > 10_000)
    run = run_consort("export", "--job", out, "--format", "csv", "-o", "-")
    assert run.exit == DONE and "warning: the job is still at work" in run.stderr
    assert run.stdout.startswith("file,start,end") and run.stdout.endswith("\n")


def test_what_lacks_the_end_of_the_results_is_made_anew(run_consort, tmp_path, words):
    """The results were all written when the export began, and not all counted."""
    out, csv = tmp_path / "out.jsonl", tmp_path / "out.csv"
    assert run_consort(*words, "--format", "csv").exit == DONE
    whole = csv.read_bytes()
    jobs.put_counted(out, len(out.read_bytes().splitlines(keepends=True)[0]))
    assert run_consort("export", "--job", out, "--format", "csv").exit == DONE
    assert whole.startswith(csv.read_bytes()) and csv.read_bytes() != whole
    jobs.put_counted(out, out.stat().st_size)
    run = run_consort(*words, "--format", "csv")
    assert run.exit == DONE and "exported" in run.stderr
    assert csv.read_bytes() == whole


def test_a_file_for_each_recording_in_the_layout_of_the_input(run_consort, tmp_path, null_bundle, sounds):
    (tmp_path / "in/d1/d2").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for n, name in enumerate(("in/a.flac", "in/a.x.flac", "in/d1/b c.flac", "in/d1/d2/a.flac", "other/o.flac")):
        (tmp_path / name).symlink_to(sounds.flacs[n])
    (tmp_path / "in/a.wav").symlink_to(sounds.wavs[0])
    (tmp_path / "in/empty.flac").write_bytes(b"")
    listing = tmp_path / "in/list"
    listing.write_text(f"{tmp_path}/in/a.flac\n../other/o.flac\n./a.flac\nd1/../../other/o.flac\n../../../nowhere.wav\n"
                       "a.flac\na.flac\n")
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", null_bundle(), "-o", out, "in", listing, cwd=tmp_path)
    assert run.exit == SOME_FAILED, run.stderr
    place = tmp_path / "made"
    run = run_consort("export", "--job", out, "--format", "srt", "--per-recording", "-o", place)
    assert run.exit == DONE, run.stderr
    assert "2 recordings failed, nothing of them is there" in run.stderr
    absolute = os.path.join(str(tmp_path).lstrip("/"), "in/a.srt")
    assert tree(place) == {"in/a.srt", "in/a (2).srt", "in/a.x.srt", "in/d1/b c.srt", "in/d1/d2/a.srt", absolute,
                           "_../other/o.srt", "a.srt", "d1/_../_../other/o.srt", "a (2).srt", "a (3).srt"}
    assert (place / "a.srt").read_bytes() == (place / "a (3).srt").read_bytes()
    assert (place / "in/a.srt").read_bytes() == (place / absolute).read_bytes()
    run = run_consort("export", "--job", out, "--format", "jsonl", "--per-recording", "-o", tmp_path / "lines")
    assert run.exit == DONE
    lines = by_file(read_results(out))
    assert read_results(tmp_path / "lines/in/d1/b c.jsonl") == lines["in/d1/b c.flac"]
    assert read_results(tmp_path / "lines/in/empty.jsonl") == lines["in/empty.flac"]
    assert (tmp_path / "lines/_../_../_../nowhere.jsonl").exists()
    run = run_consort("export", "--job", out, "--format", "srt", "--per-recording", "-o", place)
    assert run.exit == FAILED and "exists, and is not empty" in run.stderr
    assert not [it for it in os.listdir(tmp_path) if "consort-new" in it]


def test_several_formats_at_once(run_consort, tmp_path, words):
    out = tmp_path / "out.jsonl"
    assert run_consort(*words).exit == DONE
    run = run_consort("export", "--job", out, "--format", "csv,vtt,srt")
    assert run.exit == DONE, run.stderr
    assert beside(tmp_path) == {"out.jsonl", "out.csv", "out.vtt", "out.srt"}
    assert run.stderr.count("exported    ") == 3 and run.stderr.count("count from its own beginning") == 2
    for name in ("csv", "vtt", "srt"):
        alone = run_consort("export", "--job", out, "--format", name, "-o", "-")
        assert alone.stdout == (tmp_path / f"out.{name}").read_text()
    assert run_consort("export", "--job", out, "--format", "csv,vtt,srt").exit == DONE, "they are the job's own"
    (tmp_path / "out.vtt").write_text("mine")
    (tmp_path / "out.csv").unlink()
    run = run_consort("export", "--job", out, "--format", "csv,vtt")
    assert run.exit == FAILED and "out.vtt" in run.stderr and not (tmp_path / "out.csv").exists(), "all or none"
    assert "add --force to replace it, or export vtt by itself, with -o" in run.stderr
    assert run_consort("export", "--job", out, "--format", "csv,vtt", "--force").exit == DONE
    assert (tmp_path / "out.vtt").read_text().startswith("WEBVTT")
    run = run_consort("export", "--job", out, "--format", "csv,jsonl")
    assert run.exit == FAILED and run.stderr == (
        f'consort: "{out}" is the results themselves; leave jsonl out of --format\n')
    run = run_consort("export", "--job", out, "--format", "csv,vtt", "-o", tmp_path / "x.csv")
    assert run.exit == USAGE and "-o names one file" in run.stderr
    run = run_consort("export", "--job", out, "--format", "vtt,srt", "--per-recording", "-o", tmp_path / "made")
    assert run.exit == DONE and run.stderr.count("exported    ") == 1, run.stderr
    assert {os.path.splitext(it)[1] for it in tree(tmp_path / "made")} == {".vtt", ".srt"}
    assert len(tree(tmp_path / "made")) == 6


def test_what_failed_is_told_as_it_is_for_each_recording_in_several_formats(run_consort, tmp_path, null_bundle, sounds):
    out = tmp_path / "out.jsonl"
    (tmp_path / "empty.flac").write_bytes(b"")
    assert run_consort("run", "-m", null_bundle(), "-o", out, sounds.flacs[0], "empty.flac",
                       cwd=tmp_path).exit == SOME_FAILED
    for formats, words in (("srt,csv", "; 1 recording failed, the error is told\n"),
                           ("srt,vtt", "; 1 recording failed, nothing of it is there\n")):
        place = tmp_path / formats
        run = run_consort("export", "--job", out, "--format", formats, "--per-recording", "-o", place)
        assert run.exit == DONE and run.stderr.startswith(f"exported    {place}: 1 recording, ")
        assert run.stderr.endswith(words), run.stderr
        assert (place / "empty.csv").exists() == ("csv" in formats)


def test_results_that_are_not_ours_are_refused_with_their_line(run_consort, tmp_path, words):
    out = tmp_path / "out.jsonl"
    assert run_consort(*words).exit == DONE
    good = out.read_text().splitlines()[0]
    jobs.put_results(out, [good, "{}", good])
    run = run_consort("export", "--job", out, "--format", "csv")
    assert run.exit == FAILED
    assert f'line 2 of "{out}" is no line of results: it has no "file"; put the results back' in run.stderr
    assert beside(tmp_path) == {"out.jsonl"}
    jobs.put_results(out, [good])
    out.write_text(good)
    run = run_consort("export", "--job", out, "--format", "csv")
    assert run.exit == FAILED and "were altered" in run.stderr
    os.unlink(out)
    run = run_consort("export", "--job", tmp_path / "out.jsonl.job", "--format", "csv")
    assert run.exit == FAILED and f'could not open the results "{out}"' in run.stderr


def test_an_export_that_fails_costs_nothing_of_the_job(run_consort, tmp_path, words):
    out = tmp_path / "out.jsonl"
    assert run_consort(*words).exit == DONE
    before = out.read_bytes()
    os.chmod(tmp_path, 0o555)
    try:
        run = run_consort("export", "--job", out, "--format", "csv", without_root_powers=True)
        again = run_consort(*words, "--format", "csv", without_root_powers=True)
    finally:
        os.chmod(tmp_path, 0o755)
    assert run.exit == FAILED and f'could not create "{out.with_suffix(".csv")}": permission denied' in run.stderr
    assert again.exit == FAILED and "the results are complete, but could not create" in again.stderr
    assert "the same command makes what is missing" in again.stderr
    assert beside(tmp_path) == {"out.jsonl"} and out.read_bytes() == before
    assert run_consort(*words, "--format", "csv").exit == DONE
    assert beside(tmp_path) == {"out.jsonl", "out.csv"}


def test_what_cannot_be_is_told(run_consort, tmp_path, words):
    out = tmp_path / "out.jsonl"
    assert run_consort(*words).exit == DONE
    run = run_consort("export", "--job", tmp_path, "--format", "csv")
    assert run.exit == FAILED and "there is no job in" in run.stderr
    run = run_consort("export", "--job", out, "--format", "jsonl")
    assert run.exit == FAILED and "is the results themselves" in run.stderr
    run = run_consort("export", "--job", out, "--format", "csv", "-o", out, "--force")
    assert run.exit == FAILED and "is the results themselves" in run.stderr
    run = run_consort("export", "--job", out, "--format", "csv", "-o", tmp_path)
    assert run.exit == FAILED and "it is a folder" in run.stderr
    run = run_consort("export", "--job", out, "--format", "csv", "-o", tmp_path / "no/x.csv")
    assert run.exit == FAILED and "make the folder first" in run.stderr
    run = run_consort(*words[:3], "-o", "/dev/null", "--format", "csv", *words[5:])
    assert run.exit == FAILED and "--format writes beside results that are a file" in run.stderr
    (tmp_path / "link").symlink_to(tmp_path)
    run = run_consort(*words, "--format", "csv", "--figures", tmp_path / "link/out.csv")
    assert run.exit == FAILED and "--figures and --format csv name the same file" in run.stderr
    assert not (tmp_path / "out.csv").exists()
    run = run_consort(*words, "--format", "csvs")
    assert run.exit == USAGE and "did you mean csv?" in run.stderr
    assert read_results(out)


def test_an_empty_job_has_empty_files(run_consort, tmp_path, null_bundle):
    (tmp_path / "list").write_text("")
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "--format", ALL, tmp_path / "list")
    assert run.exit == DONE, run.stderr
    sizes = {it.name: it.stat().st_size for it in map(pathlib.Path, tmp_path.glob("out.*")) if it.is_file()}
    assert sizes["out.srt"] == 0 and sizes["out.csv"] == len("file,start,end,rank,label,score,text,error,channel\r\n")
    assert (tmp_path / "out.vtt").read_text() == "WEBVTT\n\n"


def test_an_export_takes_little_memory_and_leaves_nothing_when_it_is_stopped(start_consort, run_consort, tmp_path,
                                                                             words):
    out = tmp_path / "out.jsonl"
    assert run_consort(*words).exit == DONE
    jobs.put_results(out, (f'{{"file":"a.wav","start":{n}.000,"end":{n + 1}.000,"tags":[{{"label":"x","score":0.5000}}]}}'
                           for n in range(600_000)))
    job = start_consort("export", "--job", out, "--format", "csv")
    made = tmp_path / "out.csv.consort-new"
    assert processes.wait_until(lambda: made.exists() and made.stat().st_size > 4_000_000, interval=0.001)
    peak = next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{job.pid}/status").read_text().splitlines()
                if line.startswith("VmHWM"))
    job.signal(signal.SIGINT)
    assert job.wait().exit == 130
    assert beside(tmp_path) == {"out.jsonl"}
    assert peak < 40_000, "kB"
