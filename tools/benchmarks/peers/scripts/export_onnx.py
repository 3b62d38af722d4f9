"""A TorchScript Cnn14 as ONNX, any number of segments at once, checked: export_onnx.py MODEL.pt OUT.onnx"""

import os
import sys

import torch

from work import BANDS, FRAMES

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "models")
MOST_DIFFERENCE = 1e-4


def main(path, out):
    sys.path.insert(0, MODELS)
    import onnxruntime
    from cnn14 import Cnn14
    original = torch.jit.load(path).eval()
    state = original.state_dict()
    module = Cnn14(state["blocks.0.conv1.weight"].shape[0]).eval()
    module.load_state_dict(state)
    features = torch.randn(3, 1, FRAMES, BANDS) - 2
    partial = out + ".partial.onnx"
    torch.onnx.export(module, (features,), partial, dynamo=True, external_data=False, verbose=False,
                      dynamic_shapes=({0: torch.export.Dim("segments", min=1, max=64)},))
    session = onnxruntime.InferenceSession(partial, providers=["CPUExecutionProvider"])
    got = session.run(None, {session.get_inputs()[0].name: features.numpy()})[0]
    with torch.inference_mode():
        worst = abs(got - original(features).numpy()).max()
    if not worst <= MOST_DIFFERENCE:
        sys.exit(f"export_onnx: scores of {out} differ by {worst}")
    os.replace(partial, out)


if __name__ == "__main__":
    main(*sys.argv[1:3])
