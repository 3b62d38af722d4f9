"""The manifest: read, checked against include/consort/manifest.schema.json, defaults filled in."""

import copy
import difflib
import json
import os

import jsonschema
from jsonschema.exceptions import best_match

from . import presets
from .errors import PrepareError

SCHEMA_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                           "..", "..", "..", "include", "consort", "manifest.schema.json")
LABELS_FILE = "labels.txt"


def load_schema():
    with open(SCHEMA_FILE, encoding="utf-8") as file:
        return json.load(file)


def read_manifest(path):
    """The checked manifest with every default written out; "output.labels" as given."""
    raw = _parse(path)
    if not isinstance(raw, dict):
        raise PrepareError(f'"{path}" is not a JSON object', "a manifest looks like {\"consort\":1,…}")
    if "prepared" in raw:
        raise PrepareError(f'"{path}" has the key "prepared": it is the model.json of a bundle',
                           "give the manifest that the bundle was made from")
    raw = presets.expand(raw, path)
    schema = load_schema()
    error = best_match(jsonschema.Draft202012Validator(schema).iter_errors(raw))
    if error is not None:
        raise PrepareError(f'"{path}": {describe(error)}')
    manifest = with_defaults(raw, schema)
    _cross_check(manifest, path)
    return manifest


def read_labels(manifest, manifest_path):
    """The labels, one a line; as many as the model has outputs."""
    written = manifest["output"]["labels"]
    path = os.path.join(os.path.dirname(os.path.abspath(manifest_path)), written)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise PrepareError(f'could not open "{path}": {(error.strerror or str(error)).lower()}',
                           f'"output.labels" of "{manifest_path}" names it') from None
    except UnicodeDecodeError:
        raise PrepareError(f'"{path}" is not UTF-8', "save the labels as UTF-8, one a line") from None
    labels = text.replace("\r\n", "\n").split("\n")
    while labels and labels[-1] == "":
        labels.pop()
    if not labels:
        raise PrepareError(f'"{path}" has no labels', "write one label a line")
    for number, label in enumerate(labels, 1):
        if not label:
            raise PrepareError(f'"{path}": line {number} is blank', "write one label a line")
    blank = manifest["output"].get("blank", 0)
    if blank >= len(labels):
        raise PrepareError(f'"{manifest_path}": "output.blank" is {blank}, and "{path}" has {len(labels)} labels, counted from 0',
                           "name the label that stands for nothing")
    separator = manifest["output"].get("word_separator", "")
    if separator and manifest["output"]["kind"] == "ctc" and not any(label.startswith(separator) for label in labels):
        raise PrepareError(f'"{manifest_path}": no label of "{path}" is or begins with "{separator}", so no word would ever end',
                           'say "output.word_separator": the token between words, or what the first token of a word begins with, '
                           'or "" where each token is a word')
    return labels


def has_frames(manifest):
    """Whether the model's answer for a segment is rows of a score for each label."""
    return manifest["output"]["kind"] != "tags"


def bundled(manifest):
    """The manifest as it stands in the bundle: the labels lie beside it."""
    result = copy.deepcopy(manifest)
    result["output"]["labels"] = LABELS_FILE
    return result


def says_the_same(old, manifest):
    """Whether `old`, without its "prepared", is `manifest` as an earlier version wrote it, which knew fewer keys."""
    schema = load_schema()
    return jsonschema.Draft202012Validator(schema).is_valid(old) and with_defaults(old, schema) == manifest


def describe(error):
    """One clause that names the key by its path, from an error of jsonschema."""
    where = ".".join(str(part) for part in error.absolute_path)
    value = json.dumps(error.instance, ensure_ascii=False)
    value = value if len(value) <= 60 else value[:57] + "…"
    this = f'"{where}"' if where else "the manifest"
    if error.validator == "additionalProperties":
        known = [key for key, rule in error.schema.get("properties", {}).items() if rule is not False]
        extra = sorted(set(error.instance) - set(known))[0]
        near = difflib.get_close_matches(extra, known, 1)
        hint = f'; did you mean "{near[0]}"?' if near else "; known keys are " + _listed(known)
        key = f"{where}.{extra}" if where else extra
        return f'unknown key "{key}"{hint}'
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance][0]
        return f'the key "{where}.{missing}" is missing' if where else f'the key "{missing}" is missing'
    if error.validator == "enum":
        return f"{this} is {value}; it must be {_listed(error.validator_value, 'or')}"
    if error.validator == "const":
        return f"{this} is {value}; it must be {json.dumps(error.validator_value)}"
    if error.validator == "type":
        article = "an" if error.validator_value[0] in "aeio" else "a"
        return f"{this} is {value}; it must be {article} {error.validator_value}"
    words = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
    if error.validator in words:
        return f"{this} is {value}; it must be {words[error.validator]} {error.validator_value}"
    if error.validator == "minLength":
        return f"{this} is empty"
    return f"{this}: {error.message}"


