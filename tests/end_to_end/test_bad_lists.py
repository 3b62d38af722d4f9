"""Lists as people and other programs write them. The null bundle is enough."""

import os

import pytest

import audio
import program


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def listed(run_consort, null_bundle, tmp_path):
    """listed(content, *, stdin=…) → (Run, names in results as bytes)."""

    def run(folder, content, through_stdin=False):
        (folder / "the list").write_bytes(content)
        operand = "-" if through_stdin else folder / "the list"
        done = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", operand,
                           stdin=content if through_stdin else b"", cwd=folder)
        lines = program.read_results(tmp_path / "out.jsonl")
        names = [os.fsencode(line["file"]) for line in lines if line.get("start", 0.0) == 0.0]
        return done, names

    return run


@pytest.mark.parametrize("through_stdin", [False, True], ids=["file", "stdin"])
@pytest.mark.parametrize("content", [
    pytest.param(b"a.wav\r\nb.wav\r\n", id="CRLF"),
    pytest.param(b"\n\na.wav\n\r\n\nb.wav\n\n\n", id="blank lines"),
    pytest.param(b"\xef\xbb\xbfa.wav\nb.wav\n", id="BOM"),
    pytest.param(b"a.wav\nb.wav", id="no newline at the end"),
])
def test_list_is_read_whatever_wrote_it(listed, folder, content, through_stdin):
    for name in ("a.wav", "b.wav"):
        audio.make(folder / name, seconds=1.0, rate=16000)
    run, names = listed(folder, content, through_stdin)
    assert run.exit == program.DONE, run.stderr
    assert names == [b"a.wav", b"b.wav"]


@pytest.mark.parametrize("name", [b" two  spaces .wav", "Ümläut ✓.wav".encode(), b"not \xff utf-8 \x80.wav",
                                  b'quote " backslash \\ tab \t.wav', b"#hash.wav", b"-dash.wav"])
def test_name_comes_back_byte_for_byte(listed, folder, name):
    with open(os.path.join(os.fsencode(folder), name), "wb") as file:
        file.write(audio.make(folder / "a.wav", seconds=1.0, rate=16000).read_bytes())
    run, names = listed(folder, name + b"\n")
    assert run.exit == program.DONE, run.stderr
    assert names == [name]


def test_results_are_utf8_when_names_are_not(listed, folder, tmp_path):
    audio.make(folder / "a.wav", seconds=1.0, rate=16000)
    os.rename(folder / "a.wav", os.path.join(os.fsencode(folder), b"\xff.wav"))
    listed(folder, b"\xff.wav\n")
    content = (tmp_path / "out.jsonl").read_bytes()
    content.decode("utf-8")
    assert rb'"file":"\udcff.wav"' in content


def test_file_listed_twice_is_done_twice(listed, folder):
    for name in ("a.wav", "b.wav"):
        audio.make(folder / name, seconds=1.0, rate=16000)
    run, names = listed(folder, b"a.wav\nb.wav\na.wav\n")
    assert run.exit == program.DONE, run.stderr
    assert names == [b"a.wav", b"b.wav", b"a.wav"]


def test_absolute_names_and_names_above_the_list_work(listed, folder, tmp_path):
    audio.make(tmp_path / "above.wav", seconds=1.0, rate=16000)
    absolute = os.fsencode(tmp_path / "above.wav")
    run, names = listed(folder, b"../above.wav\n" + absolute + b"\n")
    assert run.exit == program.DONE, run.stderr
    assert names == [b"../above.wav", absolute]


@pytest.mark.parametrize("content", [b"", b"\n\r\n\n"], ids=["empty", "blank lines only"])
def test_list_without_entries_is_a_job_that_is_done(listed, folder, content):
    run, names = listed(folder, content)
    assert (run.exit, names) == (program.DONE, []), run.stderr


