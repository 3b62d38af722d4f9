"""Each channel heard by itself: its lines are those of a recording of its own with the same sound."""

import csv
import json
import random
import signal
import subprocess
import time

import meeteval.io
import numpy as np
import pandas
import pysrt
import pytest
import soundfile
import webvtt

import audio
import bundles
import framed
import processes
import test_ffmpeg
from program import DONE, SOME_FAILED, by_file, read_results
from test_joined_lines import FAST, counted, kill_again_and_again

READ = {"CONSORT_NULL_READ": "1"}
SPLITS = [(1, 1), (2, 2)]


def each(bundle, folder):
    """The same model, which hears each channel by itself."""
    made = bundles.copy(bundle, folder)
    manifest = bundles.read_manifest(made)
    manifest["audio"]["channels"] = "each"
    bundles.write_manifest(made, manifest)
    return made


def write_apart(folder, name, samples, rate):
    """folder/all/NAME with all channels, and folder/C/NAME with channel C alone, for C from 1."""
    for place, sound in [("all", samples)] + [(str(c + 1), samples[:, c:c + 1]) for c in range(samples.shape[1])]:
        (folder / place).mkdir(exist_ok=True)
        audio.write(folder / place / name, sound, rate)


def expected_of(runner, bundle, folder, out, env=None):
    """What the recordings in folder/all are to give: the lines of those with one channel, place by place."""
    alone = {}
    for place in sorted(p for p in folder.iterdir() if p.name.isdigit()):
        run = runner("run", "-m", bundle, "-o", out / f"{place.name}.jsonl", "--quiet", ".", cwd=place, env=env)
        assert run.exit == DONE, run.stderr
        for name, lines in by_file(read_results(out / f"{place.name}.jsonl")).items():
            alone.setdefault(name, []).append([{"file": name, "channel": int(place.name), **line} for line in lines])
    return [line for name in sorted(alone) for place in zip(*alone[name], strict=True) for line in place]


def run_all(runner, bundle, folder, out, split, env=None):
    run = runner("run", "-m", bundle, "-o", out, "-p", split[0], "-t", split[1], "--quiet", ".", cwd=folder / "all", env=env)
    assert run.exit == DONE, run.stderr
    return out.read_bytes()


def check_against_mono(runner, tmp_path, mono, folder, env=None, channels=4):
    """Whatever the split. Gives the lines. `channels`: of the recording that has most of them."""
    expected = expected_of(runner, mono, folder, tmp_path, env)
    bundle = each(mono, tmp_path / "each")
    found = {run_all(runner, bundle, folder, tmp_path / f"all-{p}x{t}.jsonl", (p, t), env) for p, t in SPLITS}
    assert len(found) == 1
    lines = [json.loads(line) for line in found.pop().splitlines()]
    assert lines == expected
    assert all(list(line)[:4] == ["file", "channel", "start", "end"] for line in lines)
    assert {line["channel"] for line in lines} == set(range(1, channels + 1))
    # The channels say different things, or this would show nothing.
    first = [json.dumps([line[key] for key in line if key not in ("file", "channel")]) for line in lines if line["channel"] == 1]
    second = [json.dumps([line[key] for key in line if key not in ("file", "channel")]) for line in lines if line["channel"] == 2]
    assert set(first) - set(second)
    return lines


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """One, two and four channels, and one of several blocks of a codec's; other lengths, rates and formats."""
    folder = tmp_path_factory.mktemp("recordings")
    for name, seconds, rate, channels in [("a.wav", 5.3, 16000, 2), ("b.flac", 9.1, 44100, 4), ("c.wav", 3.0, 32000, 1)]:
        write_apart(folder, name, np.hstack([audio.music(seconds, rate, 1, seed) for seed in range(channels)]), rate)
    return folder


