"""A bundle of the null backend: no code, no weights. `consort-worker --null` answers for it.

    null.py OUT [--segment-seconds S] [--hop-seconds S] [--rate HZ] [--labels N] [--top-k N]
"""

import argparse
import hashlib
import json
import os
import shutil


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--segment-seconds", type=float, default=3.0)
    parser.add_argument("--hop-seconds", type=float, default=None, help="default: as the segment")
    parser.add_argument("--rate", type=int, default=16000)
    parser.add_argument("--labels", type=int, default=16)
    parser.add_argument("--top-k", type=int, default=5)
    args = parser.parse_args()

    labels = "".join(f"null-{n:03d}\n" for n in range(args.labels)).encode()
    model = {
        "consort": 1,
        "name": "null",
        "audio": {"sample_rate": args.rate, "channels": "mix", "segment_seconds": args.segment_seconds,
                  "hop_seconds": args.hop_seconds or args.segment_seconds, "normalize": "none"},
        "features": {"kind": "waveform"},
        "output": {"kind": "tags", "activation": "none", "labels": "labels.txt", "top_k": args.top_k, "threshold": 0.0},
        "stateful": False,
        "prepared": {"backend": "null",
                     "files": {"labels.txt": {"sha256": hashlib.sha256(labels).hexdigest(), "bytes": len(labels)}}},
    }
    text = (json.dumps(model, indent=2) + "\n").encode()
    if os.path.isdir(args.out) and _read(os.path.join(args.out, "model.json")) == text \
            and _read(os.path.join(args.out, "labels.txt")) == labels:
        return
    staging = f"{args.out}.tmp-{os.getpid()}"
    os.makedirs(staging)
    for name, data in (("labels.txt", labels), ("model.json", text)):
        with open(os.path.join(staging, name), "wb") as file:
            file.write(data)
    if os.path.isdir(args.out):
        if set(os.listdir(args.out)) - {"labels.txt", "model.json"}:
            shutil.rmtree(staging)
            raise SystemExit(f'null.py: "{args.out}" is there and is not a null bundle; remove it, or choose another name')
        shutil.rmtree(args.out)
    os.rename(staging, args.out)


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


if __name__ == "__main__":
    main()
