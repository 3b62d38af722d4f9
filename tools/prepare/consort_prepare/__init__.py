"""consort-prepare: from a TorchScript file and a manifest to a bundle that `consort run` takes.

The way: manifest.py (what the model hears and says) -> torchscript.py (the code, its tensors taken
out) -> weights.py (weights.bin and its table) -> checks.py (the model is run, and must keep what
its manifest says) -> bundle.py (the folder, put in place at once).
frontend.py is the reference of what `consort run` does to the sound before the model.
"""

# Counts changes of what a bundle contains: a bundle of another version is made again.
PREPARE_VERSION = 2
