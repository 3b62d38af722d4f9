"""The reference front end against formulas and against itself."""

import math

import numpy as np
import pytest
import soundfile
import torch
from consort_prepare.frontend import Frontend, Grid, mel_bank, segments_each_alone, segments_of_whole_file

from conftest import LOG_MEL, MANIFEST

AUDIO = {"sample_rate": 16000, "channels": "mix", "segment_seconds": 1.0, "hop_seconds": 0.4, "normalize": "none"}
MEL = {**LOG_MEL, "pad_mode": "reflect", "mel_norm": "none", "floor": 1e-10}


@pytest.mark.parametrize("samples,count", [(0, 0), (1, 1), (16000, 1), (16001, 2), (22400, 2), (22401, 3)])
def test_any_remainder_makes_a_last_segment(samples, count):
    assert Grid(AUDIO, 16000).count(samples) == count


def test_starts_do_not_drift_where_a_hop_is_no_whole_number_of_samples():
    grid = Grid({**AUDIO, "hop_seconds": 0.1}, 11025)  # 1102.5 samples
    assert [grid.start(k) for k in range(4)] == [0, 1103, 2205, 3308]  # half away from zero
    assert grid.start(10**6) == 1102_500_000


def test_the_last_segment_is_padded_with_exact_zeros_and_its_end_is_the_file_s(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(17000, 0.25, np.float32), 16000)
    first, last = segments_of_whole_file(str(tmp_path / "a.wav"), AUDIO)
    assert first[:2] == (0, 1000) and last[:2] == (400, 1063)
    assert np.all(last[2][:10600] == 0.25) and np.all(last[2][10600:] == 0) and len(last[2]) == 16000


@pytest.mark.parametrize("cut", [segments_of_whole_file, segments_each_alone])
def test_the_first_channel_is_heard_alone_where_that_is_wanted(tmp_path, cut):
    sound = np.random.default_rng(1).normal(0, 0.1, (30000, 3)).astype(np.float32)
    soundfile.write(tmp_path / "three.wav", sound, 22050, subtype="FLOAT")
    soundfile.write(tmp_path / "one.wav", sound[:, 0], 22050, subtype="FLOAT")
    first = list(cut(str(tmp_path / "three.wav"), {**AUDIO, "channels": "first"}))
    mix = list(cut(str(tmp_path / "three.wav"), AUDIO))
    alone = list(cut(str(tmp_path / "one.wav"), AUDIO))
    for a, b, c in zip(first, alone, mix, strict=True):
        assert a[:2] == b[:2] and np.array_equal(a[2], b[2]) and not np.array_equal(a[2], c[2])


