"""The bundles that are compared: what they are, and which of them are one model."""

import dataclasses
import json
import os

from .errors import CompareError


_PARTS = ("audio", "features", "output")
_SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "include/consort/manifest.schema.json")
with open(_SCHEMA, encoding="utf-8") as _file:
    _DEFAULTS = {f"{part}.{key}": rule["default"] for part, of in json.load(_file)["properties"].items() if part in _PARTS
                 for key, rule in of["properties"].items() if "default" in rule}


@dataclasses.dataclass(frozen=True)
class Bundle:
    name: str      # of its folder; made unique among those given
    path: str
    model: str     # of the manifest
    backend: str   # aoti, torchscript or null
    precision: str
    packed: int    # weights in the layout that the kernels want
    torch: str     # LibTorch's version
    segment_seconds: float
    hop_seconds: float
    # What bundles of one model agree in, as "features.n_fft": 1024.
    identity: dict = dataclasses.field(default_factory=dict, hash=False)

    def same_model(self, other):
        """A key that only one has was not written yet when the other was made, and has its default there."""
        keys = self.identity.keys() | other.identity.keys()
        return all(self.identity.get(key, _DEFAULTS.get(key)) == other.identity.get(key, _DEFAULTS.get(key)) for key in keys)


def read(paths):
    """[Bundle], in the order given. Raises CompareError."""
    found, names = [], set()
    for path in paths:
        name = os.path.basename(os.path.abspath(path))
        while name in names:
            name += "'"
        names.add(name)
        found.append(_read_one(path, name))
    return found


def _read_one(path, name):
    manifest_path = os.path.join(path, "model.json")
    try:
        with open(manifest_path, encoding="utf-8") as file:
            manifest = json.load(file)
        prepared, audio = manifest["prepared"], manifest["audio"]
        identity = {f"{part}.{key}": value for part in _PARTS for key, value in manifest[part].items()
                    if (part, key) != ("output", "labels")}
        source = prepared.get("source", {})
        identity |= {"name": manifest["name"], "source": source.get("sha256"), "post": source.get("post", {}).get("sha256"),
                     "labels": prepared["files"].get("labels.txt", {}).get("sha256")}
        return Bundle(name, os.path.abspath(path), manifest["name"], prepared["backend"], prepared.get("precision", "fp32"),
                      prepared.get("packed", {}).get("weights", 0), prepared.get("torch", ""), float(audio["segment_seconds"]),
                      float(audio["hop_seconds"]), identity)
    except OSError as error:
        raise CompareError(f'could not open "{manifest_path}": {(error.strerror or str(error)).lower()}',
                           "-m takes a folder made by consort-prepare") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CompareError(f'"{manifest_path}" is not the manifest of a prepared bundle', "make the bundle with consort-prepare") from None


@dataclasses.dataclass(frozen=True)
class Roles:
    """What each bundle is for. The model is that of the first one given."""
    main: Bundle     # the first: processes × threads
    base: Bundle     # LibTorch's own pools act in it: threads × intra-op, from naive to consort
    packed: Bundle   # base's model and precision with packed weights; or None
    same: tuple      # all of one model
    others: tuple    # of other models


def roles(bundles):
    main = bundles[0]
    same = tuple(it for it in bundles if it.same_model(main))
    others = tuple(it for it in bundles if not it.same_model(main))
    base = next((it for it in same if it.backend == "torchscript"), main)
    packed = next((it for it in same if it.backend == "aoti" and it.packed and it.precision == base.precision and it is not base), None)
    return Roles(main, base, packed, same, others)
