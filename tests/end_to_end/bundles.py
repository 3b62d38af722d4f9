"""Bundles: a null one from nothing, and spoiled copies of a real one."""

import hashlib
import json
import pathlib
import shutil


def file_entry(path):
    content = pathlib.Path(path).read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def write_null_bundle(folder, segment_seconds=3.0, hop_seconds=3.0, labels=8, top_k=5,
                      sample_rate=16000, threshold=0.0, output=None, stateful=False):
    """A bundle for the null worker, which needs no weights. `labels`: names, or how many. `output`: its
    keys, in place of those of tags; one with frames has as many as fit into a segment."""
    folder = pathlib.Path(folder)
    folder.mkdir()
    names = [f"label {n}" for n in range(labels)] if isinstance(labels, int) else list(labels)
    (folder / "labels.txt").write_text("".join(name + "\n" for name in names), encoding="utf-8")
    output = output or {"kind": "tags", "activation": "none", "top_k": top_k, "threshold": threshold}
    frames = round(segment_seconds / output["frame_seconds"]) if "frame_seconds" in output else 1
    manifest = {
        "consort": 1, "name": "null",
        "audio": {"sample_rate": sample_rate, "channels": "mix", "segment_seconds": segment_seconds,
                  "hop_seconds": hop_seconds, "normalize": "none"},
        "features": {"kind": "waveform"},
        "output": {**output, "labels": "labels.txt"},
        "stateful": stateful,
        "prepared": {"backend": "null", "precision": "fp32", "torch": "",
                     "output_size": frames * len(names),
                     "files": {"labels.txt": file_entry(folder / "labels.txt")},
                     "written_buffers": []},
    }
    write_manifest(folder, manifest)
    return folder


def read_manifest(folder):
    return json.loads((pathlib.Path(folder) / "model.json").read_text(encoding="utf-8"))


def write_manifest(folder, manifest):
    (pathlib.Path(folder) / "model.json").write_text(json.dumps(manifest, indent=1),
                                                     encoding="utf-8")


def copy(bundle, folder):
    """A copy to spoil: its files are its own."""
    shutil.copytree(bundle, folder)
    return pathlib.Path(folder)


def list_again(folder, name):
    """Makes the manifest agree with a changed file, so that only a later check can object."""
    manifest = read_manifest(folder)
    manifest["prepared"]["files"][name] = file_entry(pathlib.Path(folder) / name)
    write_manifest(folder, manifest)
