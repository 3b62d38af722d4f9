"""Recordings as users have them, made by ffmpeg, sox and libsndfile of one speech and one music source: each gives the
segments, the times and the scores that the sound in it gives as WAV.

Beside test_ffmpeg.py and test_read_reference.py, which hold single samples against other decoders, this is a whole
`consort run` with real models: what is heard of a file must be what is heard of a float WAV that another program decoded
it to, to the last printed digit of every score, or the last but one where a codec is read in other pieces than a WAV.
"""

import pathlib
import subprocess

import numpy
import pytest
import soundfile

import audio
import program

ROOT = pathlib.Path(__file__).resolve().parents[2]

LOSSLESS, LOSSY = "lossless", "lossy"
# name → maker, its options, sample rate, channels, seconds, what the codec does to the sound. 47 of them, by 3 makers.
MATRIX = {
    # ffmpeg
    "aac.m4a": ("ffmpeg", "-c:a aac -b:a 96k", 44100, 2, 7.3, LOSSY),
    "aac_phone.m4a": ("ffmpeg", "-c:a aac -b:a 48k", 16000, 1, 6.1, LOSSY),
    "aac.mp4": ("ffmpeg", "-c:a aac -movflags frag_keyframe+empty_moov -frag_duration 500000", 48000, 2, 3.0, LOSSY),
    "aac_six.m4a": ("ffmpeg", "-c:a aac", 48000, 6, 3.2, LOSSY),
    "adts.aac": ("ffmpeg", "-c:a aac", 32000, 1, 2.9, LOSSY),
    "alac.m4a": ("ffmpeg", "-c:a alac", 44100, 2, 6.0, LOSSLESS),
    "mp3.mkv": ("ffmpeg", "-c:a libmp3lame -b:a 128k", 44100, 2, 6.2, LOSSY),
    "vbr.mp3": ("ffmpeg", "-c:a libmp3lame -q:a 3", 44100, 2, 9.1, LOSSY),
    "cbr.mp3": ("ffmpeg", "-c:a libmp3lame -b:a 64k", 22050, 1, 4.4, LOSSY),
    "low.mp3": ("ffmpeg", "-c:a libmp3lame -b:a 24k", 8000, 1, 3.7, LOSSY),
    "layer2.mp2": ("ffmpeg", "-c:a mp2 -b:a 192k", 48000, 2, 3.3, LOSSY),
    "opus.webm": ("ffmpeg", "-c:a libopus -b:a 64k", 48000, 2, 6.6, LOSSY),
    "vorbis.webm": ("ffmpeg", "-c:a libvorbis -q:a 4", 44100, 2, 5.0, LOSSY),
    "wma1.wma": ("ffmpeg", "-c:a wmav1 -b:a 96k", 44100, 2, 4.0, LOSSY),
    "wma2.wma": ("ffmpeg", "-c:a wmav2 -b:a 64k", 22050, 1, 6.9, LOSSY),
    "ac3.ac3": ("ffmpeg", "-c:a ac3 -b:a 192k", 48000, 2, 3.1, LOSSY),
    "flac.mkv": ("ffmpeg", "-c:a flac", 96000, 2, 3.4, LOSSLESS),
    "pcm24.mov": ("ffmpeg", "-c:a pcm_s24le", 48000, 2, 6.4, LOSSLESS),
    "pcm.avi": ("ffmpeg", "-c:a pcm_s16le", 44100, 2, 3.6, LOSSLESS),
    "wavpack.wv": ("ffmpeg", "-c:a wavpack", 44100, 2, 6.3, LOSSLESS),
    "speex.spx": ("ffmpeg", "-c:a libspeex", 16000, 1, 5.2, LOSSY),
    "rf64.wav": ("ffmpeg", "-c:a pcm_s16le -rf64 always", 48000, 1, 7.7, LOSSLESS),
    # sox
    "sox_16.wav": ("sox", "-b 16 -e signed-integer", 32000, 1, 8.9, LOSSLESS),
    "sox_32.wav": ("sox", "-b 32 -e signed-integer", 192000, 1, 2.0, LOSSLESS),
    "sox_u8.wav": ("sox", "-b 8 -e unsigned-integer", 11025, 1, 5.5, LOSSY),
    "sox_alaw.wav": ("sox", "-e a-law", 8000, 1, 6.5, LOSSY),
    "sox_gsm.wav": ("sox", "-e gsm-full-rate", 8000, 1, 4.1, LOSSY),
    "sox_ima.wav": ("sox", "-e ima-adpcm", 22050, 1, 3.9, LOSSY),
    "sox.aiff": ("sox", "-b 24", 44100, 2, 3.0, LOSSLESS),
    "sox.au": ("sox", "-b 16 -e signed-integer", 16000, 1, 3.001, LOSSLESS),
    "sox.w64": ("sox", "-b 24 -e signed-integer", 48000, 2, 6.0, LOSSLESS),
    "sox.sph": ("sox", "-b 16", 16000, 1, 9.3, LOSSLESS),
    "sox.voc": ("sox", "-b 16", 22050, 1, 2.2, LOSSLESS),
    "sox.flac": ("sox", "-C 8 -b 24", 88200, 2, 3.2, LOSSLESS),
    "sox.ogg": ("sox", "-C 3", 44100, 2, 6.0, LOSSY),
    # libsndfile
    "sf_24.wav": ("libsndfile", "WAV PCM_24", 250000, 1, 1.2, LOSSLESS),
    "sf_float.wav": ("libsndfile", "WAV FLOAT", 44100, 8, 3.7, LOSSLESS),
    "sf_double.wav": ("libsndfile", "WAV DOUBLE", 4000, 1, 7.0, LOSSLESS),
    "sf_ex.wav": ("libsndfile", "WAVEX PCM_16", 48000, 4, 3.3, LOSSLESS),
    "sf_ms.wav": ("libsndfile", "WAV MS_ADPCM", 22050, 2, 4.8, LOSSY),
    "sf.flac": ("libsndfile", "FLAC PCM_16", 44100, 1, 0.4, LOSSLESS),
    "sf_8.flac": ("libsndfile", "FLAC PCM_S8", 16000, 1, 3.9, LOSSY),
    "sf.ogg": ("libsndfile", "OGG VORBIS", 32000, 1, 6.1, LOSSY),
    "sf.opus": ("libsndfile", "OGG OPUS", 48000, 1, 7.4, LOSSY),
    "sf.mp3": ("libsndfile", "MP3 MPEG_LAYER_III", 48000, 2, 3.1, LOSSY),
    "sf.caf": ("libsndfile", "CAF PCM_32", 44100, 2, 6.6, LOSSLESS),
    "sf.aiff": ("libsndfile", "AIFF FLOAT", 48000, 1, 2.5, LOSSLESS),
}
# How far a codec may move silero's certainty of speech on a segment of each source. Measured: 0.08 for speech at 16 kbit/s
# and less; of music silero is unsure, and the loss of GSM moves it by 0.34.
MOST_MOVED = {"speech": 0.15, "music": 0.4}


