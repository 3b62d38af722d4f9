"""--verify: original and bundle side by side, over every segment of given sounds."""

import hashlib
import os

import torch

from . import bundle, checks, torchscript
from .errors import PrepareError
from .frontend import Frontend, segments_of_whole_file


def check_audio(paths):
    """One hash over the sounds' bytes."""
    digest = hashlib.sha256()
    for path in paths:
        if not os.path.isfile(path):
            raise PrepareError(f'could not open "{path}": no such file', "--verify takes audio files")
        digest.update(bytes.fromhex(bundle.file_sha256(path)))
    return digest.hexdigest()


def verify(folder, model_path, manifest, written, paths, audio_sha256):
    """prepared.verify."""
    original, ours = torchscript.load(model_path), bundle.open_bundle(folder, written)
    frontend = Frontend(manifest)
    segments, worst, equal = 0, 0.0, 0
    for path in paths:
        try:
            for _, _, samples in segments_of_whole_file(path, manifest["audio"]):
                model_input = frontend(samples)
                expected, got = checks.run(original, model_input), checks.run(ours, model_input)
                segments += 1
                difference = (expected - got).abs()
                difference[expected.isnan() & got.isnan()] = 0
                worst = max(worst, difference.nan_to_num(nan=float("inf")).max().item())
                equal += int(torch.argmax(expected) == torch.argmax(got))
        except (RuntimeError, OSError) as error:  # soundfile's errors are RuntimeErrors
            raise PrepareError(f'could not read "{path}": {error}', "--verify takes audio files") from None
    if not segments:
        raise PrepareError("there is no sound in the files given to --verify")
    return {"audio_sha256": audio_sha256, "files": len(paths), "segments": segments,
            "worst_difference": worst, "top_tag_equal": equal / segments}


def words(found):
    return (f'verify: {found["segments"]} segments of {found["files"]} files: worst difference '
            f'{found["worst_difference"]:g}, top tag equal in {100 * found["top_tag_equal"]:.2f} %')
