"""Which variant of the compiled code is the fastest on this CPU.

Packing weights does not pay for every model, and neither do batches: so each is compiled, checked,
timed with the others taking turns, one thread, and the fastest kept. All figures are recorded.
"""

import dataclasses
import os
import shutil

from . import aoti, bundle
from .children import Child, ChildFailed
from .errors import PrepareError
from .program import NotConvertible
from .workbench import Compiler, Runner

BATCHES = (4, 8)  # that --batch auto tries
WORTH_A_CHANGE = 1.03  # times as fast: less is noise, and the same model is to give the same bundle
WORTH_A_BATCH = 1.10  # times as fast: less is not worth that segments wait for each other
SECONDS = float(os.environ.get("CONSORT_PREPARE_SECONDS", "3"))  # of timing for each variant


NO_BATCH = "leave --batch out, or say --batch auto"


class DoesNotCompile(Exception):
    """Of a model that would be fine in TorchScript; its text is one clause."""


@dataclasses.dataclass
class Made:
    """A variant, compiled and checked."""
    variant: str
    batch: int
    folder: str
    packed: int
    sha256: str  # of code and weights
    ms: float = 0.0

    @property
    def name(self):
        return self.variant if self.batch == 1 else f"{self.variant}-batch{self.batch}"


@dataclasses.dataclass
class Found:
    best: Made
    all: list
    packable: int

    def to_json(self):
        return [{"name": each.name, "batch": each.batch, "ms_per_segment": float(f"{each.ms:.4g}"), "packed": each.packed,
                 "chosen": each is self.best} for each in self.all]


def fastest(made):
    """Of variants in the order of preference: a later one must be clearly faster than the first."""
    least = min(each.ms for each in made)
    return next(each for each in made if each.ms <= least * WORTH_A_CHANGE)


def find(model_path, manifest, options, scratch, progress):
    """Compiles in `scratch`; the best one's folder holds code/, weights.bin, weights.json."""
    log = os.path.join(scratch, "log.txt")
    maker = lambda: Compiler(model_path, manifest, options, options.calibrate, scratch)
    with Child(maker, log) as compiler:
        search = _Search(compiler, model_path, manifest, options, scratch, progress, log)
        return search.run()