def _listed(values, last="and"):
    words = [json.dumps(value) for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _parse(path):
    def no_duplicates(pairs):
        result = {}
        for key, value in pairs:
            if key in result:
                raise PrepareError(f'"{path}": the key "{key}" stands there twice')
            result[key] = value
        return result

    def no_constant(word):
        raise PrepareError(f'"{path}": {word} is not a number of JSON')

    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file, object_pairs_hook=no_duplicates, parse_constant=no_constant)
    except OSError as error:
        raise PrepareError(f'could not open "{path}": {(error.strerror or str(error)).lower()}',
                           "name the manifest with --manifest, or put it beside the model") from None
    except json.JSONDecodeError as error:
        raise PrepareError(f'"{path}" is not JSON: line {error.lineno}, column {error.colno}: '
                           f"{error.msg.lower()}") from None
    except UnicodeDecodeError:
        raise PrepareError(f'"{path}" is not UTF-8') from None
    except RecursionError:
        raise PrepareError(f'"{path}" is nested too deep') from None


def with_defaults(raw, schema=None):
    """Keys in the schema's order, defaults filled in, 3.0 as 3 where an integer is meant."""
    result = {}
    for key, rule in _rules_for(raw, schema or load_schema()).items():
        if key in raw:
            value = raw[key]
            if rule.get("type") == "object":
                value = with_defaults(value, rule)
            elif rule.get("type") == "integer":
                value = int(value)
            elif rule.get("type") == "number":
                value = float(value)
            result[key] = value
        elif "default" in rule:
            result[key] = rule["default"]
        elif key == "win_length":
            result[key] = result["n_fft"]
        elif key == "threshold_off" and result.get("kind") == "frames":
            result[key] = result["threshold"]
    return result


def _rules_for(raw, schema):
    """What the schema says of each key that an object of this kind may have."""
    rules = schema["properties"]
    for branch in schema.get("allOf", ()):
        conditions = branch["if"]["properties"]
        if all(raw.get(key) == condition["const"] for key, condition in conditions.items()):
            own = branch["then"]["properties"]
            rules = {key: {**rule, **(own[key] if own[key] is not True else {})} for key, rule in rules.items() if key in own}
    return rules


def _cross_check(manifest, path):
    audio, features = manifest["audio"], manifest["features"]
    rate = audio["sample_rate"]
    samples = segment_samples(audio)

    def fail(what, hint=""):
        raise PrepareError(f'"{path}": {what}', hint)

    if samples < 1:
        fail(f'"audio.segment_seconds" is {audio["segment_seconds"]}: less than one sample at {rate} Hz')
    if 2 * seconds_to_ns(audio["hop_seconds"]) * rate < 10**9:
        fail(f'"audio.hop_seconds" is {audio["hop_seconds"]}: less than one sample at {rate} Hz')
    if manifest["stateful"] and seconds_to_ns(audio["hop_seconds"]) != seconds_to_ns(audio["segment_seconds"]):
        fail(f'"stateful" is true, but "audio.hop_seconds" ({audio["hop_seconds"]:g}) is not "audio.segment_seconds" '
             f'({audio["segment_seconds"]:g})', "a model with state hears a file from end to end: make them the same")
    if features["kind"] in ("log_mel", "mfcc"):
        _check_log_mel(features, rate, samples, fail)
    if features["kind"] == "mfcc" and features["n_mfcc"] > features["n_mels"]:
        fail(f'"features.n_mfcc" is {features["n_mfcc"]}, more than "features.n_mels" ({features["n_mels"]})')
    if features["kind"] == "kaldi_fbank":
        _check_kaldi(features, rate, samples, fail)
    if has_frames(manifest):
        _check_frames(audio, manifest["output"], fail)


