"""The command line of consort-prepare."""

import argparse
import dataclasses
import difflib
import os
import re
import signal
import sys
import warnings
from typing import Any, List, Optional

from .errors import PrepareError

MOST_BATCH = 64

DESCRIPTION = """Make a model bundle for `consort run` from a model and a manifest.

MODEL is a TorchScript file (torch.jit.save), an exported program (torch.export.save), or Python:
MODULE:FUNCTION or FILE.py:FUNCTION, a function that gives an nn.Module. It is compiled for this
machine, in several variants, and the fastest is kept; one that does not compile is taken as
TorchScript. A bundle is a folder: model.json, the model's code, its weights and its labels.
A model, and so a bundle, is a program: prepare and run only what you trust."""


@dataclasses.dataclass
class Asked:
    """The options that a bundle's content depends on."""
    backend: str
    precision: str
    batch: Any  # a number, or "auto"
    fast: bool
    portable: bool
    calibrate: List[str]
    calibrate_sha256: Optional[str] = None
    variant: Optional[str] = None  # None: whichever is fastest

    def to_json(self):
        fields = {key: value for key, value in dataclasses.asdict(self).items() if key != "calibrate"}
        return {key: value for key, value in fields.items() if value is not None}


def batch(text):
    if text == "auto":
        return text
    if not text.isdecimal() or not 1 <= int(text) <= MOST_BATCH:
        raise argparse.ArgumentTypeError(f'--batch takes auto or a number from 1 to {MOST_BATCH}, not "{text}"')
    return int(text)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        """In consort's words: one line, and a hint below."""
        message = re.sub(r"^argument [^:]*: (?=--)", "", message)  # ours name their option
        message = re.sub(r"^argument [^:]*(--[\w-]+): expected one argument$", r"\1 needs a value", message)
        message = re.sub(r"^argument [^:]*(--[\w-]+): invalid choice: '(.*)' \(choose from (.*)\)$",
                         lambda it: f'{it[1]} takes {" or ".join(it[3].replace(chr(39), "").rsplit(", ", 1))}, not "{it[2]}"', message)
        self.exit(2, f'consort-prepare: {message}\ntry "consort-prepare --help"\n')

    def parse_args(self, words=None, namespace=None):
        found, rest = self.parse_known_args(words, namespace)
        if rest:
            known = [it for it in self._option_string_actions if it.startswith("--")]
            near = difflib.get_close_matches("--" + rest[0].partition("=")[0].lstrip("-"), known, 1, 0.75)
            if not rest[0].startswith("-"):
                self.error(f'"{rest[0]}" is too much: one MODEL makes one bundle')
            self.error(f'unknown option "{rest[0]}"' + (f": did you mean {near[0]}?" if near else ""))
        return found


