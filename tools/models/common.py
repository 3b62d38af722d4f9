"""What the models' scripts share: MODEL.pt or MODEL.pt2 with its manifest and labels beside it."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "prepare"))


def save(out, module, manifest, labels):
    """`module`: TorchScript, or an exported program, which is written by torch.export.save."""
    import torch
    stem = os.path.splitext(out)[0]
    labels_path = stem + ".labels.txt"
    with open(labels_path, "w", encoding="utf-8") as file:
        file.writelines(label + "\n" for label in labels)
    manifest = {**manifest, "output": {**manifest["output"], "labels": os.path.basename(labels_path)}}
    with open(stem + ".json", "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2)
        file.write("\n")
    temporary = stem + ".tmp" + os.path.splitext(out)[1]  # torch.export.save wants the extension
    if isinstance(module, torch.export.ExportedProgram):
        torch.export.save(module, temporary)
    else:
        torch.jit.save(module, temporary)
    os.replace(temporary, out)  # the model last: it is there when all is there
