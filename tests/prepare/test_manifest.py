"""A wrong manifest is told in one sentence that names the key."""

import copy
import json
import os

import pytest
from consort_prepare import manifest as manifests, presets
from consort_prepare.errors import PrepareError
from jsonschema import Draft202012Validator

from conftest import LOG_MEL, MANIFEST, refused
from small_models import Plain


def changed(path, value, base=MANIFEST):
    result = copy.deepcopy(base)
    *parents, last = path.split(".")
    place = result
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return result


def with_log_mel(path, value):
    return changed(path, value, {**MANIFEST, "features": LOG_MEL})


def with_features(features):
    return {**MANIFEST, "features": features}


def with_output(output):
    return {**MANIFEST, "output": {"labels": "labels.txt", **output}}


MFCC = {**LOG_MEL, "kind": "mfcc", "n_mfcc": 5, "log": "db"}
KALDI = {"kind": "kaldi_fbank", "n_mels": 8}


def sentence_for(folder, manifest):
    path = folder / "m.json"
    path.write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    with pytest.raises(PrepareError) as caught:
        manifests.read_manifest(str(path))
    return caught.value.sentence()


WRONG = [
    (changed("audio.sample_rat", 16000), ['unknown key "audio.sample_rat"', 'did you mean "sample_rate"?']),
    (changed("zebra", 1), ['unknown key "zebra"', "known keys are"]),
    (changed("features.n_fft", 512), ['unknown key "features.n_fft"']),  # a waveform has no such key
    (changed("output.frame_seconds", 0.02), ['unknown key "output.frame_seconds"']),
    (changed("consort", 2), ['"consort" is 2; it must be 1']),
    (changed("consort", None), ['the key "consort" is missing']),
    (changed("audio.hop_seconds", None), ['the key "audio.hop_seconds" is missing']),
    (changed("audio.hop_seconds", 0), ['"audio.hop_seconds" is 0; it must be more than 0']),
    (changed("audio.hop_seconds", 1e-4), ['"audio.hop_seconds"', "less than one sample"]),
    (changed("audio.segment_seconds", -1), ['"audio.segment_seconds" is -1; it must be more than 0']),
    (changed("audio.sample_rate", "16k"), ['"audio.sample_rate" is "16k"; it must be an integer']),
    (changed("audio.sample_rate", True), ['"audio.sample_rate" is true; it must be an integer']),
    (changed("audio.sample_rate", 10**9), ['"audio.sample_rate"', "at most 768000"]),
    (changed("audio.channels", "left"), ['"audio.channels" is "left"; it must be "mix", "first" or "each"']),
    (changed("audio", 3), ['"audio" is 3; it must be an object']),
    (changed("name", ""), ['"name" is empty']),
    (changed("output.top_k", 0), ['"output.top_k" is 0; it must be at least 1']),
    (changed("output.activation", "relu"), ['"output.activation" is "relu"', '"sigmoid"']),
    (changed("audio.hop_seconds", 0.25, {**MANIFEST, "stateful": True}), ['"stateful" is true, but "audio.hop_seconds" (0.25)']),
    (changed("stateful", "no"), ['"stateful" is "no"; it must be a boolean']),
    (changed("features.kind", "mel"), ['"features.kind" is "mel"', '"log_mel"']),
    (with_output({"kind": "ctc"}), ['the key "output.frame_seconds" is missing']),
    (with_output({"kind": "ctc", "frame_seconds": 0.02, "top_k": 3}), ['unknown key "output.top_k"']),
    (with_output({"kind": "frames", "frame_seconds": 0.02, "blank": 0}), ['unknown key "output.blank"']),
    (with_output({"kind": "frames", "frame_seconds": 0.01, "threshold_off": 0.6}), ['"output.threshold_off" is 0.6, above']),
    (with_output({"kind": "frames", "frame_seconds": 0.3}), ["is no whole number of them", "the nearest hop that fits is"]),
    (changed("prepared", {}), ['"prepared"', "model.json of a bundle"]),
    (with_log_mel("features.f_max", 501), ['"features.f_max" is 501, more than half of "audio.sample_rate" (1000)']),
    (with_log_mel("features.f_min", 500), ['"features.f_min" is 500, not less than "features.f_max" (500)']),
    (with_log_mel("features.win_length", 65), ['"features.win_length" is 65, more than "features.n_fft" (64)']),
    (with_log_mel("features.n_fft", 1024), ['"features.n_fft" is 1024', "too short to reflect"]),
    (with_log_mel("features.hop_length", 0), ['"features.hop_length" is 0; it must be at least 1']),
    (with_log_mel("features.power", 3), ['"features.power" is 3; it must be 1 or 2']),
    (with_log_mel("features.window", "blackman"), ['"features.window" is "blackman"', '"hann" or "hamming"']),
    (with_log_mel("features.n_mels", None), ['the key "features.n_mels" is missing']),
    (with_log_mel("features.floor", 0), ['"features.floor" is 0, too small']),
    (with_log_mel("features.n_mfcc", 5), ['unknown key "features.n_mfcc"']),
    (with_log_mel("features.f_max", 0), ['"features.f_max" is 0; it must be more than 0']),
    (with_features({**LOG_MEL, "log": "none", "dynamic_range": 8}), ['"features.dynamic_range" needs a logarithm']),
    (with_features({**LOG_MEL, "drop_last_frame": True, "hop_length": 501}), ['"features.drop_last_frame" drops the only frame']),
    (with_features({**MFCC, "n_mfcc": 9}), ['"features.n_mfcc" is 9, more than "features.n_mels" (8)']),
    (with_features({**MFCC, "log": "log10"}), ['"features.log" is "log10"; it must be "db" or "log"']),
    (with_features({"kind": "mfcc"}), ['the key "features.', "is missing"]),
    (with_features({**KALDI, "n_fft": 64}), ['unknown key "features.n_fft"']),
    (with_features({**KALDI, "dither": 0.1}), ['"features.dither" is 0.1; it must be 0']),
    (with_features({**KALDI, "use_energy": True}), ['"features.use_energy" is true; it must be false']),
    (with_features({**KALDI, "frame_length_ms": 1}), ['"features.frame_length_ms" is 1, less than two samples']),
    (with_features({**KALDI, "frame_length_ms": 501}), ['"features.frame_length_ms" is 501: 501 samples, more than a segment']),
    (with_features({**KALDI, "round_to_power_of_two": False}), ['"features.frame_length_ms" is 25: 25 samples, an odd number']),
    (with_features({**KALDI, "frame_shift_ms": 0.5}), ['"features.frame_shift_ms" is 0.5, less than one sample']),
    (with_features({**KALDI, "frame_shift_ms": 2000, "snip_edges": False}), ['"features.frame_shift_ms" is 2000, so long']),
    (with_features({**KALDI, "target_frames": 47}), ['"features.target_frames" is 47, less than the 48 frames']),
    (with_features({**KALDI, "f_max": -480}), ['"features.f_min" is 20, not less than "features.f_max" (20)']),
    (with_features({**KALDI, "f_max": 501}), ['"features.f_max" is 501, more than half']),
    (with_features({"preset": "asr"}), ['"features.preset" is "asr", which is no preset', 'did you mean "ast"?', "panns, ast, whisper"]),
    (with_features({"preset": ["ast"]}), ['"features.preset"', "which is no preset"]),
    (with_features({"preset": "ast", "kind": "log_mel"}), ['"features.kind" is not that of the preset "ast"', '"kaldi_fbank"']),
    (with_features({"preset": "ast", "hop_length": 160}), ['unknown key "features.hop_length"']),
    ("[1]", ["is not a JSON object"]),
    ('{"consort": 1,', ["is not JSON: line 1, column"]),
    ('{"consort": 1, "consort": 1}', ['the key "consort" stands there twice']),
    ('{"consort": NaN}', ["NaN is not a number"]),
    ("[" * 100000, ["is nested too deep"]),
]


