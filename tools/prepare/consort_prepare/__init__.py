"""consort-prepare: from a model and a manifest to a bundle that `consort run` takes.

The way: cli.py -> manifest.py (what the model hears and says) -> checks.py (the model is run, and must
keep what its manifest says) -> making.py, by one of two backends:
- aoti: variants.py has program.py (the model as a graph), precision.py and aoti.py (compiled, its
  constants taken out) make some variants, and workbench.py check and time them, in processes of
  their own (children.py);
- torchscript: torchscript.py (the code, its tensors taken out);
A second model that takes what the first gives (--post) becomes one with it: given.py, post.py;
then verify.py (the drift, by opening.py) -> bundle.py (the folder, put in place at once). weights.py is weights.bin
and its table; frontend.py the reference of what `consort run` does to the sound before the model.
"""

# Counts changes of what a bundle contains: a bundle of another version is made again.
PREPARE_VERSION = 4
