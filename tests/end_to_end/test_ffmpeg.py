"""What FFmpeg's libraries read is heard as the program ffmpeg decodes it: every sample, in any order.

Each file is made by ffmpeg itself from the same sound, and decoded by it to compare; what libsndfile reads of the
formats that both know is held against it as well.
"""

import json
import os
import pathlib
import random
import re
import struct
import subprocess

import numpy
import pytest
import soundfile

import audio
import bundles
import program

ROOT = pathlib.Path(__file__).resolve().parents[2]
DUMP = pathlib.Path(os.environ.get("CONSORT_BIN", ROOT / "build/release/bin")).absolute()
DUMP = (DUMP if DUMP.is_dir() else DUMP.parent) / "consort_read_dump"
SECONDS = 9.7

# name → how ffmpeg makes it of 44.1 kHz stereo
MADE = {
    "aac.m4a": "-c:a aac",
    "aac_mono_16k.m4a": "-c:a aac -ac 1 -ar 16000 -b:a 24k",
    "aac_six_channels.m4a": "-c:a aac -ac 6",
    "aac_short.m4a": "-c:a aac -t 0.05",
    "alac.m4a": "-c:a alac",
    "alac_24.m4a": "-c:a alac -sample_fmt s32p -ac 1",
    "aac_fragments.mp4": "-c:a aac -movflags frag_keyframe+empty_moov -frag_duration 1000000",
    "aac.aac": "-c:a aac",
    "aac.mkv": "-c:a aac",
    "aac.flv": "-c:a aac",
    "aac.mts": "-c:a aac -f mpegts",
    "mp3.mkv": "-c:a libmp3lame -q:a 4",
    "mp3_22k.mp4": "-c:a libmp3lame -ar 22050",
    "mp3.avi": "-c:a libmp3lame",
    "opus.webm": "-c:a libopus",
    "opus_speech.webm": "-c:a libopus -b:a 12k -ac 1 -application voip",
    "vorbis.webm": "-c:a libvorbis",
    "vorbis_low.mkv": "-c:a libvorbis -ar 22050 -q:a 0",
    "flac.mkv": "-c:a flac",
    "flac.ogg": "-c:a flac -f ogg",
    "speex.spx": "-c:a libspeex -ac 1 -ar 16000",
    "wma_1.wma": "-c:a wmav1",
    "wma_2.wma": "-c:a wmav2 -b:a 48k",
    "ac3.ac3": "-c:a ac3",
    "ac3.mkv": "-c:a ac3 -ac 6",
    "eac3.eac3": "-c:a eac3",
    "mp2.mkv": "-c:a mp2",
    "mp2.mpg": "-c:a mp2 -f mpeg",
    "mp2.mts": "-c:a mp2 -f mpegts",
    "dts.dts": "-c:a dca -strict -2",
    "truehd.thd": "-c:a truehd -strict -2",
    "tta.tta": "-c:a tta",
    "wavpack.wv": "-c:a wavpack",
    "pcm_16.mkv": "-c:a pcm_s16le",
    "pcm_24.mov": "-c:a pcm_s24be",
    "pcm_float.mov": "-c:a pcm_f32le",
    "pcm_64.mkv": "-c:a pcm_f64le",
    "pcm_8.avi": "-c:a pcm_u8",
    "adpcm_ms.avi": "-c:a adpcm_ms",
    "adpcm_ima.mov": "-c:a adpcm_ima_qt",
    "adpcm_swf.flv": "-c:a adpcm_swf",
    "gsm.avi": "-c:a libgsm_ms -ac 1 -ar 8000",
    "real_144.rm": "-c:a real_144 -ac 1 -ar 8000",
}
# What libsndfile reads: name → (how ffmpeg makes it, largest difference from ffmpeg's own samples).
KNOWN = {
    "rf64.wav": ("-c:a pcm_s16le -rf64 always", 0),
    "wave64.w64": ("-c:a pcm_s24le", 0),
    "u8.wav": ("-c:a pcm_u8", 0),
    "s24.wav": ("-c:a pcm_s24le", 0),
    "s32.wav": ("-c:a pcm_s32le", 0),
    "f32.wav": ("-c:a pcm_f32le", 0),
    "f64.wav": ("-c:a pcm_f64le", 0),
    "mulaw.wav": ("-c:a pcm_mulaw", 0),
    "six.wav": ("-c:a pcm_s16le -ac 6", 0),
    "4k.wav": ("-c:a pcm_s16le -ar 4000", 0),
    "768k.wav": ("-c:a pcm_s16le -ar 768000 -t 2", 0),
    "six.flac": ("-c:a flac -ac 6", 0),
    "alac.caf": ("-c:a alac", 0),
    "vbr.mp3": ("-c:a libmp3lame -q:a 4", 1e-4),
    "cbr.mp3": ("-c:a libmp3lame -b:a 96k", 1e-4),
    "mp2.mp2": ("-c:a mp2", 1e-4),
    "vorbis.ogg": ("-c:a libvorbis", 1e-5),
}