@pytest.mark.parametrize("cut", [segments_of_whole_file, segments_each_alone])
@pytest.mark.parametrize("rate", [16000, 22050])
def test_each_channel_is_heard_as_a_file_of_its_own_one_after_the_other_at_each_place(tmp_path, cut, rate):
    sound = np.random.default_rng(1).normal(0, 0.1, (30000, 3)).astype(np.float32)
    soundfile.write(tmp_path / "three.wav", sound, rate, subtype="FLOAT")
    alone = []
    for channel in range(3):
        soundfile.write(tmp_path / "one.wav", sound[:, channel], rate, subtype="FLOAT")
        alone.append(list(cut(str(tmp_path / "one.wav"), AUDIO)))
    each = list(cut(str(tmp_path / "three.wav"), {**AUDIO, "channels": "each"}))
    wanted = [segment for place in zip(*alone, strict=True) for segment in place]
    assert len(each) == len(wanted) == 3 * len(alone[0]) > 3
    for a, b in zip(each, wanted):
        assert a[:2] == b[:2] and np.array_equal(a[2], b[2])


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
def test_a_segment_resampled_alone_is_the_whole_file_s(tmp_path, rate):
    sound = np.random.default_rng(rate).normal(0, 0.1, (rate * 5 // 2, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", sound, rate, subtype="FLOAT")
    whole, alone = (list(cut(str(tmp_path / "a.wav"), AUDIO)) for cut in (segments_of_whole_file, segments_each_alone))
    assert len(whole) == len(alone) == 5
    for one, other in zip(whole, alone):
        assert one[:2] == other[:2]
        assert np.abs(one[2] - other[2]).max() < 2e-6


@pytest.mark.parametrize("scale,points", [("htk", 2595 * math.log10(1 + 1000 / 700)), ("slaney", 15.0)])
def test_the_mel_of_1000_hz_is_as_published(scale, points):
    from consort_prepare.frontend import hz_to_mel, mel_to_hz
    assert float(hz_to_mel(1000.0, scale)) == pytest.approx(points)
    for hz in (0.0, 300.0, 1000.0, 7000.0):
        assert float(mel_to_hz(hz_to_mel(hz, scale), scale)) == pytest.approx(hz, abs=1e-6)


def test_mel_triangles_add_up_to_one_between_the_first_and_last_centre():
    features = {**MEL, "n_fft": 4096, "n_mels": 20, "f_min": 100.0, "f_max": 7000.0}
    bank = mel_bank(features, 16000)
    inside = bank.sum(1)[200:1200]
    assert torch.allclose(inside, torch.ones_like(inside), atol=1e-5)


def test_slaney_s_norm_gives_triangles_of_area_one():
    features = {**MEL, "n_fft": 8192, "n_mels": 20, "f_min": 100.0, "f_max": 7000.0, "mel_scale": "slaney", "mel_norm": "slaney"}
    area = mel_bank(features, 16000).sum(0) * 16000 / 8192
    assert torch.allclose(area, torch.ones_like(area), atol=0.01)


@pytest.mark.parametrize("layout,shape", [("BCTM", (1, 1, 26, 8)), ("BTM", (1, 26, 8)), ("BMT", (1, 8, 26))])
def test_layouts(layout, shape):
    frontend = Frontend({**MANIFEST, "audio": {**MANIFEST["audio"], "normalize": "none"}, "features": {**MEL, "layout": layout}})
    features = frontend(np.random.default_rng(0).normal(0, 1, 500))
    assert features.shape == shape and features.is_contiguous()


@pytest.mark.parametrize("features,shape", [
    ({"kind": "kaldi_fbank", "n_mels": 8}, (1, 1, 48, 8)),
    ({"kind": "kaldi_fbank", "n_mels": 8, "snip_edges": False, "target_frames": 60, "layout": "BMT"}, (1, 8, 60)),
    ({**MEL, "kind": "mfcc", "log": "db", "n_mfcc": 5, "layout": "BTM", "drop_last_frame": True}, (1, 25, 5)),
])
def test_shapes_of_the_other_kinds(features, shape):
    features = Frontend({**MANIFEST, "features": features})(np.random.default_rng(0).normal(0, 1, 500))
    assert features.shape == shape and features.is_contiguous() and features.dtype == torch.float32


def test_padded_frames_are_zeros_before_mean_and_std():
    features = {"kind": "kaldi_fbank", "n_mels": 8, "target_frames": 50, "mean": -4.0, "std": 8.0}
    made = Frontend({**MANIFEST, "features": features})(np.random.default_rng(0).normal(0, 1, 500))
    assert torch.all(made[0, 0, 48:] == 0.5) and not torch.any(made[0, 0, :48] == 0.5)


def test_what_is_beyond_the_dynamic_range_is_raised():
    sound = np.sin(np.arange(500) / 3)
    free, limited = (Frontend({**MANIFEST, "features": {**MEL, "dynamic_range": limit}})(sound) for limit in (0.0, 1.5))
    assert free.max() - free.min() > 2
    assert torch.equal(limited, free.clamp(min=float(free.max()) - 1.5))


def test_silence_is_the_floor():
    frontend = Frontend({**MANIFEST, "audio": {**MANIFEST["audio"], "normalize": "none"}, "features": MEL})
    assert torch.all(frontend(np.zeros(500)) == -10)


def test_a_frame_is_the_direct_sum():
    """One frame from the definition: window, DFT by its sum, |·|², triangles, log10."""
    sound = np.random.default_rng(3).normal(0, 0.3, 500).astype(np.float32)
    frontend = Frontend({**MANIFEST, "audio": {**MANIFEST["audio"], "normalize": "none"}, "features": MEL})
    got = frontend(sound)[0, 0, 5].double().numpy()
    n = np.arange(64)
    frame = sound[5 * 20 - 32:5 * 20 + 32].astype(np.float64) * (0.5 - 0.5 * np.cos(2 * np.pi * n / 64))
    spectrum = np.array([np.sum(frame * np.exp(-2j * np.pi * k * n / 64)) for k in range(33)])
    expected = np.log10(np.maximum(np.abs(spectrum) ** 2 @ mel_bank(MEL, 1000).double().numpy(), 1e-10))
    assert np.abs(got - expected).max() < 1e-4
