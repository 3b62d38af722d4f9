"""The scores of a list of files in plain Python: what `consort run` is compared with.

    reference.py MODEL.pt [--manifest FILE] [--each-alone] FILE... > reference.jsonl

Decodes with soundfile, resamples the whole file with soxr HQ, then cuts; with --each-alone each
segment is resampled by itself with context, as the worker does it. The original model scores, not
a bundle. Nothing is shared with the C++ but the manifest's words.
"""

import argparse
import json
import os
import sys
from typing import List, NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "prepare"))


class Scored(NamedTuple):
    file: str
    start_ms: int
    end_ms: int
    scores: "torch.Tensor"  # one for each label, after the manifest's activation, unrounded


class Reference:
    """A model and its manifest; files scored one after another, with one thread."""

    def __init__(self, model_path, manifest_path=None):
        import torch
        from consort_prepare import frontend, manifest, torchscript
        torch.set_num_threads(1)
        manifest_path = manifest_path or os.path.splitext(model_path)[0] + ".json"
        self.manifest = manifest.read_manifest(manifest_path)
        self.labels = manifest.read_labels(self.manifest, manifest_path)
        self._frontend_module = frontend
        self._features = frontend.Frontend(self.manifest)
        self._model = torchscript.load(model_path)

    def score(self, file, each_alone=False) -> List[Scored]:
        import torch
        frontend = self._frontend_module
        cut = frontend.segments_each_alone if each_alone else frontend.segments_of_whole_file
        found = []
        with torch.inference_mode():
            for start_ms, end_ms, samples in cut(file, self.manifest["audio"]):
                raw = self._model(self._features(samples)).reshape(-1).clone()
                scores = frontend.activated(raw, self.manifest["output"]["activation"])
                found.append(Scored(file, start_ms, end_ms, scores))
        return found

    def tags(self, scores):
        """[(label, score)]: those that reach the threshold, the top_k by score, ties by label's bytes."""
        output = self.manifest["output"]
        values = scores.tolist()
        reached = [n for n, score in enumerate(values) if score >= output["threshold"]]
        reached.sort(key=lambda n: (-values[n], self.labels[n].encode()))
        return [(self.labels[n], values[n]) for n in reached[:output["top_k"]]]

    def line(self, scored):
        """As `consort run` writes it."""
        tags = ",".join(f'{{"label":{json.dumps(label, ensure_ascii=False)},"score":{score:.4f}}}'
                        for label, score in self.tags(scored.scores))
        return (f'{{"file":{json.dumps(scored.file, ensure_ascii=False)},"start":{scored.start_ms / 1000:.3f},'
                f'"end":{scored.end_ms / 1000:.3f},"tags":[{tags}]}}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--manifest")
    parser.add_argument("--each-alone", action="store_true")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    reference = Reference(args.model, args.manifest)
    for file in args.files:
        for scored in reference.score(file, args.each_alone):
            print(reference.line(scored))


if __name__ == "__main__":
    main()