def _check_frames(audio, output, fail):
    if audio["hop_seconds"] > audio["segment_seconds"]:
        fail(f'"output.kind" is "{output["kind"]}", which needs every frame of a file, and "audio.hop_seconds" '
             f'({audio["hop_seconds"]:g}) is more than "audio.segment_seconds" ({audio["segment_seconds"]:g})')
    if output["frame_seconds"] > audio["segment_seconds"]:
        fail(f'"output.frame_seconds" is {output["frame_seconds"]:g}, more than a segment')
    hop, frame = seconds_to_ns(audio["hop_seconds"]), seconds_to_ns(output["frame_seconds"])
    count = max(1, (hop + frame // 2) // frame)
    fits = count * frame if count * frame <= seconds_to_ns(audio["segment_seconds"]) else (count - 1) * frame
    if 2 * abs(count * frame - hop) > count + 1:  # more than rounding to nanoseconds makes
        fail(f'"output.frame_seconds" is {output["frame_seconds"]:.9g}, and "audio.hop_seconds", {audio["hop_seconds"]:.9g}, is no '
             "whole number of them", f"the nearest hop that fits is {fits / 1e9:.9g}")
    if output["kind"] == "frames" and output["threshold_off"] > output["threshold"]:
        fail(f'"output.threshold_off" is {output["threshold_off"]:g}, above "output.threshold" ({output["threshold"]:g})',
             "an event ends below it")


def _check_log_mel(features, rate, samples, fail):
    if features["f_max"] > rate / 2:
        fail(f'"features.f_max" is {features["f_max"]:g}, more than half of "audio.sample_rate" ({rate})')
    if features["f_min"] >= features["f_max"]:
        fail(f'"features.f_min" is {features["f_min"]:g}, not less than "features.f_max" ({features["f_max"]:g})')
    if features["log"] == "none":
        for key in ("log_offset", "dynamic_range"):
            if features[key] != 0:
                fail(f'"features.{key}" needs a logarithm, and "features.log" is "none"')
    elif features["floor"] + features["log_offset"] < 1e-37:
        fail(f'"features.floor" is {features["floor"]:g}, too small to take a logarithm of', "1e-10 is usual")
    if features["win_length"] > features["n_fft"]:
        fail(f'"features.win_length" is {features["win_length"]}, more than "features.n_fft" ({features["n_fft"]})')
    if features["center"] and features["pad_mode"] == "reflect":
        if features["n_fft"] // 2 >= samples:
            fail(f'"features.n_fft" is {features["n_fft"]}: a segment of {samples} samples is too short to reflect half of it')
    elif not features["center"] and features["n_fft"] > samples:
        fail(f'"features.n_fft" is {features["n_fft"]}, more than a segment of {samples} samples')
    if features["drop_last_frame"]:
        padded = samples + (features["n_fft"] // 2 * 2 if features["center"] else 0)
        if padded - features["n_fft"] < features["hop_length"]:
            fail('"features.drop_last_frame" drops the only frame of a segment')


def _check_kaldi(features, rate, samples, fail):
    length, shift = kaldi_samples(features, rate)
    if length < 2:
        fail(f'"features.frame_length_ms" is {features["frame_length_ms"]:g}, less than two samples at {rate} Hz')
    if shift < 1:
        fail(f'"features.frame_shift_ms" is {features["frame_shift_ms"]:g}, less than one sample at {rate} Hz')
    if length > min(samples, 2**20):
        fail(f'"features.frame_length_ms" is {features["frame_length_ms"]:g}: {length} samples, '
             f"more than a segment of {samples}, or than 2^20")
    if not features["round_to_power_of_two"] and length % 2:
        fail(f'"features.frame_length_ms" is {features["frame_length_ms"]:g}: {length} samples, an odd number',
             'set "features.round_to_power_of_two" to true, or change it')
    frames = kaldi_frames(features, rate, samples)
    if frames < 1:
        fail(f'"features.frame_shift_ms" is {features["frame_shift_ms"]:g}, so long that a segment has no frame')
    if 0 < features["target_frames"] < frames:
        fail(f'"features.target_frames" is {features["target_frames"]}, less than the {frames} frames of a segment',
             'shorten "audio.segment_seconds": what is cut off would never be heard')
    if not -rate / 2 <= features["f_max"] <= rate / 2:
        fail(f'"features.f_max" is {features["f_max"]:g}, more than half of "audio.sample_rate" ({rate})')
    highest = kaldi_highest(features, rate)
    if features["f_min"] >= highest:
        fail(f'"features.f_min" is {features["f_min"]:g}, not less than "features.f_max" ({highest:g})')


def kaldi_samples(features, rate):
    """(frame length, frame shift) of kaldi_fbank in samples, rounded down as Kaldi does."""
    return int(rate * features["frame_length_ms"] / 1000), int(rate * features["frame_shift_ms"] / 1000)


def kaldi_frames(features, rate, samples):
    """Frames of a segment of `samples`, before "target_frames"."""
    length, shift = kaldi_samples(features, rate)
    if features["snip_edges"]:
        return 1 + (samples - length) // shift
    return (samples + shift // 2) // shift


def kaldi_highest(features, rate):
    """Hz: "f_max", which counts from half of the rate downwards where it is not positive."""
    return features["f_max"] if features["f_max"] > 0 else rate / 2 + features["f_max"]


def seconds_to_ns(seconds):
    """To the nanosecond, half away from zero (seconds are positive)."""
    return int(seconds * 1e9 + 0.5)


def segment_samples(audio):
    """Samples of a segment at the model's rate."""
    return (2 * seconds_to_ns(audio["segment_seconds"]) * audio["sample_rate"] + 10**9) // (2 * 10**9)