def ffmpeg(*args):
    return subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, args)], check=True,
                          capture_output=True).stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return audio.make(tmp_path_factory.mktemp("source") / "sound.wav", SECONDS, 44100, 2)


def make(folder, source, name, how):
    ffmpeg("-i", source, *how.split(), folder / name)
    return folder / name


def decoded(path, *options):
    """What the program ffmpeg makes of it: the mean of its channels, and its rate."""
    told = subprocess.run(["ffmpeg", "-nostdin", "-i", path, *options, "-f", "f32le", "-c:a", "pcm_f32le", "-"], check=True,
                          capture_output=True)
    found = re.search(r"Output #0.*?Audio: pcm_f32le.*?, (\d+) Hz, ([^,]+),", told.stderr.decode(errors="replace"),
                      re.DOTALL)
    layout = found.group(2)
    named = {"mono": 1, "stereo": 2, "5.1": 6, "5.1(side)": 6}
    channels = named[layout] if layout in named else int(layout.split()[0])
    frames = numpy.frombuffer(told.stdout, numpy.float32).reshape(-1, channels)
    return frames.mean(axis=1, dtype=numpy.float64).astype(numpy.float32), int(found.group(1))


def dump(path, rate, *segments):
    """Segments of a second as rows, and what was said: samples, or the fault."""
    done = subprocess.run([DUMP, path, str(rate), "1", "1", *map(str, segments)], capture_output=True)
    heard = numpy.frombuffer(done.stdout, numpy.float32).reshape(-1, rate)
    return heard, done.stderr.decode()


