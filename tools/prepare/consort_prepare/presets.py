"""Front ends of well-known models: "features": {"preset": NAME} in a manifest stands for these keys.

Keys that the manifest gives itself win. A bundle's model.json has the keys, not the preset.
"""

import difflib

from .errors import PrepareError

MEL_OF_LIBROSA = {"mel_scale": "slaney", "mel_norm": "slaney"}  # librosa.filters.mel's defaults

# name -> source, what "audio" and "features" get
PRESETS = {
    "panns": {
        "source": "PANNs: Spectrogram and LogmelFilterBank of torchlibrosa as in pytorch/models.py, Cnn14 at 32 kHz",
        "audio": {"sample_rate": 32000},
        "features": {"kind": "log_mel", "n_fft": 1024, "win_length": 1024, "hop_length": 320, "window": "hann",
                     "center": True, "pad_mode": "reflect", "power": 2, "n_mels": 64, "f_min": 50.0, "f_max": 14000.0,
                     **MEL_OF_LIBROSA, "log": "db", "floor": 1e-10, "layout": "BCTM"},
    },
    "ast": {
        "source": "AST: src/dataloader.py, torchaudio.compliance.kaldi.fbank and AudioSet's mean and standard deviation; "
                  "as transformers' ASTFeatureExtractor",
        "audio": {"sample_rate": 16000},
        "features": {"kind": "kaldi_fbank", "frame_length_ms": 25.0, "frame_shift_ms": 10.0, "window": "hann", "n_mels": 128,
                     "f_min": 20.0, "f_max": 0.0, "target_frames": 1024,
                     "mean": -4.2677393, "std": 9.1379948,  # AST divides by twice its 4.5689974
                     "layout": "BTM"},
    },
    "whisper": {
        "source": "Whisper: whisper/audio.py, log_mel_spectrogram; as transformers' WhisperFeatureExtractor. "
                  "n_mels is 128 from large-v3 on",
        "audio": {"sample_rate": 16000},
        "features": {"kind": "log_mel", "n_fft": 400, "win_length": 400, "hop_length": 160, "window": "hann", "center": True,
                     "pad_mode": "reflect", "drop_last_frame": True, "power": 2, "n_mels": 80, "f_min": 0.0, "f_max": 8000.0,
                     **MEL_OF_LIBROSA, "log": "log10", "floor": 1e-10, "dynamic_range": 8.0, "mean": -4.0, "std": 4.0,
                     "layout": "BMT"},
    },
    "wav2vec2": {
        "source": "wav2vec 2.0: transformers' Wav2Vec2FeatureExtractor with do_normalize",
        "audio": {"sample_rate": 16000, "normalize": "zero_mean_unit_variance"},
        "features": {"kind": "waveform"},
    },
    "torchaudio_mfcc": {
        "source": "torchaudio.transforms.MFCC with its defaults, at 16 kHz",
        "audio": {"sample_rate": 16000},
        "features": {"kind": "mfcc", "n_fft": 400, "win_length": 400, "hop_length": 200, "window": "hann", "center": True,
                     "pad_mode": "reflect", "power": 2, "n_mels": 128, "f_min": 0.0, "f_max": 8000.0, "mel_scale": "htk",
                     "mel_norm": "none", "log": "db", "floor": 1e-10, "dynamic_range": 80.0, "n_mfcc": 40,
                     "dct_norm": "ortho", "layout": "BMT"},
    },
    "librosa_mfcc": {
        "source": "librosa.feature.mfcc (0.10 and newer) with its defaults, at 22.05 kHz",
        "audio": {"sample_rate": 22050},
        "features": {"kind": "mfcc", "n_fft": 2048, "win_length": 2048, "hop_length": 512, "window": "hann", "center": True,
                     "pad_mode": "constant", "power": 2, "n_mels": 128, "f_min": 0.0, "f_max": 11025.0, **MEL_OF_LIBROSA,
                     "log": "db", "floor": 1e-10, "dynamic_range": 80.0, "n_mfcc": 20, "dct_norm": "ortho", "layout": "BMT"},
    },
}


def expand(raw, path):
    """The manifest `raw`, as parsed and not yet checked, with the keys that its preset stands for."""
    features, audio = raw.get("features"), raw.get("audio")
    if not isinstance(features, dict) or "preset" not in features:
        return raw
    name = features["preset"]
    preset = PRESETS.get(name) if isinstance(name, str) else None
    if preset is None:
        near = difflib.get_close_matches(str(name), PRESETS, 1)
        raise PrepareError(f'"{path}": "features.preset" is "{name}", which is no preset',
                           (f'did you mean "{near[0]}"? ' if near else "") + f'there are {", ".join(PRESETS)}')
    own = {key: value for key, value in features.items() if key != "preset"}
    kind = preset["features"]["kind"]
    if own.get("kind", kind) != kind:
        raise PrepareError(f'"{path}": "features.kind" is not that of the preset "{name}", which is "{kind}"',
                           "take one of the two out")
    return {**raw, "features": {**preset["features"], **own},
            "audio": {**preset["audio"], **audio} if isinstance(audio, dict) else audio}
