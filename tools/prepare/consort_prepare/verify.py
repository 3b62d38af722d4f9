"""--verify: original and bundle side by side, over every segment of given sounds."""

import hashlib

import torch

from . import bundle, checks, manifest as manifests, opening, precision, program as programs
from .errors import PrepareError
from .frontend import Frontend, activated, segments_of_whole_file


def check_audio(paths, option="--verify"):
    """One hash over the sounds' bytes. `paths`: files, and folders of them."""
    digest = hashlib.sha256()
    for path in precision.audio_files(paths, option):
        digest.update(bytes.fromhex(bundle.file_sha256(path)))
    return digest.hexdigest()


def verify(folder, model_path, manifest, written, paths, audio_sha256):
    """The bundle in `folder` against the model it was made from."""
    return compare(lambda: (programs.original(model_path), opening.open_bundle(folder, written)), manifest, paths, audio_sha256)


def compare(opened, manifest, paths, audio_sha256):
    """prepared.drift. `opened()` gives both, the original and ours: from model input to scores, batch
    of one. A stateful pair is opened again for each file, which is where state begins, and for each
    of its channels, where they are heard one by one. The drift is of what is printed, so after the
    manifest's activation. "top_tag_equal" is a share of segments, or of frames where the answer is in
    frames."""
    frontend, activation = Frontend(manifest), manifest["output"]["activation"]
    if manifest["output"]["kind"] == "ctc" and activation == "log_softmax":
        activation = "softmax"  # scores of words are probabilities
    with_frames = manifests.has_frames(manifest)
    files = precision.audio_files(paths, "--verify")
    segments, rows, worst, total, equal = 0, 0, 0.0, 0.0, 0
    pairs = {0: opened()}  # by channel, where there is state
    for n, path in enumerate(files):
        if n > 0 and manifest["stateful"]:
            pairs = {}
        for channel, samples in _heard(path, manifest["audio"]):
            which = channel if manifest["stateful"] else 0
            if which not in pairs:
                pairs[which] = opened()
            original, ours = pairs[which]
            model_input = frontend(samples)
            expected = activated(_scores(original, model_input, with_frames), activation)
            got = activated(_scores(ours, model_input, with_frames), activation)
            difference = _difference(expected, got)
            if not difference.isfinite().all():
                raise PrepareError(f'in "{path}" one of the bundle and the model gives NaN or infinity, and the other does not',
                                   "another --precision may do")
            segments += 1
            worst, total = max(worst, difference.max().item()), total + difference.mean().item()
            same = torch.argmax(expected, -1) == torch.argmax(got, -1)
            rows, equal = rows + same.numel(), equal + int(same.sum())
    if not segments:
        raise PrepareError("there is no sound in the files given to --verify")
    return {"audio_sha256": audio_sha256, "files": len(files), "segments": segments, "worst_difference": worst,
            "mean_difference": total / segments, "top_tag_equal": equal / rows}


def _heard(path, audio):
    """(channel from 0, samples) of each segment. Those of one time are of one channel after the other."""
    channel, last = 0, None
    try:
        for start, _, samples in segments_of_whole_file(path, audio):
            channel, last = (channel + 1 if start == last else 0), start
            yield channel, samples
    except (RuntimeError, OSError) as error:  # soundfile's errors are RuntimeErrors
        raise PrepareError(f'could not read "{path}": {error}', "--verify takes audio files and folders of them") from None


def _scores(model, model_input, with_frames):
    """[labels], or [frames, labels]."""
    answer = checks.answer_of(lambda x: programs.first_result(model(x)), model_input.clone()).float()
    return answer.reshape(-1, answer.shape[-1]) if with_frames else answer.reshape(-1)


def _difference(expected, got):
    if expected.shape != got.shape:
        raise PrepareError(f"the bundle gives {got.numel()} scores for a segment, the model {expected.numel()}")
    same = expected.isnan() & got.isnan() | (expected == got)  # also infinities
    return (expected - got).abs().masked_fill(same, 0).nan_to_num(nan=float("inf")).double()


def words(found, manifest):
    equal = {"tags": "top tag", "frames": "top label of a frame", "ctc": "top token of a frame"}[manifest["output"]["kind"]]
    segments, files = (f"{found[key]} {key if found[key] != 1 else key[:-1]}" for key in ("segments", "files"))
    return (f'verify: {segments} of {files}: worst difference {found["worst_difference"]:.3g}, '
            f'{equal} equal in {100 * found["top_tag_equal"]:.2f} %, mean difference {found["mean_difference"]:.2g}')