def assert_heard(path, worst=0.0):
    """All of it, and its segments in any order."""
    expected, rate = decoded(path)
    heard, said = dump(path, rate)
    told = re.match(r"segments (\d+) samples (\d+) rate (\d+) ", said)
    assert told, said
    assert (int(told.group(2)), int(told.group(3))) == (len(expected), rate)
    assert int(told.group(1)) == max(1, -(-len(expected) // rate)) == len(heard)
    padded = numpy.zeros(len(heard) * rate, numpy.float32)
    padded[: len(expected)] = expected
    difference = numpy.abs(heard.reshape(-1) - padded)
    assert difference.max() <= worst, f"{difference.max()} at {difference.argmax()} of {len(expected)}"
    order = list(range(len(heard))) + [0]
    random.Random(path.name).shuffle(order)
    again, said = dump(path, rate, *order)
    assert numpy.array_equal(again, heard[order]), (order, said)


@pytest.mark.parametrize("name", MADE)
def test_every_sample_is_that_of_ffmpeg(tmp_path, source, name):
    assert_heard(make(tmp_path, source, name, MADE[name]))


@pytest.mark.parametrize("name", KNOWN)
def test_what_libsndfile_reads_is_what_ffmpeg_reads(tmp_path, source, name):
    how, worst = KNOWN[name]
    assert_heard(make(tmp_path, source, name, how), worst)


@pytest.mark.parametrize("codec", ["libvorbis", "libopus", "flac"])
def test_a_chain_of_ogg_streams_is_heard_to_its_end(tmp_path, source, codec):
    links = [make(tmp_path, source, f"{start}.ogg", f"-ss {start} -t 3.3 -c:a {codec}") for start in (0, 4)]
    path = tmp_path / "chain.ogg"
    path.write_bytes(links[0].read_bytes() + links[1].read_bytes())
    assert_heard(path)
    assert len(decoded(path)[0]) > 1.9 * len(decoded(links[0])[0])


def test_a_chain_without_ffmpeg_ends_with_a_fault_behind_its_first_stream(tmp_path, source):
    links = [make(tmp_path, source, f"{start}.ogg", f"-ss {start} -t 3.3 -c:a libvorbis") for start in (0, 4)]
    path = tmp_path / "chain.ogg"
    path.write_bytes(links[0].read_bytes() + links[1].read_bytes())
    first = len(decoded(links[0])[0])
    hidden = tmp_path / "libraries"
    hidden.mkdir()
    for version in range(58, 63):
        (hidden / f"libavformat.so.{version}").write_text("no library")
    done = subprocess.run([DUMP, path, "44100", "1", "1"], capture_output=True,
                          env={**os.environ, "LD_LIBRARY_PATH": str(hidden)})
    fault = re.search(r"fault (\w+) segment (\d+) at (\d+): (.*)", done.stderr.decode())
    assert fault, done.stderr
    assert fault.group(1, 2, 3) == ("unsupported", str(first // 44100), str(first))
    assert fault.group(4).startswith("another stream follows in it") and "libavformat" in fault.group(4)


@pytest.mark.parametrize("kind", [2, 9])
def test_a_voc_of_several_blocks_is_heard_to_its_end(tmp_path, kind):
    """A block that goes on with the one before, as ffmpeg writes them, or one with a head of its own."""
    samples = numpy.random.default_rng(kind).integers(-32768, 32768, 40_000).astype("<i2")
    form = struct.pack("<IBBHI", 16000, 16, 1, 4, 0)

    def block(its_kind, content):
        return bytes([its_kind]) + len(content).to_bytes(3, "little") + content

    head = b"Creative Voice File\x1a" + struct.pack("<HHH", 26, 0x0114, 0x111F)
    more = form if kind == 9 else b""
    path = tmp_path / "a.voc"
    path.write_bytes(head + block(9, form + samples[:15_001].tobytes()) + block(kind, more + samples[15_001:].tobytes()) + b"\0")
    heard, said = dump(path, 16000)
    assert "samples 40000 rate 16000" in said
    assert numpy.array_equal(heard.reshape(-1)[:40_000], samples.astype(numpy.float32) / 32768)
    assert_heard(path)
    path.write_bytes(path.read_bytes()[:-1001])
    good, code, at, words = segments_at(path, 16000)
    assert (good, code, words) == (2, "truncated", "the content ends before the header says")
    assert 38_000 < at <= 39_500


def test_sixty_four_channels(tmp_path):
    path = audio.make(tmp_path / "a.wav", 2.0, 16000, 64)
    expected = soundfile.read(path, dtype="float32")[0].mean(axis=1, dtype=numpy.float64).astype(numpy.float32)
    heard, said = dump(path, 16000)
    assert "samples 32000 rate 16000" in said
    assert numpy.array_equal(heard.reshape(-1), expected)


@pytest.mark.parametrize("head,frame,rate", [(b"#!AMR\n", b"\x3c" + bytes(31), 8000),
                                             (b"#!AMR-WB\n", b"\x44" + bytes(60), 16000)])
def test_amr(tmp_path, head, frame, rate):
    """Debian has no AMR encoder: frames of the highest rate, of bits that any dice may have thrown."""
    dice = random.Random(rate)
    frames = b"".join(frame[:1] + dice.randbytes(len(frame) - 1) for _ in range(300))
    path = tmp_path / "a.amr"
    path.write_bytes(head + frames)
    assert_heard(path)
    assert f"samples {300 * rate // 50} " in dump(path, rate)[1]


def test_of_a_video_its_sound_is_heard(tmp_path, source):
    for name, how in (("a.mp4", "-c:v mpeg4 -c:a aac"), ("a.mkv", "-c:v mpeg4 -c:a libvorbis"),
                      ("a.avi", "-c:v mpeg4 -c:a mp3"), ("a.mpg", "-c:v mpeg2video -c:a mp2")):
        ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=9", "-i", source, *how.split(), tmp_path / name)
        assert_heard(tmp_path / name)


def test_of_several_tracks_the_one_is_heard_that_ffmpeg_takes(tmp_path, source):
    path = tmp_path / "a.mkv"
    ffmpeg("-i", source, "-f", "lavfi", "-i", "sine=r=16000:d=5", "-map", "0", "-map", "1", "-c:a", "flac",
           "-disposition:a:0", "0", "-disposition:a:1", "default", path)
    assert decoded(path)[1] == 16000
    assert_heard(path)
    ffmpeg("-f", "lavfi", "-i", "sine=r=16000:d=5", "-i", source, "-map", "0", "-map", "1", "-c:a", "flac",
           "-disposition:a", "0", path)
    assert decoded(path)[1] == 44100, "the one with more channels"
    assert_heard(path)


def test_a_track_is_cut_as_its_edit_list_says(tmp_path, source):
    whole = make(tmp_path, source, "whole.m4a", "-c:a aac")
    ffmpeg("-ss", "2.345", "-i", whole, "-t", "4.5", "-c", "copy", tmp_path / "part.m4a")
    assert_heard(tmp_path / "part.m4a")


def test_an_aac_stream_behind_an_id3_tag_is_heard(tmp_path, source):
    path = make(tmp_path, source, "a.aac", "-c:a aac")
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + path.read_bytes())
    assert_heard(path)


def segments_at(path, rate=44100):
    """How many were good, and the fault's code, segment, place and words."""
    heard, said = dump(path, rate)
    fault = re.search(r"fault (\w+) segment (-?\d+) at (-?\d+): (.*)", said)
    assert fault, said
    return len(heard), fault.group(1), int(fault.group(3)), fault.group(4)


def test_a_cut_m4a_gives_what_is_there(tmp_path, source):
    path = make(tmp_path, source, "a.m4a", "-c:a aac -movflags +faststart")
    whole, rate = decoded(path)
    good, code, at, _ = segments_at(audio.cut(path, 0.6))
    assert code == "truncated"
    assert 0.4 * len(whole) < at < 0.7 * len(whole)
    assert good == at // rate
    heard, _ = dump(path, rate)
    assert numpy.array_equal(heard.reshape(-1), whole[: good * rate])
    # Whichever segment is read first.
    assert segments_at(path)[1:] == (code, at, "the content ends before the header says")
    _, said = dump(path, rate, good, good)
    assert f"fault truncated segment {good} at {at}: " in said


def packets(path):
    """[(place, size), …] as ffprobe has them; place None where it has none."""
    told = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "packet=pos,size", "-of", "json", path], check=True,
                          capture_output=True, text=True).stdout
    return [(int(it["pos"]) if "pos" in it else None, int(it["size"])) for it in json.loads(told)["packets"]]


@pytest.mark.parametrize("name", ["aac.aac", "ac3.ac3", "eac3.eac3", "aac.mts", "mp2.mts", "mp2.mpg", "mp2.mp2"])
def test_of_frames_without_a_header_the_last_is_looked_at(tmp_path, source, run_consort, name):
    """consort check says of a file, wherever it was cut, what a run does, and neither speaks of a header."""
    path = make(tmp_path, source, name, MADE.get(name) or KNOWN[name][0])
    frames = packets(path)
    last = [place for place, _ in frames if place is not None][-1]
    whole = path.read_bytes()
    suffix = pathlib.Path(name).suffix
    folder = tmp_path / "in"
    folder.mkdir()
    sizes = {len(whole) - less for less in (*range(8), *range(31, 1200, 97))} | {last + n for n in range(12)}
    cut = {size: folder / f"{size:08d}{suffix}" for size in sorted(sizes)}
    for size, file in cut.items():
        file.write_bytes(whole[:size])
    check = run_consort("check", "--json", "-", folder)
    bundle = bundles.write_null_bundle(tmp_path / "bundle", segment_seconds=0.5, hop_seconds=0.5)
    out = tmp_path / "out.jsonl"
    run = run_consort("run", "-m", bundle, "-o", out, folder, env={"CONSORT_NULL_READ": "1"})
    ran = {file: lines[-1].get("error") for file, lines in program.by_file(program.read_results(out)).items()}
    said = {it["file"]: it.get("error") for it in json.loads(check.stdout)["files"]}
    assert list(said) == list(ran) == list(map(str, cut.values())) and check.exit == run.exit
    assert {file: it and (it["code"], it["message"]) for file, it in ran.items()} == {
        file: it and (it["code"], it["message"]) for file, it in said.items()}
    assert {(it["code"], it["message"]) for it in said.values() if it} <= {("truncated", "the content ends within a frame")}
    told = {size for size, file in cut.items() if said[str(file)]}
    assert len(whole) not in told
    if name == "mp2.mp2":
        assert not told, "libsndfile reads it, and takes the last whole frame for the end"
    elif name in ("aac.mts", "mp2.mts", "mp2.mpg"):
        # The container has other things between frames, and its reader leaves out pieces that are not whole.
        within = {size for size, file in cut.items()
                  if (found := [it for _, it in packets(file)]) != [it for _, it in frames[: len(found)]]}
        assert told == within and told
    else:
        within = {size for size in cut if last < size < len(whole)}
        # FFmpeg's reader of AAC takes a header behind which nothing follows for the end.
        assert within - told == ({last + 7} if name == "aac.aac" else set())
        assert last not in told, "there it ends with a frame"
        assert len(within) > 20


def test_an_m4a_without_its_index_says_so(tmp_path, source):
    path = audio.cut(make(tmp_path, source, "a.m4a", "-c:a aac"), 0.9)
    good, code, at, words = segments_at(path)
    assert (good, code, at) == (0, "decode", -1)
    assert words.startswith('the header of an MP4 or M4A file (its index, "moov", may never have been written)')


@pytest.mark.parametrize("name", ["aac.mkv", "opus.webm", "vorbis.webm", "wma_2.wma", "wavpack.wv", "alac.m4a"])
def test_a_damaged_file_gives_what_is_before_the_damage(tmp_path, source, name):
    path = make(tmp_path, source, name, MADE[name])
    whole, rate = decoded(path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = random.Random(1).randbytes(3000)
    path.write_bytes(content)
    heard, said = dump(path, rate)
    before = int(0.4 * len(whole) / rate)
    assert len(heard) >= before >= 3
    assert numpy.array_equal(heard[:before].reshape(-1), whole[: before * rate])
    fault = re.search(r"fault (\w+) segment (\d+) at (\d+)", said)
    if fault is None:
        assert name not in ("alac.m4a", "wavpack.wv"), "others may take any bytes for sound"
        return
    assert fault.group(1) in ("decode", "truncated"), said
    good = int(fault.group(2))
    assert good == len(heard)
    _, other = dump(path, rate, good, good)
    assert other.splitlines()[-1] == said.splitlines()[-1]


def test_damage_between_segments_is_met_in_order_and_alone_or_by_neither(tmp_path, source):
    path = make(tmp_path, source, "a.m4a", "-c:a alac")
    whole, rate = decoded(path)
    told = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "packet=pts_time,pos,size", "-of", "csv=p=0", path],
                          check=True, capture_output=True, text=True).stdout
    packets = [(float(time), int(pos), int(size)) for time, size, pos in
               (line.strip(",").split(",") for line in told.split())]
    content = path.read_bytes()

    def read(*segments):
        done = subprocess.run([DUMP, path, str(rate), "1", "3", *map(str, segments)], capture_output=True)
        return done.returncode, done.stdout, re.findall(r"fault.*", done.stderr.decode())

    outcomes = set()
    # Segments are heard at 0, 3, 6 and 9 seconds.
    for damaged_at in (1.2, 2.2, 2.7, 4.2, 4.7, 5.2, 5.7):
        _, pos, size = next(packet for packet in packets if packet[0] >= damaged_at)
        broken = bytearray(content)
        # Not its first bytes: they tell how many samples it has.
        broken[pos + 16 : pos + size] = random.Random(pos).randbytes(size - 16)
        path.write_bytes(broken)
        for segment in (1, 2):
            in_order = read(*range(segment + 1))
            alone = read(segment, segment)
            if in_order[0] == 0:
                expected = whole[segment * 3 * rate :][:rate].tobytes()
                assert alone == (0, 2 * expected, []), (damaged_at, segment)
                assert in_order[1].endswith(expected), (damaged_at, segment)
            else:
                first = int(re.search(r"segment (\d+)", in_order[2][0]).group(1))
                assert read(first, first)[2] == in_order[2], (damaged_at, segment)
                assert all(read(good, good)[0] == 0 for good in range(first)), (damaged_at, segment)
            outcomes.add(in_order[0])
    assert outcomes == {0, 3}, "damage far from a segment is jumped over, damage near it is met"


