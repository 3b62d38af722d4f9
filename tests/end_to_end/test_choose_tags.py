"""--top-k, --min-score, --include-labels, --exclude-labels, --thresholds: against what a run without them
says of all labels; and that a job keeps to them."""

import os
import signal

import pytest

import processes
from program import DONE, FAILED, USAGE, read_results

ALL = ("--top-k", 4096, "--min-score", 0)


@pytest.fixture(scope="module")
def heard(runner, cnn14_quarter, sounds, tmp_path_factory):
    """(sounds, lines with the score of every label)."""
    out = tmp_path_factory.mktemp("heard") / "all.jsonl"
    chosen = sounds.wavs[:4]
    run = runner.run("run", "-m", cnn14_quarter, "-o", out, *ALL, *chosen)
    assert run.exit == DONE, run.stderr
    lines = read_results(out)
    labels = (cnn14_quarter / "labels.txt").read_text().splitlines()
    assert all(len(line["tags"]) == len(labels) for line in lines)
    return chosen, lines


def expected(lines, top_k=5, passes=lambda label, score: True):
    """What is left of all tags, which stand best first. `passes` gets scores of four decimals: thresholds must lie
    between two of those, or on one that no score rounds up to."""
    return [line | {"tags": [tag for tag in line["tags"] if passes(tag["label"], tag["score"])][:top_k]} for line in lines]


def between(lines, part):
    """A threshold that parts the scores, halfway between two that are printed."""
    scores = sorted({tag["score"] for line in lines for tag in line["tags"]})
    return round(scores[int(len(scores) * part)] + 0.00005, 5)


@pytest.mark.parametrize("split", [(1, 1), (2, 2)])
def test_tags_are_those_of_all_labels_that_pass(run_consort, cnn14_quarter, tmp_path, heard, split):
    chosen, lines = heard
    labels = sorted({tag["label"] for tag in lines[0]["tags"]})
    included, own = labels[::3], labels[::2]
    low, high, base = (between(lines, part) for part in (0.95, 0.995, 0.98))
    scores = {label: high if n % 2 else low for n, label in enumerate(own)}
    (tmp_path / "in").write_text("\r\n".join(included))
    (tmp_path / "own").write_text("\ufeff" + "".join(f"{label}\t{score}\n" for label, score in scores.items()))
    run = run_consort("run", "-m", cnn14_quarter, "-o", tmp_path / "out.jsonl", "-p", split[0], "-t", split[1],
                      "--top-k", 7, "--min-score", base, "--include-labels", tmp_path / "in",
                      "--thresholds", tmp_path / "own", *chosen)
    assert run.exit == DONE, run.stderr
    unused = len(set(own) - set(included))
    assert f'warning: {unused} scores of "{tmp_path}/own" are for labels that are left out\n' in run.stderr
    found = read_results(tmp_path / "out.jsonl")
    assert found == expected(lines, 7, lambda label, score: label in included and score > scores.get(label, base))
    assert any(line["tags"] for line in found) and any(len(line["tags"]) < 7 for line in found)


def test_excluded_labels_make_room_for_the_next_best(run_consort, cnn14_quarter, tmp_path, heard):
    chosen, lines = heard
    best = {tag["label"] for line in lines for tag in line["tags"][:3]}
    (tmp_path / "out").write_text("".join(label + "\n" for label in best))
    run = run_consort("run", "-m", cnn14_quarter, "-o", tmp_path / "out.jsonl", "--min-score", 0, "--top-k", 2,
                      "--exclude-labels", tmp_path / "out", *chosen)
    assert run.exit == DONE, run.stderr
    assert read_results(tmp_path / "out.jsonl") == expected(lines, 2, lambda label, _: label not in best)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


@pytest.fixture
def many(tmp_path, sounds):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for n in range(60):
        (folder / f"{n:03d}.flac").symlink_to(sounds.flacs[n % len(sounds.flacs)])
    return folder


@pytest.mark.parametrize("more", [(), ("--no-template",)])
def test_a_choice_outlives_workers_templates_and_the_supervisor(start_consort, run_consort, tmp_path, null_bundle, many, more):
    bundle = null_bundle(labels=40, segment_seconds=0.25, hop_seconds=0.25)
    (tmp_path / "in").write_text("".join(f"label {n}\n" for n in range(0, 40, 2)))
    choice = ("--top-k", 3, "--min-score", 0.05, "--include-labels", tmp_path / "in", *more)
    run = run_consort("run", "-m", bundle, "-o", tmp_path / "calm.jsonl", "-p", 1, *choice, many)
    assert run.exit == DONE, run.stderr
    calm = (tmp_path / "calm.jsonl").read_bytes()
    tags = [tag for line in read_results(tmp_path / "calm.jsonl") for tag in line["tags"]]
    assert tags and all(int(tag["label"].split()[1]) % 2 == 0 and tag["score"] >= 0.05 for tag in tags)
    out = tmp_path / "out.jsonl"
    job = start_consort("run", "-m", bundle, "-o", out, "-p", 2, *choice, many,
                        env={"CONSORT_NULL_SEGMENT_US": "3000", "CONSORT_COMMIT_MS": "20"})
    assert processes.wait_until(lambda: out.exists() and out.stat().st_size > 0)
    for it in job.workers():  # templates among them
        kill(it.pid)
    processes.wait_until(lambda: False, 0.3)
    job.signal(signal.SIGKILL)
    job.wait()
    run = run_consort("run", "-m", bundle, "-o", out, *choice, many)
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == calm