def test_tags_of_the_null_worker(run_consort, tmp_path, recordings):
    mono = bundles.write_null_bundle(tmp_path / "mono", segment_seconds=1.0, hop_seconds=0.7)
    lines = check_against_mono(run_consort, tmp_path, mono, recordings, READ)
    assert len(by_file(lines)) == 3


def test_tags_of_a_model(run_consort, tmp_path, recordings, cnn14_quarter):
    check_against_mono(run_consort, tmp_path, cnn14_quarter, recordings)


# name → its channels
BY_FFMPEG = {"aac.m4a": 2, "aac_six_channels.m4a": 6, "alac.m4a": 2, "ac3.mkv": 6, "pcm_8.avi": 2, "pcm_24.mov": 2, "pcm_64.mkv": 2,
             "opus.webm": 2, "flac.ogg": 2}


def test_what_ffmpeg_reads(run_consort, tmp_path):
    """In all kinds of samples, side by side and one channel after the other: those that the program ffmpeg writes."""
    source = tmp_path / "source.wav"
    audio.write(source, np.hstack([audio.music(4, 44100, 1, seed) for seed in range(2)]), 44100)
    for place in ["all", *map(str, range(1, 7))]:
        (tmp_path / "sounds" / place).mkdir(parents=True)
    for name, channels in BY_FFMPEG.items():
        made = test_ffmpeg.make(tmp_path / "sounds/all", source, name, test_ffmpeg.MADE[name])
        samples = np.frombuffer(test_ffmpeg.ffmpeg("-i", made, "-f", "f32le", "-c:a", "pcm_f32le", "-"), np.float32).reshape(-1, channels)
        rate = 48000 if "opus" in name else 44100
        for channel in range(channels):
            audio.write(tmp_path / f"sounds/{channel + 1}/{name}", samples[:, channel], rate, "FLOAT", "WAV")
    mono = bundles.write_null_bundle(tmp_path / "mono", segment_seconds=1.0, hop_seconds=0.7)
    lines = check_against_mono(run_consort, tmp_path, mono, tmp_path / "sounds", READ, 6)
    assert len(by_file(lines)) == len(BY_FFMPEG)


def test_of_a_codec_with_memory_each_channel_is_heard_once(run_consort, tmp_path):
    """Decoded from blocks' beginnings: every split gives the same, and so does the channel alone, as the codec has it."""
    (tmp_path / "all").mkdir()
    sound = np.hstack([audio.music(40, 44100, 1, seed) for seed in range(2)])
    source = audio.write(tmp_path / "source.wav", sound, 44100)
    test_ffmpeg.make(tmp_path / "all", source, "a.ogg", "-c:a libvorbis")
    test_ffmpeg.make(tmp_path / "all", source, "b.mp3", "-c:a libmp3lame -q:a 4")
    bundle = each(bundles.write_null_bundle(tmp_path / "mono", segment_seconds=2.0, hop_seconds=2.0), tmp_path / "each")
    found = {run_all(run_consort, bundle, tmp_path, tmp_path / f"{p}x{t}.jsonl", (p, t), READ) for p, t in SPLITS}
    assert len(found) == 1
    lines = [json.loads(line) for line in found.pop().splitlines()]
    assert len(lines) == 2 * 2 * 20
    assert [line["channel"] for line in lines] == 40 * [1, 2]
    assert [line["start"] for line in lines if line["channel"] == 1] == [line["start"] for line in lines if line["channel"] == 2]


@pytest.fixture(scope="module")
def levels(tmp_path_factory):
    """Sounds of frames of one level each, for the models of framed.py."""
    folder = tmp_path_factory.mktemp("levels")
    choice = np.random.default_rng(3)
    signs = np.where(np.arange(framed.FRAME) % 2 == 0, 1.0, -1.0)
    for name, channels, frames in [("a.wav", 2, 200), ("b.wav", 4, 331), ("c.wav", 1, 40)]:
        sounds = []
        for _ in range(channels):
            made = []
            while len(made) < frames:
                made += [choice.integers(0, 5) / 10 + 0.3 * choice.integers(0, 2)] * int(choice.integers(1, 6))
            sounds.append((np.array(made[:frames])[:, None] * signs).reshape(-1, 1))
        write_apart(folder, name, np.hstack(sounds)[:-100], framed.RATE)
    return folder