def test_what_has_no_sound_says_so(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:d=1", "-c:v", "mpeg4", tmp_path / "a.mp4")
    _, code, _, words = segments_at(tmp_path / "a.mp4")
    assert code == "unsupported" and words == "there is no sound track in it (QuickTime / MOV)"


def test_encrypted_sound_says_so(tmp_path, source):
    path = make(tmp_path, source, "a.mp4", "-c:a aac -encryption_scheme cenc-aes-ctr "
                "-encryption_key 00112233445566778899aabbccddeeff -encryption_kid 00112233445566778899aabbccddeeff")
    _, code, _, words = segments_at(path)
    assert code == "unsupported" and words == "the sound is encrypted (DRM)"


def test_lists_of_other_files_are_not_followed(tmp_path, source):
    make(tmp_path, source, "a.ts", "-c:a aac -f mpegts")
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9.7,\na.ts\n#EXT-X-ENDLIST\n")
    (tmp_path / "a.ffconcat").write_text("ffconcat version 1.0\nfile a.ts\n")
    for name in ("a.m3u8", "a.ffconcat"):
        assert segments_at(tmp_path / name)[1] == "not_audio"


def test_a_job_over_them_is_the_same_bytes_and_quiet(tmp_path, source, run_consort):
    folder = tmp_path / "in"
    folder.mkdir()
    names = ["aac.m4a", "opus.webm", "vorbis.webm", "wma_2.wma", "alac.m4a", "aac.aac"]
    for name in names:
        make(folder, source, name, MADE[name])
    bundle = bundles.write_null_bundle(tmp_path / "bundle", segment_seconds=0.5, hop_seconds=0.1)
    results = []
    for split in ((1, 1), (2, 1), (1, 3)):
        out = tmp_path / f"{split}.jsonl"
        run = run_consort("run", "-m", bundle, "-o", out, "-p", split[0], "-t", split[1], folder,
                          env={"CONSORT_NULL_READ": "1", "CONSORT_NULL_SEGMENT_US": "1000"})
        assert run.exit == program.DONE, run.stderr
        assert "[" not in run.stderr.replace("[consort", ""), run.stderr  # FFmpeg's complaints begin so
        results.append(out.read_bytes())
    assert results[0] == results[1] == results[2]
    files = program.by_file(program.read_results(tmp_path / "(1, 1).jsonl"))
    assert [pathlib.Path(name).name for name in files] == sorted(names)
    for name, lines in files.items():
        count = len(decoded(pathlib.Path(name))[0])
        rate = decoded(pathlib.Path(name))[1]
        assert lines[-1]["end"] == pytest.approx(count / rate, abs=0.0006)
        assert len({str(line["tags"]) for line in lines}) > len(lines) / 2