def source(name, sounds, rate, channels, seconds):
    """One of the two sources as samples, frames × channels; each channel is another place of it."""
    paths = sounds.wavs if name == "speech" else [it for it in sounds.flacs if "loop_" in it]
    pieces = []
    for path in paths:
        samples, from_rate = soundfile.read(path, dtype="float64", always_2d=True)
        pieces.append(resampled(samples.mean(axis=1), from_rate, rate))
        if sum(map(len, pieces)) > (seconds + channels) * rate:
            break
    whole = numpy.tile(numpy.concatenate(pieces), 1 + int((seconds + channels) * rate / sum(map(len, pieces))))
    count = round(seconds * rate)
    frames = numpy.stack([whole[c * rate // 50 :][:count] for c in range(channels)], axis=1)
    # On the grid of 16 bits: what a lossless file of 16 bits or more holds exactly.
    return numpy.round(frames / numpy.abs(frames).max() * 0.7 * 32767) / 32768


def resampled(samples, from_rate, to_rate):
    import soxr

    return samples if from_rate == to_rate else soxr.resample(samples, from_rate, to_rate)


def make(path, maker, options, wav):
    if maker == "ffmpeg":
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", wav, *options.split(), path], check=True)
    elif maker == "sox":
        subprocess.run(["sox", "-D", "-V1", wav, *options.split(), path], check=True)
    else:
        samples, rate = soundfile.read(wav, dtype="float64", always_2d=True)
        kind, subtype = options.split()
        audio.write(path, samples, rate, subtype, kind)


def decode(path, wav):
    """What another program hears in it, as a float WAV: Python's soundfile where libsndfile can read it, else ffmpeg. (MP3's
    decoders differ in the last bits; in GSM's last blocks they differ about the length.)"""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        soundfile.write(wav, samples, rate, subtype="FLOAT")
    except soundfile.LibsndfileError:
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", path, "-c:a", "pcm_f32le", wav], check=True)


@pytest.fixture(scope="module", params=["speech", "music"])
def recordings(request, tmp_path_factory, sounds):
    """A folder with `made` files, what others decode them to, and the WAVs they were made from; a list of each."""
    folder = tmp_path_factory.mktemp(request.param)
    lists = {kind: [] for kind in ("made", "decoded", "wav")}
    for name, (maker, options, rate, channels, seconds, _) in MATRIX.items():
        wav = folder / f"{name}.source.wav"
        soundfile.write(wav, source(request.param, sounds, rate, channels, seconds), rate, subtype="PCM_16")
        make(folder / name, maker, options, wav)
        decode(folder / name, folder / f"{name}.decoded.wav")
        for kind, path in zip(lists, (folder / name, folder / f"{name}.decoded.wav", wav)):
            lists[kind].append(path.name)
    for kind, names in lists.items():
        (folder / f"{kind}.txt").write_text("".join(name + "\n" for name in names))
    return folder


def results(run_consort, recordings, model, kind):
    out = recordings / f"{model}-{kind}.jsonl"
    run = run_consort("run", "-m", ROOT / "build/bundles" / model, "-o", out, recordings / f"{kind}.txt", timeout=300)
    assert run.exit == program.DONE, run.stderr
    lines = list(program.by_file(program.read_results(out)).values())
    assert len(lines) == len(MATRIX)
    return dict(zip(MATRIX, ([without_name(line) for line in file] for file in lines)))


def without_name(line):
    return {key: value for key, value in line.items() if key != "file"}


@pytest.mark.parametrize("model", ["silero", "cnn14-quarter"])
def test_segments_times_and_scores_are_those_of_the_sound_as_wav(run_consort, recordings, model):
    made, decoded, wav = (results(run_consort, recordings, model, kind) for kind in ("made", "decoded", "wav"))
    moved = {}
    for name, (*_, rate, _channels, seconds, loss) in MATRIX.items():
        if name.endswith(("mp3", "mp2")):  # builds of mpg123 differ in the last bits
            assert furthest(made[name], decoded[name]) <= 0.005, name
        elif loss == LOSSY:  # decoded, and so resampled, in other pieces than a WAV: the last digit may be rounded to the other side
            assert times(made[name]) == times(decoded[name]) and furthest(made[name], decoded[name]) < 0.00015, name
        else:
            assert made[name] == decoded[name], name
        assert made[name][-1]["end"] == pytest.approx(seconds, abs=0.12 if loss == LOSSY else 0.001), name
        if loss == LOSSLESS:
            assert made[name] == wav[name], name
        else:
            count = min(len(made[name]), len(wav[name]))  # a codec's padding may begin another segment
            moved[name] = furthest(made[name][:count], wav[name][:count])
    assert len(moved) >= 20
    if model == "silero":  # a real model, whose scores mean something
        print(sorted(moved.items(), key=lambda it: -it[1])[:5])
        assert max(moved.values()) <= MOST_MOVED[recordings.name.rstrip("0123456789")], sorted(moved.items(), key=lambda it: it[1])[-5:]


def times(lines):
    return [(line["start"], line["end"]) for line in lines]


def furthest(some, others):
    """The largest difference of a label's score that both have."""
    assert len(some) == len(others)
    found = 0.0
    for one, other in zip(some, others):
        scores = {tag["label"]: tag["score"] for tag in other["tags"]}
        found = max([found, *(abs(tag["score"] - scores[tag["label"]]) for tag in one["tags"] if tag["label"] in scores)])
    return found
