"""The command line of consort-prepare."""

import argparse
import os
import signal
import sys
import warnings

from .errors import PrepareError

DESCRIPTION = """Make a model bundle for `consort run` from a TorchScript file and a manifest.

A bundle is a folder: model.json, the model's code, its weights and its labels.
A model, and so a bundle, is a program: prepare and run only what you trust."""


def parser():
    result = argparse.ArgumentParser(prog="consort-prepare", description=DESCRIPTION, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("model", metavar="MODEL.pt", help="a TorchScript file, as torch.jit.save writes it")
    result.add_argument("-o", "--output", metavar="BUNDLE", required=True, help="the folder to make; a bundle there is replaced")
    result.add_argument("--manifest", metavar="FILE", help="what the model hears and says (default: MODEL's name with .json)")
    result.add_argument("--verify", metavar="AUDIO", nargs="+", default=[],
                        help="run the bundle against the model on these sounds and print the worst difference")
    return result


def prepare(args):
    """Returns the line to print."""
    from . import manifest as manifests  # before torch is imported: a wrong manifest is told at once
    manifest_path = args.manifest or os.path.splitext(args.model)[0] + ".json"
    if not os.path.isfile(args.model):
        reason = "it is not a file" if os.path.exists(args.model) else "no such file or directory"
        raise PrepareError(f'could not open "{args.model}": {reason}')
    manifest = manifests.read_manifest(manifest_path)
    labels = manifests.read_labels(manifest, manifest_path)

    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a refusal is one line: no notes of LibTorch's
    warnings.simplefilter("ignore")
    import torch
    from . import bundle, verify
    torch.set_num_threads(1)  # as an engine does: the last bits depend on it
    folder = os.path.normpath(args.output)
    bundle.check_place(folder)
    source = bundle.source_of(args.model)
    audio_sha256 = verify.check_audio(args.verify) if args.verify else None
    found = bundle.up_to_date(folder, manifest, labels, source)
    if found is not None:
        verified = found["prepared"].get("verify", {})
        if audio_sha256 is None or verified.get("audio_sha256") == audio_sha256:
            return f"{args.output} is up to date" + (f"\n{verify.words(verified)}" if audio_sha256 else "")
    with bundle.Staging(folder) as staging:
        prepared = bundle.fill(staging.path, args.model, manifest, labels, source)
        if args.verify:
            prepared["verify"] = verify.verify(staging.path, args.model, manifest, prepared["written_buffers"], args.verify, audio_sha256)
        bundle.write_model_json(staging.path, manifest, prepared)
        staging.put_in_place()
    line = f"{args.output}: {len(labels)} labels, weights {prepared['files']['weights.bin']['bytes'] / 1e6:.1f} MB, code {prepared['files']['code.pt']['bytes'] / 1e3:.0f} kB"
    return line + (f"\n{verify.words(prepared['verify'])}" if args.verify else "")


def main(argv=None):
    args = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the half-made folder goes
    try:
        print(prepare(args))
        return 0
    except PrepareError as error:
        line = error.sentence()
    except OSError as error:
        line = f'could not write "{error.filename or args.output}": {(error.strerror or str(error)).lower()}'
    except KeyboardInterrupt:
        return 130
    except MemoryError:
        line = "out of memory"
    print(f"consort-prepare: {line}", file=sys.stderr)
    return 1