@pytest.mark.parametrize("manifest,words", WRONG, ids=[words[0][:60] for _, words in WRONG])
def test_a_wrong_manifest_is_one_sentence_that_names_the_key(tmp_path, manifest, words):
    sentence = sentence_for(tmp_path, manifest)
    assert "\n" not in sentence and "m.json" in sentence
    for word in words:
        assert word in sentence


def test_the_schema_is_itself_valid_and_closed_everywhere():
    schema = manifests.load_schema()
    Draft202012Validator.check_schema(schema)

    def closed(rule):
        if rule.get("type") == "object":
            assert "additionalProperties" in rule and rule["additionalProperties"] is not True
            for child in rule.get("properties", {}).values():
                closed(child)

    closed(schema)


def test_defaults_are_written_out_and_whole_numbers_are_integers(tmp_path):
    path = tmp_path / "m.json"
    features = {key: LOG_MEL[key] for key in ("kind", "hop_length", "power", "n_mels", "f_min", "f_max")}
    path.write_text(json.dumps({**MANIFEST, "features": {**features, "n_fft": 64.0}}))
    read = manifests.read_manifest(str(path))
    assert read["audio"]["normalize"] == "none" and read["stateful"] is False
    assert read["features"]["pad_mode"] == "reflect" and read["features"]["mel_norm"] == "none"
    assert read["features"]["win_length"] == 64 and read["features"]["log"] == "none"
    assert repr(read["features"]["n_fft"]) == "64"


def test_a_waveform_gets_no_keys_of_log_mel(tmp_path):
    path = tmp_path / "m.json"
    path.write_text(json.dumps(MANIFEST))
    assert manifests.read_manifest(str(path))["features"] == {"kind": "waveform"}


def read(folder, manifest):
    path = folder / "m.json"
    path.write_text(json.dumps(manifest))
    return manifests.read_manifest(str(path))


