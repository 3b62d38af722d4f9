"""A TorchScript model for one core, as Python users load it."""

import torch


def add_options(parser):
    parser.add_argument("--optimize", action="store_true", help="torch.jit.freeze and optimize_for_inference")
    parser.add_argument("--bf16", action="store_true", help="weights and activations in bfloat16")


def load(args):
    torch.set_num_threads(1)
    module = torch.jit.load(args.model).eval()
    if args.bf16:
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.data = tensor.data.bfloat16()
    if args.optimize:
        module = torch.jit.optimize_for_inference(torch.jit.freeze(module))

    @torch.inference_mode()
    def forward(features):
        if args.bf16:
            return module(features.bfloat16()).float().numpy()
        return module(features).numpy()

    return forward