@pytest.mark.parametrize("kind", ["frames", "ctc"])
def test_frames_and_words(run_consort, tmp_path, levels, kind):
    if kind == "frames":
        mono = framed.prepared(tmp_path / "model", framed.Loudness(), {"kind": "frames"}, ["loud", "half"])
        output = {"threshold": 0.5, "threshold_off": 0.35, "min_gap_seconds": 0.1, "pad_seconds": 0.05}
    else:
        mono, output = framed.prepared(tmp_path / "model", framed.Spelling(), {"kind": "ctc"}, framed.TOKENS), {}
    mono = framed.with_hop(mono, tmp_path / "mono", framed.HOPS["3/4"], output)
    lines = check_against_mono(run_consort, tmp_path, mono, levels)
    assert sum(len(line.get("events", line.get("words"))) for line in lines) > 50


@pytest.fixture(scope="module")
def talks(tmp_path_factory, sounds):
    """Words with pauses, others in each channel."""
    folder = tmp_path_factory.mktemp("talks")
    words = []
    for path in sounds.wavs:
        if "Noise" not in path:
            sound, rate = soundfile.read(path)
            words.append(sound[:: rate // 16000])
    choice = random.Random(2)
    for name, channels, seconds in [("a.wav", 2, 11), ("b.flac", 4, 16), ("c.wav", 1, 5)]:
        speech = []
        for _ in range(channels):
            parts = []
            while sum(map(len, parts)) < 16000 * seconds:
                parts += [np.zeros(int(16000 * choice.uniform(0.05, 2))), choice.choice(words)]
            speech.append(np.concatenate(parts)[:16000 * seconds - 333, None])
        write_apart(folder, name, np.hstack(speech), 16000)
    return folder


def test_a_model_with_state_has_one_for_each_channel(run_consort, start_consort, tmp_path, silero_vad, talks):
    lines = check_against_mono(run_consort, tmp_path, silero_vad, talks)
    assert sum(len(line["events"]) for line in lines) > 10
    # Killed inside a file, and gone on with; its worker killed, too.
    out = tmp_path / "killed.jsonl"
    words = ("run", "-m", tmp_path / "each", "-o", out, "-p", 1, "-t", 1, "--quiet", ".")
    running = start_consort(*words, cwd=talks / "all", env=FAST)
    assert processes.wait_until(lambda: counted(out) >= 3, interval=0.001)
    running.signal(signal.SIGKILL)
    assert running.wait().exit == 137
    running = start_consort(*words, cwd=talks / "all", env=FAST)
    before = counted(out)
    processes.wait_until(lambda: counted(out) > before or running.popen.poll() is not None, interval=0.001)
    kill_a_worker(running)
    run = running.wait()
    assert run.exit == DONE, run.stderr
    assert out.read_bytes() == (tmp_path / "all-1x1.jsonl").read_bytes()


def kill_a_worker(job):
    """If there is one. True: it was killed."""
    everyone = job.processes()
    templates = {it.pid for it in everyone if it.parent == job.pid}
    workers = [it.pid for it in everyone if it.parent in templates]
    if not workers:
        return False
    try:
        subprocess.run(["kill", "-KILL", str(random.choice(workers))], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        return False
    return True


KINDS = {
    "tags": ([f"label {n}" for n in range(8)], None),
    "ctc": (["<pad>", "|", "a", "b", "c", "d"], {"kind": "ctc", "frame_seconds": 0.02}),
    # One event a channel for each label: all lines of a file wait for its end.
    "held": (["a", "b"], {"kind": "frames", "frame_seconds": 0.02, "threshold": 0.0}),
}


@pytest.fixture(scope="module", params=KINDS)
def job(request, runner, tmp_path_factory):
    """A null bundle, a folder of 20 sounds of one to three channels, and the bytes of an undisturbed run of one engine."""
    folder = tmp_path_factory.mktemp("disturbed")
    (folder / "all").mkdir()
    for n in range(20):
        audio.make(folder / f"all/{n:02d}.wav", seconds=2 + n % 3, rate=8000, channels=1 + n % 3, seed=n)
    labels, output = KINDS[request.param]
    mono = bundles.write_null_bundle(folder / "mono", segment_seconds=0.4, hop_seconds=0.2, labels=labels, output=output)
    bundle = each(mono, folder / "each")
    return bundle, folder / "all", run_all(runner.run, bundle, folder, folder / "calm.jsonl", (1, 1))


def test_kills_of_workers_and_of_the_supervisor_change_no_byte(start_consort, tmp_path, job):
    bundle, folder, expected = job
    slow = FAST | {"CONSORT_NULL_SEGMENT_US": "3000"}
    out = tmp_path / "workers.jsonl"
    running = start_consort("run", "-m", bundle, "-o", out, "-p", 2, "-t", 2, "--quiet", ".", cwd=folder, env=slow)
    kills = 0
    for _ in range(4):
        time.sleep(random.uniform(0.05, 0.15))
        kills += running.popen.poll() is None and kill_a_worker(running)
    assert running.wait().exit == DONE and kills > 0
    assert out.read_bytes() == expected
    out = tmp_path / "supervisor.jsonl"
    words = ("run", "-m", bundle, "-o", out, "-p", 2, "-t", 1, "--quiet", folder)
    kill_again_and_again(start_consort, out, words, signal.SIGKILL, slow)
    assert out.read_bytes() == expected.replace(b'{"file":"./', b'{"file":"' + bytes(folder) + b"/")


def test_a_segment_that_crashes_has_its_channel(run_consort, tmp_path, job):
    bundle, folder, _ = job
    (tmp_path / "bad~segv@7~.wav").symlink_to(folder / "02.wav")  # three channels
    run = run_consort("run", "-m", bundle, "-o", "out.jsonl", "--attempts", 1, "--quiet", "bad~segv@7~.wav", cwd=tmp_path)
    assert run.exit == SOME_FAILED, run.stderr
    lines = read_results(tmp_path / "out.jsonl")
    assert [n for n, line in enumerate(lines) if "error" in line] == [7]
    assert lines[7]["channel"] == 2 and lines[7]["error"]["code"] == "crashed" and lines[7]["error"]["at"] == 0.4
    assert list(lines[7]) == ["file", "channel", "error"]
    assert [line["channel"] for line in lines] == [1, 2, 3] * (len(lines) // 3)
    told = json.loads((tmp_path / "out.jsonl.job/quarantine.jsonl").read_text())
    assert list(told)[:4] == ["file", "channel", "segment", "start"]
    assert (told["channel"], told["segment"], told["start"], told["sample"]) == (2, 2, 0.4, 3200)
    status = run_consort("status", tmp_path / "out.jsonl")
    assert "channel 2, segment 2 at 0.4 s" in status.stdout
    # Done again in its place, by whoever has mended it.
    (tmp_path / "bad~segv@7~.wav").unlink()
    audio.make(tmp_path / "bad~segv@7~.wav", seconds=0.7, rate=8000, channels=2, seed=5)
    run = run_consort("run", "-m", bundle, "-o", "out.jsonl", "--retry-failed", "--quiet", "bad~segv@7~.wav", cwd=tmp_path)
    assert run.exit == DONE, run.stderr
    assert [line["channel"] for line in read_results(tmp_path / "out.jsonl")] == [1, 2, 1, 2, 1, 2]
    assert "6" in next(line for line in run_consort("status", tmp_path / "out.jsonl").stdout.splitlines() if line.startswith("segments"))


def test_a_fault_ends_all_channels_and_has_none(run_consort, tmp_path, recordings):
    bundle = each(bundles.write_null_bundle(tmp_path / "mono", segment_seconds=1.0, hop_seconds=1.0), tmp_path / "each")
    sound = tmp_path / "cut.wav"
    sound.write_bytes((recordings / "all/a.wav").read_bytes())
    audio.cut(sound, 0.5)
    out = tmp_path / "out.jsonl"
    assert run_consort("run", "-m", bundle, "-o", out, sound, env=READ).exit == SOME_FAILED
    *lines, error = read_results(out)
    assert list(error) == ["file", "error"] and error["error"]["code"] == "truncated"
    assert [(line["start"], line["channel"]) for line in lines] == [(0.0, 1), (0.0, 2), (1.0, 1), (1.0, 2)]


def test_check_counts_the_segments_of_all_channels(run_consort, tmp_path, recordings):
    mono = bundles.write_null_bundle(tmp_path / "mono", segment_seconds=1.0, hop_seconds=0.7)
    bundle = each(mono, tmp_path / "each")
    lines = len(run_all(run_consort, bundle, recordings, tmp_path / "out.jsonl", (2, 1)).splitlines())
    check = run_consort("check", "-m", bundle, "--json", "-", recordings / "all")
    assert check.exit == DONE, check.stderr
    assert json.loads(check.stdout)["total"]["segments"] == lines
    assert "of each channel" in run_consort("check", "-m", bundle, recordings / "all").stdout


def test_every_format_says_which_channel(run_consort, tmp_path, levels):
    mono = framed.prepared(tmp_path / "model", framed.Loudness(), {"kind": "frames"}, ["loud", "half"])
    bundle = each(framed.with_hop(mono, tmp_path / "mono", framed.HOPS["3/4"], {"pad_seconds": 0.05}), tmp_path / "each")
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", bundle, "-o", out, "--format", "csv,raven,audacity,rttm,ctm,srt,vtt", levels / "all/b.wav")
    assert run.exit == DONE, run.stderr
    lines = read_results(out)
    said = [(line["channel"], event) for line in lines for event in line["events"]]
    channels = [str(channel) for channel, _ in said]
    assert set(channels) == {"1", "2", "3", "4"}
    rows = list(csv.DictReader((tmp_path / "out.csv").open(newline="", encoding="utf-8"), strict=True))
    assert [row["channel"] for row in rows if row["label"]] == channels
    assert {row["channel"] for row in rows} == {"1", "2", "3", "4"} and list(rows[0])[-1] == "channel"
    raven = pandas.read_csv(tmp_path / "out.raven.txt", sep="\t", dtype=str)
    assert list(raven["Channel"]) == channels
    assert [it.channel for it in meeteval.io.RTTM.load(tmp_path / "out.rttm")] == channels
    assert [str(it.channel) for it in meeteval.io.CTM.load(tmp_path / "out.ctm").lines] == channels
    audacity = [line.split("\t")[2] for line in (tmp_path / "out.audacity.txt").read_text().splitlines()]
    assert audacity == [f"Channel {channel}: {event['label']}" for channel, event in said]
    # Subtitles are in order of their starts at each place, and then of channels.
    places = {}
    for line in lines:
        places.setdefault(line["start"], []).extend((event["start"], line["channel"], event["label"]) for event in line["events"])
    wanted = [cue for place in places.values() for cue in sorted(place, key=lambda cue: cue[0])]
    assert wanted != [cue for place in places.values() for cue in place]
    srt = pysrt.open(tmp_path / "out.srt", encoding="utf-8", error_handling=pysrt.ERROR_RAISE)
    assert [(it.start.ordinal, it.text) for it in srt] == [
        (round(1000 * start), f"Channel {channel}: {label}") for start, channel, label in wanted]
    cues = list(webvtt.read(tmp_path / "out.vtt"))
    assert [(it.voice, it.text) for it in cues] == [(f"Channel {channel}", label) for _, channel, label in wanted]
