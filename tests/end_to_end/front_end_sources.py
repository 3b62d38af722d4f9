"""The programs that the front ends come from, called as their users call them.

Each function takes a segment's samples, float32 in one dimension, and gives the features as the source lays them
out. Sources that can are run in float64 (`exactly`): where a tone leaves a band empty, float32 has nothing there
but its own rounding, and no two programs have the same. Of torchaudio and Whisper only modules in Python are used:
torchaudio's compiled part, of which nothing is needed, wants the build of PyTorch that it was made for, and
Whisper's package wants packages that are of no use here.
"""

import contextlib
import importlib
import importlib.util
import sys
import types
import warnings

import torch


def _torchaudio(module):
    if "torchaudio" not in sys.modules:
        extension = types.ModuleType("torchaudio._extension")
        extension.fail_if_no_align = lambda function: function
        extension._IS_TORCHAUDIO_EXT_AVAILABLE = extension._IS_ALIGN_AVAILABLE = False
        sys.modules["torchaudio._extension"] = extension
    return importlib.import_module(f"torchaudio.{module}")


def _whisper_audio():
    if "whisper" not in sys.modules:
        package = types.ModuleType("whisper")
        package.__path__ = importlib.util.find_spec("whisper").submodule_search_locations
        sys.modules["whisper"] = package
    return importlib.import_module("whisper.audio")


@contextlib.contextmanager
def exactly():
    torch.set_default_dtype(torch.float64)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="At least one mel filterbank has all zero values")
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def panns(samples):
    """torchlibrosa's Spectrogram and LogmelFilterBank by torchaudio's names: [1, 1, T, 64]."""
    transforms = _torchaudio("transforms")
    with exactly():
        mel = transforms.MelSpectrogram(32000, n_fft=1024, hop_length=320, f_min=50, f_max=14000, n_mels=64,
                                        norm="slaney", mel_scale="slaney")(torch.tensor(samples).double())
        return transforms.AmplitudeToDB("power")(mel).T[None, None]


def ast(samples):
    """AST's dataloader: [1, 1024, 128]."""
    with exactly():
        wave = torch.tensor(samples).double()
        fbank = _torchaudio("compliance.kaldi").fbank(
            (wave - wave.mean())[None], htk_compat=True, sample_frequency=16000, use_energy=False, window_type="hanning",
            num_mel_bins=128, dither=0.0, frame_shift=10)
        fbank = torch.nn.ZeroPad2d((0, 0, 0, 1024 - len(fbank)))(fbank)
        return ((fbank - -4.2677393) / (4.5689974 * 2))[None]


def whisper(samples):
    """Whisper itself, in float32: [1, 80, T]."""
    return _whisper_audio().log_mel_spectrogram(torch.tensor(samples))[None]


def wav2vec2(samples):
    """Zero mean and unit variance: [1, N]."""
    wave = torch.tensor(samples).double()
    return ((wave - wave.mean()) / torch.sqrt(wave.var(correction=0) + 1e-7))[None]


def torchaudio_mfcc(samples):
    """[1, 40, T]"""
    with exactly():
        return _torchaudio("transforms").MFCC(16000)(torch.tensor(samples).double()[None])


def torchaudio_mfcc_of_logarithms(samples):
    """[1, 13, T]"""
    with exactly():
        return _torchaudio("transforms").MFCC(16000, n_mfcc=13, log_mels=True)(torch.tensor(samples).double()[None])


def librosa_mfcc(samples):
    """librosa's defaults by torchaudio's names, since librosa itself is large: [1, 20, T]."""
    with exactly():
        made = _torchaudio("transforms").MFCC(
            22050, n_mfcc=20, melkwargs={"n_fft": 2048, "hop_length": 512, "n_mels": 128, "norm": "slaney",
                                         "mel_scale": "slaney", "pad_mode": "constant"})
        return made(torch.tensor(samples).double()[None])


def torchaudio_kaldi(samples, **options):
    """torchaudio.compliance.kaldi.fbank: [1, T, M]."""
    with exactly():
        return _torchaudio("compliance.kaldi").fbank(torch.tensor(samples).double()[None], dither=0.0, **options)[None]


def kaldi_native_fbank(samples, scale=1.0, n_mels=23, window="povey", snip_edges=True, rate=16000, round_up=True,
                       use_power=True, use_log=True, low=20.0, high=0.0, preemphasis=0.97, remove_dc=True):
    """Kaldi's own C++ code, in float32: [1, T, M]."""
    import kaldi_native_fbank
    options = kaldi_native_fbank.FbankOptions()
    frame, mel = options.frame_opts, options.mel_opts
    frame.dither, frame.samp_freq, frame.window_type, frame.snip_edges = 0.0, rate, window, snip_edges
    frame.round_to_power_of_two, frame.preemph_coeff, frame.remove_dc_offset = round_up, preemphasis, remove_dc
    mel.num_bins, mel.low_freq, mel.high_freq = n_mels, low, high
    options.use_power, options.use_log_fbank, options.energy_floor = use_power, use_log, 0.0
    made = kaldi_native_fbank.OnlineFbank(options)
    made.accept_waveform(rate, (samples * scale).tolist())
    made.input_finished()
    return torch.stack([torch.tensor(made.get_frame(i)) for i in range(made.num_frames_ready)])[None]
