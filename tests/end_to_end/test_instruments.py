"""instruments: its training in the shortest form, and the songs it is made of. How well the real one does, its training
prints; docs/models.md has it."""

import pathlib
import subprocess
import sys

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in ("tools/models", "tools/prepare"):
    sys.path.insert(0, str(ROOT / folder))

import notes  # noqa: E402
from consort_prepare import frontend, manifest as manifests  # noqa: E402


def test_a_song_is_a_midi_file_of_one_track():
    song = notes._midi(40, [(60, 100, 0.5)], 2.0)
    assert song == (b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\xfa" b"MTrk\x00\x00\x00\x11"
                    b"\x00\xc0\x28" b"\x00\x90\x3c\x64" b"\x81\x7a\x80\x3c\x00" b"\x85\x6e\xff\x2f\x00")
    drums = notes._midi(notes.DRUMS, [(38, 90, 0.2)], 2.0)
    assert b"\xc0" not in drums and b"\x99\x26\x5a" in drums  # the tenth channel needs no program


def test_it_is_trained(tmp_path):
    path = tmp_path / "instruments.pt"
    done = subprocess.run([sys.executable, ROOT / "tools/models/instruments.py", path, "--steps", "2", "--few"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "one unheard note: right in " in done.stdout
    manifest = manifests.read_manifest(str(path.with_suffix(".json")))
    assert torch.jit.load(str(path))(frontend.Frontend(manifest)(np.zeros(32000, np.float32))).shape == (1, 12)
    assert manifests.read_labels(manifest, str(path.with_suffix(".json"))) == list(notes.INSTRUMENTS)
