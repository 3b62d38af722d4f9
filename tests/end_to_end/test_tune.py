"""`consort tune`: what it finds and keeps, and how `consort run` uses it.

Machines are noisy: no test says which split is best.
"""

import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

import bundles
import processes
from program import DONE, FAILED, USAGE, read_results

# A segment of the null worker takes a while, as of a model.
SLOW = {"CONSORT_NULL_SEGMENT_US": "2000"}
SECONDS = 6


@pytest.fixture
def config(tmp_path):
    return tmp_path / "config"


@pytest.fixture
def tune(run_consort, config):
    """tune(*words, env={}) → Run, with a folder of profiles of this test's own."""
    def call(*words, env=None, seconds=SECONDS, **options):
        return run_consort("tune", "--seconds", seconds, *words,
                           env=SLOW | {"XDG_CONFIG_HOME": str(config)} | (env or {}), **options)
    return call


def profiles(config):
    return sorted((config / "consort/profiles").glob("*"))


@pytest.fixture(scope="module")
def made(runner, tmp_path_factory, sounds):
    """A bundle and the profile that tune wrote for it: (bundle, name of the file, its content)."""
    folder = tmp_path_factory.mktemp("made")
    bundle = bundles.write_null_bundle(folder / "my bundle")
    run = runner.run("tune", "-m", bundle, "--seconds", 6, *sounds.flacs[:20],
                     env=SLOW | {"XDG_CONFIG_HOME": str(folder)})
    assert run.exit == DONE, run.stderr
    (path,) = profiles(folder)
    return bundle, path.name, path.read_text()