def test_each_kind_has_its_own_defaults(tmp_path):
    kaldi = read(tmp_path, with_features(KALDI))["features"]
    assert kaldi == {"kind": "kaldi_fbank", "frame_length_ms": 25.0, "frame_shift_ms": 10.0, "window": "povey", "snip_edges": True,
                     "round_to_power_of_two": True, "scale": 1.0, "dither": 0.0, "remove_dc": True, "preemphasis": 0.97, "power": 2,
                     "n_mels": 8, "f_min": 20.0, "f_max": 0.0, "use_energy": False, "log": "log", "target_frames": 0, "mean": 0.0,
                     "std": 1.0, "layout": "BCTM"}
    mfcc = read(tmp_path, with_features({key: value for key, value in MFCC.items() if key != "log"}))["features"]
    assert mfcc["log"] == "db" and mfcc["dct_norm"] == "ortho" and mfcc["dynamic_range"] == 0.0 and "scale" not in mfcc


def test_each_output_has_its_own_defaults(tmp_path):
    assert read(tmp_path, with_output({"kind": "ctc", "frame_seconds": 0.02}))["output"] == {
        "kind": "ctc", "activation": "log_softmax", "labels": "labels.txt", "frame_seconds": 0.02, "blank": 0, "word_separator": "|"}
    assert read(tmp_path, with_output({"kind": "frames", "frame_seconds": 0.02, "threshold": 0.4}))["output"] == {
        "kind": "frames", "activation": "none", "labels": "labels.txt", "threshold": 0.4, "frame_seconds": 0.02, "threshold_off": 0.4,
        "min_seconds": 0.0, "min_gap_seconds": 0.0, "pad_seconds": 0.0}


def test_a_hop_of_frames_that_no_decimal_number_tells_is_whole(tmp_path):
    audio = {**MANIFEST["audio"], "sample_rate": 22050, "hop_seconds": 43 * 256 / 22050}
    manifest = {**with_output({"kind": "ctc", "frame_seconds": 256 / 22050}), "audio": audio}
    assert read(tmp_path, manifest)["output"]["frame_seconds"] == 256 / 22050


AUDIO_OF_10_SECONDS = {"channels": "mix", "segment_seconds": 10.0, "hop_seconds": 10.0}


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_a_preset_is_written_out(tmp_path, preset):
    made = read(tmp_path, {**MANIFEST, "audio": AUDIO_OF_10_SECONDS, "features": {"preset": preset}})
    table = presets.PRESETS[preset]
    assert "preset" not in made["features"] and made["audio"]["sample_rate"] == table["audio"]["sample_rate"]
    assert {key: made["features"][key] for key in table["features"]} == table["features"]
    written = read(tmp_path, {**MANIFEST, "audio": {**AUDIO_OF_10_SECONDS, **table["audio"]}, "features": table["features"]})
    assert written == made


def test_keys_beside_a_preset_win(tmp_path):
    made = read(tmp_path, {**MANIFEST, "audio": {**AUDIO_OF_10_SECONDS, "sample_rate": 24000, "normalize": "peak"},
                           "features": {"preset": "whisper", "n_mels": 128}})
    assert made["features"]["n_mels"] == 128 and made["features"]["n_fft"] == 400
    assert made["audio"]["sample_rate"] == 24000 and made["audio"]["normalize"] == "peak"


def test_a_manifest_of_an_earlier_version_says_the_same_if_it_lacks_only_defaults(tmp_path):
    now = read(tmp_path, with_features(LOG_MEL))
    features = {key: value for key, value in now["features"].items() if key not in ("mean", "std", "dynamic_range")}
    assert manifests.says_the_same({**now, "features": features}, now)
    assert not manifests.says_the_same({**now, "features": features}, {**now, "features": {**now["features"], "std": 2.0}})
    assert not manifests.says_the_same({**now, "features": {**features, "gain": 1}}, now)
    assert not manifests.says_the_same({**now, "audio": {**now["audio"], "normalize": "peak"}}, now)


def test_a_bundle_s_model_json_keeps_to_the_schema(workshop):
    assert workshop.write(Plain()).prepare().status == 0
    with open(os.path.join(workshop.bundle, "model.json"), encoding="utf-8") as file:
        Draft202012Validator(manifests.load_schema()).validate(json.load(file))


def test_labels_may_have_a_bom_and_crlf(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbfa\r\nb c\r\n")
    assert manifests.read_labels(MANIFEST, str(tmp_path / "m.json")) == ["a", "b c"]


@pytest.mark.parametrize("content,word", [(None, "could not open"), (b"", "has no labels"), (b"a\n\nb\n", "line 2 is blank"),
                                          (b"\xff\n", "is not UTF-8")])
def test_wrong_labels_are_one_sentence(tmp_path, content, word):
    if content is not None:
        (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(PrepareError) as caught:
        manifests.read_labels(MANIFEST, str(tmp_path / "m.json"))
    assert word in caught.value.sentence() and "labels.txt" in caught.value.sentence()


def test_a_missing_manifest_says_where_it_was_looked_for(workshop):
    workshop.write(Plain())
    os.remove(workshop.folder / "small.json")
    refused(workshop.prepare(), 'could not open "', 'small.json": no such file or directory', "--manifest")


def test_a_wrong_manifest_leaves_no_bundle(workshop):
    workshop.write(Plain(), manifest=changed("audio.zebra", 1))
    refused(workshop.prepare(), 'unknown key "audio.zebra"')
    assert not os.path.exists(workshop.bundle)