@pytest.mark.parametrize("command", ["run", "check"])
def test_where_nothing_comes_of_an_operand_it_is_named(run_consort, null_bundle, tmp_path, command):
    (tmp_path / "list.txt").write_text("\n\n")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").write_text("no sound\n")
    words = ("run", "-m", null_bundle(), "-o", "out.jsonl") if command == "run" else ("check",)
    run = run_consort(*words, "list.txt", "notes", cwd=tmp_path)
    assert run.exit == program.DONE
    assert 'warning: the list "list.txt" has no entries' in run.stderr
    assert 'warning: no audio files found in "notes"' in run.stderr
    assert "warning: there are no files, so there is nothing to do" in run.stderr
    audio.make(tmp_path / "a.wav", seconds=1.0, rate=16000)
    run = run_consort(*words, "a.wav", "notes", *(["--restart"] if command == "run" else []), cwd=tmp_path)
    assert run.exit == program.DONE and 'no audio files found in "notes"' in run.stderr
    assert "nothing to do" not in run.stderr


def test_results_are_no_list(run_consort, null_bundle, tmp_path):
    audio.make(tmp_path / "a.wav", seconds=1.0, rate=16000)
    words = ("run", "-m", null_bundle())
    assert run_consort(*words, "-o", "day.jsonl", "--format", "csv,raven,vtt", "a.wav", cwd=tmp_path).exit == program.DONE
    assert run_consort("check", "--json", "all.json", "a.wav", cwd=tmp_path).exit == program.DONE
    before = sorted(tmp_path.iterdir())
    for name, what in (("day.jsonl", "holds results, and is not a list"), ("day.csv", "holds results as CSV"),
                       ("day.raven.txt", "selection table of Raven"), ("day.vtt", "WebVTT"), ("all.json", "consort check"),
                       ("day.jsonl.job/exports", "is a job's own file"), ("day.jsonl.job/lock", "is a job's own file")):
        for command in (words, ("check",)):
            run = run_consort(*command, name, cwd=tmp_path)
            assert run.exit == program.FAILED and f'consort: "{name}" ' in run.stderr and what in run.stderr, run.stderr
            assert len(run.stderr_lines()) == 1
    run = run_consort(*words, "-", cwd=tmp_path, stdin=(tmp_path / "day.jsonl").read_bytes())
    assert run.exit == program.FAILED and "the list on standard input holds results" in run.stderr
    assert sorted(tmp_path.iterdir()) == before, "no job was made"


def test_missing_list_is_told_in_one_line(run_consort, null_bundle, tmp_path):
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "--quiet",
                      tmp_path / "no such list")
    assert run.exit == program.FAILED
    [line] = run.stderr_lines()
    assert "no such list" in line and "no such file" in line.lower()


def test_unreadable_list_is_told_in_one_line(run_consort, null_bundle, tmp_path):
    (tmp_path / "secret list").write_text("a.wav\n")
    (tmp_path / "secret list").chmod(0)
    run = run_consort("run", "-m", null_bundle(), "-o", tmp_path / "out.jsonl", "--quiet",
                      tmp_path / "secret list", without_root_powers=True)
    assert run.exit == program.FAILED
    [line] = run.stderr_lines()
    assert "secret list" in line and "permission denied" in line.lower()


def test_missing_audio_operand_is_that_files_error(run_consort, null_bundle, tmp_path):
    audio.make(tmp_path / "a.wav", seconds=1.0, rate=16000)
    run = run_consort("run", "-m", null_bundle(), "-o", "out.jsonl", "gone.flac", "a.wav", cwd=tmp_path)
    assert run.exit == program.SOME_FAILED, run.stderr
    first, second = program.read_results(tmp_path / "out.jsonl")
    assert (first["file"], first["error"]["code"]) == ("gone.flac", "not_found")
    assert second["file"] == "a.wav" and "tags" in second


def test_folder_is_walked_in_bytewise_order_without_hidden_files(run_consort, null_bundle, tmp_path):
    music = tmp_path / "music"
    for name in ("b.wav", "B.WAV", "a/z.flac", "a b.ogg", ".hidden.wav", ".git/x.wav", "notes.txt"):
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        if name == "notes.txt":
            (music / name).write_text("no audio\n")
        else:
            audio.make(music / name, seconds=1.0, rate=16000)
    run = run_consort("run", "-m", null_bundle(), "-o", "out.jsonl", "music", cwd=tmp_path)
    assert run.exit == program.DONE, run.stderr
    names = [line["file"] for line in program.read_results(tmp_path / "out.jsonl")]
    assert names == ["music/B.WAV", "music/a b.ogg", "music/a/z.flac", "music/b.wav"]
