"""crepe-pitch: a model and its post model in one bundle. What `consort run` says is what both say in Python, and the
pitch is torchcrepe's own."""

import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

import audio
import program

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/prepare"))

RATE, WINDOW, HOP = 16000, 1024, 160
VOWELS = "[[a:]] [[e:]] [[i:]] [[o:]] [[u:]]"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """crepe-pitch.pt, with its manifest and crepe-pitch.post.pt beside it."""
    path = tmp_path_factory.mktemp("crepe") / "crepe-pitch.pt"
    subprocess.run([sys.executable, ROOT / "tools/models/crepe.py", path, "--pitch"], check=True)
    return path


def prepared(model, backend, *options):
    folder = model.parent / f"bundle-{backend}"
    if not folder.exists():
        subprocess.run([sys.executable, "-m", "consort_prepare", model, "--post", model.with_suffix(".post.pt"), "-o", folder,
                        "--backend", backend, *options], check=True, cwd=ROOT / "tools/prepare")
    return folder


def sweep(low, high, seconds=1.0, overtones=1):
    """Rises from `low` to `high` Hz, evenly in octaves."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(low * (high / low) ** (time / seconds)) / RATE
    return sum(0.4 / n * np.sin(n * phase) for n in range(1, overtones + 1))


def tone(hz, seconds=0.25):
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)


def vowels(pitch):
    """Sung: espeak-ng at one pitch and slowly, brought to 16 kHz."""
    import soxr
    spoken = subprocess.run(["espeak-ng", "-v", "en", "-s", "80", "-p", str(pitch), "--stdout", VOWELS], check=True, capture_output=True).stdout
    samples = np.frombuffer(spoken[44:len(spoken) // 2 * 2], "<i2") / 32768
    return soxr.resample(samples, int.from_bytes(spoken[24:28], "little"), RATE)[:int(1.2 * RATE)]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Paths of recordings at 16 kHz: tones, sweeps, sung vowels, and noise."""
    folder = tmp_path_factory.mktemp("sung")
    made = {"high voice": vowels(90), "noise": 0.1 * np.random.default_rng(1).standard_normal(RATE // 4), "low voice": vowels(20),
            "tones": np.concatenate([tone(hz) for hz in (55, 220, 440, 987.77, 1500)]), "sweep": sweep(60, 1800),
            "rich sweep": sweep(80, 900, overtones=6)}
    return [str(audio.write(folder / f"{name}.wav", np.clip(samples, -1, 1), RATE)) for name, samples in made.items()]


def frames_of(path, manifest):
    from consort_prepare import frontend
    front = frontend.Frontend(manifest)
    return [front(samples) for _, _, samples in frontend.segments_of_whole_file(path, manifest["audio"])]


def run(run_consort, bundle, sounds, folder):
    results = folder / "pitch.jsonl"
    done = run_consort("run", "-m", bundle, "-o", results, "-p", 2, *sounds)
    assert done.exit == program.DONE, done.stderr
    return program.by_file(program.read_results(results))


@pytest.mark.parametrize("backend", ["torchscript", "aoti"])
def test_consort_says_what_the_two_say_in_python(run_consort, model, sounds, tmp_path, backend):
    """Bit for bit, to the last printed digit: in TorchScript the two modules, compiled the package opened in Python."""
    from consort_prepare import bundle, opening
    folder = prepared(model, backend, *(["--fast"] if backend == "aoti" else []))
    manifest = bundle.read_model(folder)
    sounds = sounds[:2]  # the others differ in nothing that this could show
    torch.set_num_threads(1)
    if backend == "torchscript":
        first, second = torch.jit.load(str(model)), torch.jit.load(str(model.with_suffix(".post.pt")))
        says = lambda x: second(first(x))
    else:
        says = opening.open_bundle(str(folder))
    results = run(run_consort, folder, sounds, tmp_path)
    for path in sounds:
        with torch.inference_mode():
            expected = [[f"{value:.4f}" for value in says(frame).reshape(-1).tolist()] for frame in frames_of(path, manifest)]
        got = [[f"{tag['score']:.4f}" for tag in line["tags"]] for line in results[path]]
        assert got == expected


def torchcrepes_own(samples, monkeypatch):
    """(Hz, periodicity) of each frame that lies in the sound as a whole, as the package gives them; without the noise
    that it adds. What it imports and this does not use is left out."""
    for name in ("librosa", "resampy", "tqdm", "torchaudio", "scipy", "scipy.io"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["scipy.io"].wavfile = None
    import torchcrepe
    monkeypatch.setattr(torchcrepe.convert, "dither", lambda cents: cents)
    pitch, periodicity = torchcrepe.predict(torch.from_numpy(samples.astype(np.float32))[None], RATE, HOP, model="tiny",
                                            decoder=torchcrepe.decode.weighted_argmax, return_periodicity=True, pad=False)
    return pitch[0].numpy(), periodicity[0].numpy()


def test_the_pitch_is_torchcrepes(run_consort, model, sounds, tmp_path, monkeypatch):
    import soundfile
    results = run(run_consort, prepared(model, "torchscript"), sounds, tmp_path)
    sure = 0
    for path in sounds:
        hz, periodicity = torchcrepes_own(soundfile.read(path, dtype="float32")[0], monkeypatch)
        lines = results[path][:len(hz)]
        assert [line["start"] for line in lines] == [round(0.01 * n, 3) for n in range(len(hz))]
        assert [[tag["label"] for tag in line["tags"]] for line in lines] == [["pitch_hz", "periodicity"]] * len(hz)
        got = np.array([[tag["score"] for tag in line["tags"]] for line in lines])
        assert np.abs(got[:, 1] - periodicity).max() < 1e-3
        voiced = periodicity > 0.5
        assert np.abs(1200 * np.log2(got[voiced, 0] / hz[voiced])).max(initial=0) < 1, path
        sure += voiced.sum()
    assert sure > 250  # of them: tones, sweeps and vowels have a pitch


def test_a_tone_has_its_own_pitch(run_consort, model, tmp_path):
    """What is compared with is not all: within a quarter of a semitone of the truth."""
    path = str(audio.write(tmp_path / "a.wav", tone(440, 1.0), RATE))
    lines = run(run_consort, prepared(model, "torchscript"), [path], tmp_path)[path]
    inside = [line["tags"] for line in lines if line["end"] - line["start"] > 0.0635]
    assert len(inside) > 90 and all(abs(1200 * np.log2(tags[0]["score"] / 440)) < 25 and tags[1]["score"] > 0.8 for tags in inside)
