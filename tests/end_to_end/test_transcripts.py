"""Words of a model with frames of tokens: those of the whole file, however it is cut into segments."""

import itertools

import numpy as np
import pytest
import soundfile
import torch

import bundles
import framed
from framed import FRAME, HOPS, TOKENS
from program import DONE, FAILED, SOME_FAILED, by_file, read_results


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return framed.prepared(tmp_path_factory.mktemp("spelling"), framed.Spelling(), {"kind": "ctc"}, TOKENS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sounds of random tokens, some of which last long, so that words go over several segments."""
    folder = tmp_path_factory.mktemp("words")
    random = np.random.default_rng(3)
    for n in range(6):
        levels = []
        while len(levels) < 30 + 60 * n:
            token = random.choice(len(TOKENS), p=[0.35, 0.1, 0.2, 0.2, 0.15])
            levels += list(token / 10 + random.uniform(-0.03, 0.03, random.integers(1, 12)))
        framed.write_sound(folder / f"{n}.wav", np.clip(levels, 0, 1), cut=int(random.integers(0, FRAME)))
    return folder


def words_of(path):
    """By the book: argmax, runs, no blanks, words between separators."""
    scores = torch.softmax(framed.answer(framed.Spelling(), path), -1)
    tokens, at = [], 0
    for token, run in itertools.groupby(scores.argmax(-1).tolist()):
        count = len(list(run))
        if token != 0:
            tokens.append((TOKENS[token], at, at + count, scores[at:at + count, token].max().item()))
        at += count
    end = soundfile.info(path).frames
    words = []
    for separates, group in itertools.groupby(tokens, lambda token: token[0] == "|"):
        group = list(group)
        if not separates:
            words.append({"word": "".join(token[0] for token in group), "start": framed.ms(group[0][1] * FRAME),
                          "end": framed.ms(min(group[-1][2] * FRAME, end)),
                          "score": pytest.approx(np.mean([token[3] for token in group]), abs=1e-4)})
    return words


@pytest.mark.parametrize("hop", HOPS)
def test_words_are_those_of_the_whole_file(run_consort, tmp_path, bundle, folder, hop):
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", framed.with_hop(bundle, tmp_path / "bundle", HOPS[hop]), "-o", out, "-p", 2, "-t", 1, folder)
    assert run.exit == DONE, run.stderr
    files = by_file(read_results(out))
    assert len(files) == 6
    for name, lines in files.items():
        found = [word for line in lines for word in line["words"]]
        assert found == words_of(name)
        assert len(found) > 0
        for line in lines:
            assert list(line) == ["file", "start", "end", "text", "words"]
            assert line["text"] == " ".join(word["word"] for word in line["words"])


def test_the_same_bytes_whatever_the_split(run_consort, tmp_path, bundle, folder):
    made = framed.with_hop(bundle, tmp_path / "bundle", HOPS["2/3"])
    results = set()
    for n, (workers, engines) in enumerate([(1, 1), (3, 1), (1, 2)]):
        out = tmp_path / f"{n}.jsonl"
        assert run_consort("run", "-m", made, "-o", out, "-p", workers, "-t", engines, "--quiet", folder).exit == DONE
        results.add(out.read_bytes())
    assert len(results) == 1


def test_a_model_that_says_no_number_is_at_fault(run_consort, tmp_path, bundle, folder):
    made = framed.prepared(tmp_path / "nan", Mute(), {"kind": "ctc"}, TOKENS)
    out = tmp_path / "out.jsonl"
    assert run_consort("run", "-m", made, "-o", out, folder / "5.wav").exit == SOME_FAILED
    *whole, last = read_results(out)
    assert last["error"]["code"] == "output" and "not a number" in last["error"]["message"]
    assert all("words" in line for line in whole)


def test_another_number_of_frames_than_was_prepared_is_refused(run_consort, tmp_path, bundle, folder):
    made = framed.with_hop(bundle, tmp_path / "bundle", HOPS["1"])
    manifest = bundles.read_manifest(made)
    manifest["prepared"]["output_size"] -= len(TOKENS)
    bundles.write_manifest(made, manifest)
    run = run_consort("run", "-m", made, "-o", tmp_path / "out.jsonl", folder)
    assert run.exit == FAILED
    assert "the model gives 120 scores for a segment, and gave 115 for each when the bundle was made" in run.stderr


class Mute(torch.nn.Module):
    """Not a number at levels that neither noise nor a square wave has."""

    def forward(self, x):
        levels = framed.levels_of(x)
        quiet = torch.where((levels[:, None] - 0.35).abs() < 0.08, torch.log(-torch.ones(1)), torch.zeros(1))
        return (quiet + torch.zeros(5))[None]