@pytest.fixture
def profile(made, config):
    """profile(change=None) puts the profile there, changed by change(its JSON); its path. With `text`, that instead."""
    def put(change=None, text=None):
        path = config / "consort/profiles" / made[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.loads(made[2])
        if change:
            change(content)
        path.write_text(json.dumps(content) if text is None else text)
        return path
    return put


@pytest.fixture
def run_made(run_consort, made, config, tmp_path, sounds):
    """run_made(*words) → Run of a short job with the bundle of `made`; its figures are in run.figures."""
    counter = iter(range(1000))

    def call(*words, bundle=None, output=None, files=None):
        number = next(counter)
        figures = tmp_path / f"figures{number}.json"
        run = run_consort("run", "-m", bundle or made[0], "-o", output or tmp_path / f"run{number}.jsonl", "--figures", figures,
                          "--progress", "none", *words, *(files or sounds.flacs[:5]),
                          env={"XDG_CONFIG_HOME": str(config)})
        run.figures = json.loads(figures.read_text()) if figures.exists() and figures.stat().st_size else None
        return run
    return call


# ---- tune ----

def test_tells_what_it_found_and_keeps_it(tune, null_bundle, config, sounds):
    bundle = null_bundle()
    run = tune("-m", bundle, *sounds.flacs)
    assert run.exit == DONE, run.stderr
    (path,) = profiles(config)
    lines = run.stdout.splitlines()
    assert re.fullmatch(r"\d+ process(es)? x \d+ threads?: [\d.,]+ segments/s ± [\d.]+ %(; next best \d+ x \d+: .+)?", lines[0])
    assert re.fullmatch(r"\d+ % sure that no split is more than 2 % better, after \d+ s; \d+ of \d+ splits tried(; --seconds 20 would say more)?", lines[1])
    assert lines[-1] == f"profile {path}"
    assert "automatic" in run.stdout
    assert re.search(r"^trial \d+, at most \d+ s left: \d+ process.*: [\d.,]+ segments/s", run.stderr, re.MULTILINE)
    kept = json.loads(path.read_text())
    assert kept["consort_profile"] == 1 and kept["objective"] == "throughput"
    assert kept["key"]["usable_cpus"] >= 1 and len(kept["key"]["bundle_sha256"]) == 64
    assert kept["bundle"] == {"folder": bundle.name, "model": "null"}
    words = re.match(r"(\d+) process\S* x (\d+)", lines[0])
    assert kept["split"] == {"processes": int(words[1]), "threads": int(words[2]), "intra": 1}
    assert kept["trials"] and kept["peak_pss_bytes"] > 0 and kept["memory_limit_bytes"] is None
    assert path.name.startswith("null-")
    assert os.listdir(run.tmp) == []
    assert processes.marked_processes(run.test_id) == []


def test_tells_the_same_as_json_and_nothing_else_when_quiet(tune, null_bundle, config, sounds):
    run = tune("-m", null_bundle(), "--json", "--quiet", *sounds.flacs[:10])
    assert run.exit == DONE and run.stderr == ""
    told = json.loads(run.stdout)
    (path,) = profiles(config)
    assert told["profile"] == str(path) and told["objective"] == "throughput"
    best = told["best"]
    assert best["segments_per_second"] > 0 and best["trials"] >= 1 and best["runs"] and best["fits"]
    assert told["tried"][0] == best and 0 <= told["sure"] <= 1
    assert any(it["automatic"] for it in told["tried"])
    assert told["out_of_time"] in (False, True)
    for it in told["tried"]:  # the machine's drift taken out, as in the verdict
        assert it["segments_per_second"] == pytest.approx(best["segments_per_second"] * it["speed_ratio"])
        assert it["p95_ms"] == pytest.approx(best["p95_ms"] * it["p95_ratio"])


@pytest.mark.parametrize("objective", ["latency", "memory"])
def test_knows_other_objectives(tune, null_bundle, config, sounds, objective):
    run = tune("-m", null_bundle(), "--objective", objective, "--json", *sounds.flacs[:10])
    assert run.exit == DONE, run.stderr
    assert json.loads(run.stdout)["objective"] == objective
    assert json.loads(profiles(config)[0].read_text())["objective"] == objective


def test_of_a_real_model_ends_in_a_profile_that_run_uses(tune, run_made, cnn14_quarter, config, sounds):
    run = tune("-m", cnn14_quarter, "--json", *sounds.flacs, seconds=15, timeout=120)
    assert run.exit == DONE, run.stderr
    told = json.loads(run.stdout)
    (path,) = profiles(config)
    used = run_made("--quiet", bundle=cnn14_quarter)
    assert used.exit == DONE and used.stderr == f"using tuned profile {path}\n"
    best = told["best"]
    assert used.figures["split"] == {"processes": best["processes"], "threads": best["threads"], "intra": 1}


def test_takes_a_folder_and_a_list(tune, null_bundle, config, tmp_path, sounds):
    folder = tmp_path / "sounds"
    folder.mkdir()
    (folder / "a.flac").symlink_to(sounds.flacs[0])
    listing = tmp_path / "list.txt"
    listing.write_text("\n".join(sounds.flacs[1:4]))
    run = tune("-m", null_bundle(), folder, listing)
    assert run.exit == DONE, run.stderr


def test_leaves_out_files_that_fail_at_once(tune, null_bundle, tmp_path, sounds):
    missing = [tmp_path / f"missing-{n}.wav" for n in range(30)]
    run = tune("-m", null_bundle(), *missing, *sounds.flacs[:2])
    assert run.exit == DONE, run.stderr
    assert "warning: 30 files of the sample gave only errors, and are left out" in run.stderr


def test_of_files_that_all_fail_is_an_error_that_says_so(tune, null_bundle, config, tmp_path):
    run = tune("-m", null_bundle(), *[tmp_path / f"missing-{n}.wav" for n in range(3)])
    assert run.exit == FAILED and run.stdout == ""
    last = run.stderr_lines()[-1]
    assert last.startswith("consort: none of the 3 files that were sampled gives a result; the first: ")
    assert "not_found" in last and "missing-" in last
    assert profiles(config) == []


def test_of_one_file_that_fails_speaks_of_one(tune, null_bundle, tmp_path):
    run = tune("-m", null_bundle(), tmp_path / "missing.wav")
    assert run.exit == FAILED
    assert run.stderr_lines()[-1].startswith(f'consort: the one file that was sampled gives no result: "{tmp_path}/missing.wav": not_found, ')


def test_says_that_a_relative_config_home_is_ignored(tune, run_made, null_bundle, tmp_path, sounds):
    run = tune("-m", null_bundle(), "--quiet", *sounds.flacs[:5], seconds=3, env={"XDG_CONFIG_HOME": "config", "HOME": str(tmp_path)})
    (path,) = (tmp_path / ".config/consort/profiles").glob("*") if run.exit == DONE else (None,)
    assert run.stderr_lines()[0] == ('warning: XDG_CONFIG_HOME is "config", which is not an absolute path, so it is ignored: the profile '
                                     f'goes to "{tmp_path}/.config/consort/profiles"')
    assert len(run.stderr_lines()) == (1 if path else 2), run.stderr


def test_of_a_model_that_is_too_slow_for_the_time_says_so(tune, null_bundle, config, sounds):
    run = tune("-m", null_bundle(), *sounds.flacs[:5], seconds=2, env={"CONSORT_NULL_SEGMENT_US": "3000000"})
    assert run.exit == FAILED
    assert run.stderr_lines()[-1] == ("consort: no trial counted 10 segments within 2 s; give more time with "
                                      "--seconds")
    assert profiles(config) == [] and os.listdir(run.tmp) == []
    assert processes.marked_processes(run.test_id) == []


def test_of_an_empty_list_and_of_no_bundle_says_so(tune, null_bundle, config, tmp_path, sounds):
    (tmp_path / "empty.txt").write_text("\n")
    run = tune("-m", null_bundle(), tmp_path / "empty.txt")
    assert run.exit == FAILED and "consort: there are no files" in run.stderr
    (tmp_path / "day.jsonl").write_text('{"file":"a.wav","start":0.000,"end":3.000,"tags":[]}\n')
    run = tune("-m", null_bundle(), tmp_path / "day.jsonl")
    assert run.exit == FAILED and run.stderr.startswith(f'consort: "{tmp_path}/day.jsonl" holds results, and is not a list')
    run = tune("-m", tmp_path / "nowhere", *sounds.flacs[:1])
    assert run.exit == FAILED and run.stderr.startswith("consort: ")
    assert profiles(config) == []


def test_without_a_place_for_the_profile_says_so_at_once(tune, null_bundle, tmp_path, sounds):
    (tmp_path / "file").write_text("")
    run = tune("-m", null_bundle(), *sounds.flacs[:3], env={"XDG_CONFIG_HOME": str(tmp_path / "file")})
    assert run.exit == FAILED and "could not make the folder of profiles" in run.stderr
    run = tune("-m", null_bundle(), *sounds.flacs[:3], env={"XDG_CONFIG_HOME": "", "HOME": ""})
    assert run.exit == FAILED and "set HOME or XDG_CONFIG_HOME" in run.stderr


def test_keeps_a_memory_limit_or_says_what_is_the_least(tune, null_bundle, config, sounds):
    run = tune("-m", null_bundle(), "--memory-limit", "1M", *sounds.flacs[:5])
    assert run.exit == FAILED
    assert re.fullmatch(r"consort: no split fits into --memory-limit 1M: the smallest peak that was measured is [\d.]+ MiB "
                        r"\(\d+ process(es)? x \d+ threads?\); .*", run.stderr_lines()[-1])
    assert profiles(config) == []
    run = tune("-m", null_bundle(), "--memory-limit", "1G", *sounds.flacs[:5])
    assert run.exit == DONE, run.stderr
    kept = json.loads(profiles(config)[0].read_text())
    assert kept["memory_limit_bytes"] == 1 << 30 and kept["peak_pss_bytes"] < 1 << 30


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_by_a_signal_leaves_nothing_and_the_profile_as_it_was(start_consort, made, profile, config, sounds, number):
    path = profile()
    before = path.read_bytes(), path.stat().st_mtime_ns
    job = start_consort("tune", "-m", made[0], "--seconds", 60, *sounds.flacs,
                        env=SLOW | {"XDG_CONFIG_HOME": str(config)})
    assert processes.wait_until(lambda: len(job.workers()) >= 3), "a supervisor, a template, a worker"
    job.signal(number)
    run = job.wait(20)
    assert run.exit == 128 + number
    assert run.stderr_lines()[-1] == "consort: stopped; no profile was written"
    assert processes.marked_processes(run.test_id) == []
    assert os.listdir(run.tmp) == []
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert profiles(config) == [path]


def test_killed_takes_its_trial_with_it(start_consort, null_bundle, config, sounds):
    job = start_consort("tune", "-m", null_bundle(), "--seconds", 60, *sounds.flacs,
                        env=SLOW | {"XDG_CONFIG_HOME": str(config)})
    assert processes.wait_until(lambda: len(job.workers()) >= 3)
    job.signal(signal.SIGKILL)
    job.wait(20)
    assert processes.wait_until(lambda: not processes.marked_processes(job.test_id), 10)
    assert profiles(config) == []


def test_does_not_wait_for_a_child_that_it_came_with(consort, null_bundle, config, sounds):
    """As of a script that starts something in the background and becomes consort."""
    popen = subprocess.Popen(["sh", "-c", 'sleep 60 > /dev/null 2>&1 & exec "$0" "$@"', consort, "tune", "--seconds",
                              str(SECONDS), "-m", null_bundle(), *sounds.flacs[:20]],
                             env=os.environ | SLOW | {"XDG_CONFIG_HOME": str(config)}, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _, told = popen.communicate(timeout=60)
    finally:
        os.killpg(popen.pid, signal.SIGKILL)
    assert popen.returncode == DONE, told
    assert len(re.findall("^trial ", told, re.MULTILINE)) >= 2, told


def test_takes_away_the_folder_of_a_killed_one_and_not_that_of_a_living_one(start_consort, tune, null_bundle, config, tmp_path, sounds):
    place = tmp_path / "tmp"
    place.mkdir()
    env = SLOW | {"XDG_CONFIG_HOME": str(config), "TMPDIR": str(place)}
    words = ("tune", "-m", null_bundle(), "--seconds", 60, *sounds.flacs)
    killed = start_consort(*words, env=env)
    assert processes.wait_until(lambda: len(killed.workers()) >= 3)
    (left,) = place.iterdir()
    killed.signal(signal.SIGKILL)
    killed.wait(20)
    assert processes.wait_until(lambda: not processes.marked_processes(killed.test_id), 10)
    assert list(place.iterdir()) == [left]
    living = start_consort(*words, env=env)
    assert processes.wait_until(lambda: len(living.workers()) >= 3)
    (lives,) = place.iterdir()
    assert lives != left
    run = tune("-m", null_bundle(), tmp_path / "missing.wav", env={"TMPDIR": str(place)})
    assert run.exit == FAILED and list(place.iterdir()) == [lives], run.stderr
    living.signal(signal.SIGTERM)
    assert living.wait(20).exit == 143 and list(place.iterdir()) == []


def test_command_line_that_makes_no_sense_is_refused(tune, null_bundle, sounds):
    for words in (["--objective", "beauty"], ["--seconds", "0"], ["--memory-limit", "x"], ["--grid"], ["-m", "b"], []):
        run = tune(*(["-m", null_bundle()] if words else []), *words, sounds.flacs[0])
        assert run.exit == USAGE, words
    assert tune("-m", null_bundle()).exit == USAGE


# ---- run ----

def test_run_says_in_one_line_that_it_uses_a_profile(run_made, profile):
    path = profile(lambda it: it["split"].update(processes=1, threads=3))
    run = run_made("--quiet")
    assert run.exit == DONE and run.stderr == f"using tuned profile {path}\n", "no warning of 3 threads, either"
    assert run.figures["split"] == {"processes": 1, "threads": 3, "intra": 1}
    assert f"using tuned profile {path}\n" in run_made().stderr
    assert f"using tuned profile {path}\n" in run_made("-p", "auto").stderr


def test_the_doctor_tells_of_the_profile(run_consort, made, profile, config):
    def plan():
        run = run_consort("doctor", "--json", "-m", made[0], env={"XDG_CONFIG_HOME": str(config)})
        return json.loads(run.stdout)["plan"]
    path = profile(lambda it: it["split"].update(processes=1, threads=3))
    assert (plan()["workers"], plan()["engines"]) == (1, 3)
    assert plan()["why"] == [f"using tuned profile {path}"]
    profile(lambda it: it["key"].update(usable_cpus=4096))
    assert plan()["engines"] == 1
    assert any(str(path) in why and "is out of date" in why for why in plan()["why"])


def test_run_with_a_split_of_its_own_says_nothing(run_made, profile):
    profile(lambda it: it["split"].update(processes=1, threads=3))
    for words in (["-p", 1], ["-t", 1], ["-p", 1, "-t", 2]):
        run = run_made("--quiet", *words)
        assert run.exit == DONE and run.stderr == ""
        assert run.figures["split"]["threads"] != 3
    profile(text="damaged")
    assert run_made("--quiet", "-p", 1).stderr == ""


def test_run_without_a_profile_says_nothing(run_made):
    run = run_made("--quiet")
    assert run.exit == DONE and run.stderr == ""


@pytest.mark.parametrize("key, value, words", [
    ("usable_cpus", 4096, r"made for 4096 usable CPUs, here (is|are) \d+"),
    ("consort", "0.0.1", r"made by consort 0\.0\.1, this is .+"),
    ("cpu", "Abacus", r'made for the CPU "Abacus", here is ".*"'),
    ("bundle_sha256", "0" * 64, r"made for the bundle as it was \(000000000000…\), it is another now \(.*…\)"),
])
def test_run_says_that_a_profile_is_out_of_date(run_made, profile, key, value, words):
    path = profile(lambda it: it["key"].update({key: value}))
    run = run_made("--quiet")
    assert run.exit == DONE
    assert re.fullmatch(rf'warning: tuned profile {re.escape(str(path))} is out of date: {words}; "consort tune" makes it anew\n', run.stderr)


def test_run_says_that_the_bundle_has_changed(run_made, profile, made, tmp_path):
    path = profile()
    changed = bundles.copy(made[0], tmp_path / made[0].name)
    manifest = bundles.read_manifest(changed)
    manifest["output"]["top_k"] = 3
    bundles.write_manifest(changed, manifest)
    run = run_made("--quiet", bundle=changed)
    assert run.exit == DONE
    assert run.stderr.startswith(f"warning: tuned profile {path} is out of date: made for the bundle as it was (")
    assert len(run.stderr_lines()) == 1


@pytest.mark.parametrize("text", ["", "no JSON", "{}", '{"theme":"dark"}', "[" * 5000])
def test_run_warns_of_a_profile_that_it_cannot_read_and_goes_on(run_made, profile, text):
    path = profile(text=text)
    run = run_made("--quiet")
    assert run.exit == DONE
    (line,) = run.stderr_lines()
    assert re.fullmatch(rf'warning: tuned profile is not used: "{re.escape(str(path))}" (is|has) .*; "consort tune" makes it anew', line)


def test_run_looks_at_no_foreign_file_beside_its_profile(run_made, profile):
    path = profile()
    os.mkfifo(path.parent / "fifo.json")
    (path.parent / "settings.json").write_text('{"theme":"dark"}')
    assert run_made("--quiet").stderr == f"using tuned profile {path}\n"
    path.unlink()
    run = run_made("--quiet")
    assert run.exit == DONE
    (line,) = run.stderr_lines()
    assert line == (f'warning: tuned profile is passed over: "{path.parent}/fifo.json" is not a file; '
                    'move it away, or make it anew with "consort tune"')


def test_run_chooses_by_itself_where_the_profile_takes_too_much_memory(run_made, profile):
    path = profile(lambda it: it.update(peak_pss_bytes=3 << 30))
    run = run_made("--quiet", "--memory-limit", "2G")
    assert run.exit == DONE
    assert run.stderr == (f"warning: tuned profile {path} is not used: its split took 3.00 GiB, more than --memory-limit 2G; "
                          '"consort tune --memory-limit" finds one that fits\n')
    assert run_made("--quiet", "--memory-limit", "4G").stderr == f"using tuned profile {path}\n"


def test_a_profiles_intra_is_for_new_jobs(run_made, profile, tmp_path, sounds):
    out, begun_with_2 = tmp_path / "out.jsonl", tmp_path / "begun-with-2.jsonl"
    assert run_made(output=out).exit == DONE
    path = profile(lambda it: it["split"].update(processes=1, threads=1, intra=2))
    assert run_made(output=begun_with_2).exit == DONE
    run = run_made("--quiet", output=out)
    assert run.exit == DONE and "nothing to do" in run.stderr, "the same command, whatever profile has come since"
    assert run.stderr_lines()[0] == f"using tuned profile {path}"
    path.unlink()
    run = run_made("--quiet", output=begun_with_2)
    assert run.exit == DONE and "nothing to do" in run.stderr, "or gone"
    run = run_made("--quiet", "--intra", 1, output=begun_with_2)
    assert run.exit == FAILED and "--intra was 2 and is 1 now" in run.stderr, "what is typed counts"
    profile(lambda it: it["split"].update(processes=1, threads=1, intra=2))
    run = run_made("--quiet")
    assert run.figures["split"] == {"processes": 1, "threads": 1, "intra": 2}
    run = run_made("--quiet", "--intra", 1)
    assert run.figures["split"] == {"processes": 1, "threads": 1, "intra": 1}


def test_a_job_goes_on_with_whatever_the_profile_says_now(start_consort, run_made, made, profile, config, tmp_path, sounds):
    whole = run_made("-p", 1, output=tmp_path / "whole.jsonl", files=sounds.flacs)
    assert whole.exit == DONE
    out = tmp_path / "out.jsonl"
    profile(lambda it: it["split"].update(processes=2, threads=1))
    job = start_consort("run", "-m", made[0], "-o", out, *sounds.flacs,
                        env={"XDG_CONFIG_HOME": str(config), "CONSORT_NULL_SEGMENT_US": "20000", "CONSORT_COMMIT_MS": "20"})
    assert processes.wait_until(lambda: out.exists() and out.stat().st_size > 1000)
    job.signal(signal.SIGINT)
    assert job.wait().exit == 130
    path = profile(lambda it: it["split"].update(processes=1, threads=3))
    run = run_made(output=out, files=sounds.flacs)
    assert run.exit == DONE and f"using tuned profile {path}\n" in run.stderr
    assert run.figures["split"] == {"processes": 1, "threads": 3, "intra": 1}
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert read_results(out)