def test_a_job_goes_on_with_the_same_choice_alone(run_consort, tmp_path, null_bundle, sounds):
    bundle, out = null_bundle(), tmp_path / "out.jsonl"
    (tmp_path / "some").write_text("label 1\nlabel 2\n")
    (tmp_path / "one").write_text("label 1\n")
    words = ("run", "-m", bundle, "-o", out, sounds.wavs[0])
    assert run_consort(*words, "--top-k", 3, "--exclude-labels", tmp_path / "some").exit == DONE

    def refused(*choice):
        run = run_consort(*words, *choice)
        assert run.exit == FAILED
        return run.stderr

    (tmp_path / "same").write_text("\nlabel 2\r\nlabel 1")
    again = run_consort(*words, "--top-k", 3, "--exclude-labels", tmp_path / "same", "--min-score", 0)
    assert again.exit == DONE and "nothing to do" in again.stderr
    assert "--top-k was 3 and is 4 now" in refused("--top-k", 4, "--exclude-labels", tmp_path / "some")
    assert "--top-k was 3 and is the bundle's 5 now" in refused("--exclude-labels", tmp_path / "some")
    assert "--min-score was the bundle's 0 and is 0.25 now" in refused(
        "--top-k", 3, "--exclude-labels", tmp_path / "some", "--min-score", 0.25)
    told = refused("--top-k", 3, "--exclude-labels", tmp_path / "one")
    assert "what --include-labels and --exclude-labels leave was 6 of 8 labels (" in told and "is 7 of 8 labels (" in told
    (tmp_path / "own").write_text("label 5\t0.5\n")
    assert "what --thresholds says was nothing and is 1 of 8 labels (" in refused(
        "--top-k", 3, "--exclude-labels", tmp_path / "some", "--thresholds", tmp_path / "own")
    assert run_consort(*words, "--restart").exit == DONE


def test_events_are_chosen_by_label_and_score(run_consort, tmp_path, null_bundle, sounds):
    frames = {"kind": "frames", "activation": "none", "frame_seconds": 0.02, "threshold": 0.5, "threshold_off": 0.3}
    bundle = null_bundle(segment_seconds=0.5, hop_seconds=0.5, labels=4, output=frames)
    (tmp_path / "out").write_text("label 1\n")
    (tmp_path / "own").write_text("label 2\t0.9\n")

    def events(*choice):
        out = tmp_path / f"{len(choice)}.jsonl"
        run = run_consort("run", "-m", bundle, "-o", out, *choice, *sounds.wavs[:3])
        assert run.exit == DONE, run.stderr
        return [event for line in read_results(out) for event in line["events"]]

    every = events()
    chosen = events("--exclude-labels", tmp_path / "out", "--thresholds", tmp_path / "own")
    untouched = ("label 0", "label 3")
    assert {it["label"] for it in every} == {"label 0", "label 1", "label 2", "label 3"}
    assert [it for it in chosen if it["label"] in untouched] == [it for it in every if it["label"] in untouched]
    assert {it["label"] for it in chosen} == {"label 0", "label 2", "label 3"}
    assert all(it["score"] >= 0.9 for it in chosen if it["label"] == "label 2")
    refused = run_consort("run", "-m", bundle, "-o", tmp_path / "none.jsonl", "--top-k", 3, sounds.wavs[0])
    assert refused.exit == FAILED and "gives events" in refused.stderr


def test_a_mistake_is_told_before_anything_is_made(run_consort, tmp_path, null_bundle, sounds):
    (tmp_path / "in").write_text("label 1\nlable 2\n")
    words = ("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", sounds.wavs[0])
    run = run_consort(*words, "--include-labels", tmp_path / "in")
    assert run.exit == FAILED
    assert run.stderr == (f'consort: line 2 of "{tmp_path}/in": the model has no label "lable 2"; '
                          'did you mean "label 2"?\n')
    assert run_consort(*words, "--top-k", 0).exit == USAGE
    run = run_consort(*words, "--include-labels", "piano", cwd=tmp_path)
    assert run.exit == FAILED and "--include-labels takes a file with one label a line" in run.stderr
    percent = null_bundle(output={"kind": "tags", "activation": "sigmoid", "top_k": 5, "threshold": 0.1})
    run = run_consort("run", "-m", percent, *words[3:], "--min-score", 50)
    assert run.exit == FAILED and run.stderr == (
        "consort: --min-score is 50, and no score of this model is ever so high; its scores are from 0 to 1\n")
    assert not (tmp_path / "out.jsonl").exists() and not (tmp_path / "out.jsonl.job").exists()