class _Search:
    def __init__(self, compiler, model_path, manifest, options, scratch, progress, log):
        self._compiler, self._options, self._scratch, self._progress = compiler, options, scratch, progress
        self._stateful = manifest["stateful"]
        self._runner = lambda: Child(lambda: Runner(model_path, manifest), log)

    def run(self):
        options = self._options
        batch = 1 if options.batch == "auto" else options.batch
        self._step("converting", "load")
        if options.precision == "int8":
            self._step("calibrating", "calibrate")
        packable = self._lower(batch)
        names = ["unpacked", "unfrozen"] if options.portable else list(aoti.VARIANTS)
        if self._stateful:
            names = [aoti.STATEFUL_VARIANT]
        made, problems = [], []
        for variant in [options.variant] if options.variant else names[:1] if options.fast else names:
            if variant == aoti.PRODUCTS and not self._has_products(batch):
                if options.variant:
                    raise PrepareError("the model has no convolutions with many channels over small images", "leave out --variant products")
                continue
            try:
                new = self._make(variant, batch)
            except (ChildFailed, PrepareError) as error:
                if isinstance(error, PrepareError) and not self._stateful:
                    raise
                problems.append((variant, str(error)))
                continue
            if all(new.sha256 != each.sha256 for each in made):  # int8 is packed whatever is asked for
                made.append(new)
        if not made:
            raise DoesNotCompile(f"{bundle.DOES_NOT_COMPILE}: {problems[0][1]}")
        for variant, reason in problems:
            self._progress.say(f"the variant {variant} is left out, it does not compile: {reason}")
        self._time(made)
        best = fastest(made)
        self._progress.say(_words(made, best))
        if best.variant in ("packed", aoti.PRODUCTS) and best.packed < packable:
            self._progress.say(f"warning: {best.packed} of {packable} weights are packed; the others are put in order again for every segment")
        if batch > 1:
            self._demand_independence(best)
        elif options.batch == "auto" and not self._stateful:
            best = self._try_batches(best, made)
        return Found(best, made, packable)

    def _lower(self, batch):
        precision = self._options.precision
        try:
            return self._step("lowering" if precision == "fp32" else f"lowering to {precision}", "lower", batch)
        except NotConvertible as error:
            if batch == 1:
                raise
            raise PrepareError(f"the model cannot be compiled for a batch of {batch}: {error.reason}", NO_BATCH) from None

    def _has_products(self, batch):
        """A model that cannot be lowered so is none the worse."""
        try:
            return self._step("looking for convolutions over small images", "lower_with_products", batch)
        except (ChildFailed, PrepareError) as error:
            self._progress.say(f"the variant {aoti.PRODUCTS} is left out: {error}")
            return False

    def _make(self, variant, batch):
        folder = os.path.join(self._scratch, f"{variant}-{batch}")
        packed = self._step(f"compiling {variant}" + (f", batch {batch}" if batch > 1 else ""), "compile", variant, batch, folder)
        made = Made(variant, batch, folder, packed, _sha256(folder))
        with self._runner() as runner:
            runner.call("check", folder, batch, self._options.precision == "fp32")
        return made

    def _time(self, made):
        with self._runner() as runner, self._progress.step(f"timing {_listed([each.name for each in made])}") as tick:
            found = runner.call("time", [(each.folder, each.batch) for each in made], SECONDS, tick=tick)
        for each, ms in zip(made, found):
            each.ms = ms

    def _independent(self, made):
        with self._runner() as runner:
            return runner.call("independent", made.folder, made.batch)

    def _demand_independence(self, best):
        if not self._independent(best):
            raise PrepareError(f"the model cannot be compiled for a batch of {best.batch}: "
                               "a segment's last bits would depend on what else is in it", NO_BATCH)

    def _try_batches(self, best, made):
        wider = []
        for batch in BATCHES:
            try:
                self._step(f"lowering, batch {batch}", "lower", batch)
                if best.variant == aoti.PRODUCTS and not self._has_products(batch):
                    continue
                wider.append(self._make(best.variant, batch))
            except (ChildFailed, PrepareError) as error:  # NotConvertible, too
                self._progress.say(f"no batch of {batch}: {error}")
        if not wider:
            return best
        self._time([best, *wider])
        made += wider
        winner = min([best, *wider], key=lambda each: each.ms)
        for each in sorted(wider, key=lambda each: each.ms):
            if each.ms * WORTH_A_BATCH < best.ms:
                if self._independent(each):
                    winner = each
                    break
                self._progress.say(f"no batch of {each.batch}: a segment's last bits depend on what else is in it")
        else:
            winner = best
        self._progress.say(_words([best, *wider], winner))
        return winner

    def _step(self, what, method, *args):
        with self._progress.step(what) as tick:
            return self._compiler.call(method, *args, tick=tick)


def _sha256(folder):
    return "".join(bundle.file_sha256(os.path.join(folder, name))
                   for name in ("weights.bin", "weights.json", os.path.join(aoti.CODE, aoti.INSIDE, "model.so")))


def take(found, folder):
    """Puts the best one's files into the bundle's folder."""
    for name in (aoti.CODE, "weights.bin", "weights.json"):
        shutil.move(os.path.join(found.best.folder, name), os.path.join(folder, name))


def _words(made, best):
    figures = ", ".join(f"{each.name} {_figure(each.ms)}" + (" ms a segment" if n == 0 else "") for n, each in enumerate(made))
    return f"{figures}: {best.name} kept" if len(made) > 1 else figures


def _figure(ms):
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.3g}"


def _listed(names):
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