def parser():
    result = Parser(prog="consort-prepare", description=DESCRIPTION, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = result.add_argument
    add("model", metavar="MODEL", help="a file, or MODULE:FUNCTION")
    add("-o", "--output", metavar="BUNDLE", required=True, help="the folder to make; a bundle there is replaced")
    add("--manifest", metavar="FILE", help="what the model hears and says (default: MODEL's name with .json)")
    add("--post", metavar="POST", help="a second model, of the same kinds as MODEL, that takes what MODEL gives; BUNDLE has both as one")
    add("--backend", choices=("auto", "aoti", "torchscript"), default="auto",
        help="aoti: compiled for this machine; torchscript: runs anywhere, slower (default: aoti where the model compiles)")
    add("--precision", choices=("fp32", "bf16", "int8"), default="fp32", help="of the compiled code (default: fp32)")
    add("--calibrate", metavar="AUDIO", action="append", default=[],
        help="a sound, or a folder of them, that int8 takes its ranges from; may be repeated")
    add("--verify", metavar="AUDIO", action="append", default=[],
        help="run the bundle against the model on this sound, or folder of them, and print the drift; may be repeated")
    add("--batch", type=batch, default=1, metavar="N|auto",
        help="segments that the compiled code takes at once; auto: more than one where that is over 10 %% faster (default: 1)")
    add("--fast", action="store_true", help="compile the first variant only")
    add("--variant", choices=("packed", "products", "unpacked", "unfrozen"),
        help="compile this one only, whatever is fastest here (default: the fastest)")
    add("--portable", action="store_true", help="for any x86-64-v3 CPU (AVX2); nothing is packed")
    return result


def manifest_path_of(model):
    """MODEL's name with .json; of Python the module's."""
    if not os.path.isfile(model) and ":" in model:
        module = model.rpartition(":")[0]
        return (module[:-3] if module.endswith(".py") else module.replace(".", os.sep)) + ".json"
    return os.path.splitext(model)[0] + ".json"


def _check_is_there(path):
    if not os.path.isfile(path) and (":" not in path or os.path.exists(path)):
        reason = "it is not a file" if os.path.exists(path) else "no such file or directory"
        raise PrepareError(f'could not open "{path}": {reason}')


def prepare(args):
    """Returns the line to print."""
    from . import manifest as manifests  # before torch is imported: a wrong manifest is told at once
    for path in (args.model, *([args.post] if args.post is not None else [])):
        _check_is_there(path)
    manifest_path = args.manifest or manifest_path_of(args.model)
    manifest = manifests.read_manifest(manifest_path)
    labels = manifests.read_labels(manifest, manifest_path)

    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a refusal is one line: no notes of LibTorch's
    warnings.simplefilter("ignore")
    from . import bundle
    given = args.model
    if args.post is not None:
        from .given import WithPost
        given = WithPost(args.model, args.post)
    folder = os.path.normpath(args.output)
    bundle.check_place(folder)
    asked = Asked(args.backend, args.precision, args.batch, args.fast, args.portable, args.calibrate, variant=args.variant)
    _check_together(asked)
    if manifest["stateful"]:
        _check_stateful(asked)
    sounds = args.verify or (args.calibrate if asked.precision != "fp32" else [])
    sounds_sha256 = None
    if sounds or args.calibrate:
        from . import verify
        if args.calibrate:
            asked.calibrate_sha256 = verify.check_audio(args.calibrate, "--calibrate")
        sounds_sha256 = verify.check_audio(sounds, "--verify") if sounds else None
    try:
        source = bundle.source_of(given, manifest)
    except OSError as error:
        raise PrepareError(f'could not open "{error.filename or args.model}": {(error.strerror or str(error)).lower()}') from None
    found = bundle.up_to_date(folder, manifest, labels, source, asked.to_json())
    if found is not None:
        drift = found["prepared"].get("drift", {})
        if sounds_sha256 is None:
            return f"{args.output} is up to date" + ("" if drift else _unknown_drift(asked.precision))
        if drift.get("audio_sha256") == sounds_sha256:
            return f"{args.output} is up to date\n{verify.words(drift, manifest)}"
        if drift and not args.verify:  # int8, verified over other sounds than those it took its ranges from
            return f"{args.output} is up to date"
        return _verify(args, given, folder, manifest, found, sounds, sounds_sha256)
    return _make(args, given, folder, manifest, labels, asked, source, sounds, sounds_sha256)


def _check_together(asked):
    if asked.precision == "int8" and not asked.calibrate:
        raise PrepareError("int8 takes its ranges from sounds, and none were given", "name some that are like yours: --calibrate AUDIO")
    if asked.calibrate and asked.precision != "int8":
        raise PrepareError(f"--calibrate is for int8, and the precision is {asked.precision}", "say --precision int8, or --verify for the sounds")
    if asked.portable and asked.precision == "int8":
        raise PrepareError("int8 packs its weights for one CPU, so it cannot be portable", "leave out --portable or --precision int8")
    if asked.portable and asked.variant in ("packed", "products"):
        raise PrepareError(f"--variant {asked.variant} packs its weights for one CPU, so it cannot be portable",
                           "leave out one of the two")
    if asked.fast and asked.variant:
        raise PrepareError("--fast is a variant, too: the first", "leave out one of the two")
    if asked.backend == "torchscript":
        for given, option in ((asked.precision != "fp32", f"--precision {asked.precision}"), (asked.batch != 1, f"--batch {asked.batch}"),
                              (asked.portable, "--portable"), (asked.fast, "--fast"), (asked.variant, f"--variant {asked.variant}")):
            if given:
                raise PrepareError(f"{option} is for the backend aoti", "leave out one of the two")


def _check_stateful(asked):
    if asked.batch not in (1, "auto"):
        raise PrepareError(f'"stateful" is true, so the segments of a file come one after the other and --batch {asked.batch} is of no use',
                           "leave it out")
    if asked.precision != "fp32":
        raise PrepareError(f'"stateful" is true, and --precision {asked.precision} would round what the model remembers from segment to segment',
                           "leave it out for fp32")
    if asked.variant not in (None, "unfrozen"):
        raise PrepareError(f'"stateful" is true, and --variant {asked.variant} would freeze what the model remembers', "leave it out")


def _make(args, given, folder, manifest, labels, asked, source, sounds, sounds_sha256):
    import torch
    from . import bundle, making
    from .progress import Progress
    torch.set_num_threads(1)  # as an engine does: the last bits depend on it
    progress = Progress()
    with bundle.Staging(folder) as staging:
        prepared = making.fill(staging.path, staging.scratch, given, manifest, labels, asked, source, progress)
        bundle.write_model_json(staging.path, manifest, prepared)
        if sounds:
            prepared["drift"] = making.verify(staging.path, staging.scratch, given, manifest, prepared["written_buffers"],
                                              sounds, sounds_sha256, progress)
            bundle.write_model_json(staging.path, manifest, prepared)
        staging.put_in_place()
    line = f"{args.output}: {_words(prepared)}, {len(labels)} label{'s' if len(labels) != 1 else ''}"
    if not sounds:
        return line + _unknown_drift(prepared["precision"])
    from . import verify
    return f"{line}\n{verify.words(prepared['drift'], manifest)}"


def _unknown_drift(precision):
    """A line about fewer bits whose scores nobody has compared with the model's."""
    return "" if precision == "fp32" else (f"\nhow far {precision} moves the scores is not known: --verify AUDIO measures it, over sounds "
                                           "like yours")


def _verify(args, given, folder, manifest, model, sounds, sounds_sha256):
    """A bundle that is up to date, over other sounds: only model.json becomes another."""
    import torch
    from . import bundle, making, verify
    from .progress import Progress
    torch.set_num_threads(1)
    prepared = model["prepared"]
    with bundle.Staging(folder) as staging:
        prepared["drift"] = making.verify(folder, staging.scratch, given, manifest, prepared["written_buffers"],
                                          sounds, sounds_sha256, Progress())
        staging.take_all_but_model_json()
        bundle.write_model_json(staging.path, manifest, prepared)
        staging.put_in_place()
    return f"{args.output} is up to date\n{verify.words(prepared['drift'], manifest)}"


def _words(prepared):
    files = prepared["files"]
    code = sum(entry["bytes"] for name, entry in files.items() if name.startswith("code"))
    words = f"{prepared['backend']}, {prepared['precision']}, weights {files['weights.bin']['bytes'] / 1e6:.1f} MB, code {code / 1e3:.0f} kB"
    if prepared["backend"] == "aoti":
        packed = prepared["packed"]
        words += f", {packed['weights']} of {packed['of']} weights packed"
        words += f", batch {prepared['batch']}" if prepared["batch"] > 1 else ""
    return words


def _stopped(status):
    print("consort-prepare: stopped; no bundle was made", file=sys.stderr)
    return status


def main(argv=None):
    args = parser().parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:  # nohup
            continue
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # so that the half-made folder goes
    try:
        print(prepare(args))
        return 0
    except PrepareError as error:
        line = error.sentence()
    except OSError as error:
        line = f'could not read or write "{error.filename or args.output}": {(error.strerror or str(error)).lower()}'
    except KeyboardInterrupt:
        return _stopped(130)
    except SystemExit as ended:  # by the signals above
        return _stopped(ended.code)
    except MemoryError:
        line = "out of memory"
    print(f"consort-prepare: {line}", file=sys.stderr)
    return 1
