"""Graphs of exported programs, made ready to be changed."""

import operator

import torch

aten = torch.ops.aten


def plain(exported):
    """The program's graph as a module of its own: without checks of types, which bf16 would fail, and
    with convolutions under one name, however they came into it."""
    module = exported.module(check_guards=False)
    copies = {}  # what follows writes to them; tied ones stay tied
    for child in module.modules():
        for slots in (child._parameters, child._buffers):
            for name, tensor in list(slots.items()):
                if tensor is None:
                    continue
                copy = copies.setdefault(id(tensor), tensor.detach().clone())
                if tensor.is_floating_point():
                    # What came from TorchScript are all buffers, and folding a norm wants parameters.
                    del slots[name]
                    copies[id(tensor)] = child._parameters[name] = torch.nn.Parameter(copy, requires_grad=False)
                else:
                    slots[name] = copy
    graph = module.graph
    for node in list(graph.nodes):
        if node.target == aten._assert_tensor_metadata.default:
            graph.erase_node(node)
        elif node.target == aten.convolution.default:
            x, weight, bias, stride, padding, dilation, transposed, output_padding, groups = node.args
            dims = len(stride)
            if not transposed and not any(output_padding) and dims in (1, 2, 3):
                node.target = getattr(aten, f"conv{dims}d").default
                node.args = (x, weight, bias, stride, padding, dilation, groups)
    module.recompile()
    return module


def fold_norms(module):
    """Batch norms behind a convolution go into its weights, in float32: folded later, in bfloat16, the
    weights would be rounded twice."""
    graph = module.graph
    for norm in list(graph.nodes):
        conv = norm.args[0] if norm.target == aten.batch_norm.default else None
        if conv is None or conv.target not in (aten.conv1d.default, aten.conv2d.default) or len(conv.users) > 1:
            continue
        if norm.args[5] is not False or conv.args[1].op != "get_attr":
            continue
        weight, bias = (constant(module, conv.args[n] if len(conv.args) > n else None) for n in (1, 2))
        gain, shift, mean, variance = (constant(module, arg) for arg in norm.args[1:5])
        scale = torch.rsqrt(variance.double() + norm.args[7])
        scale = scale * gain.double() if gain is not None else scale
        shift = torch.zeros_like(scale) if shift is None else shift.double()
        bias = torch.zeros_like(scale) if bias is None else bias.double()
        folded = {"weight": weight.double() * scale.reshape(-1, *[1] * (weight.dim() - 1)), "bias": (bias - mean.double()) * scale + shift}
        with graph.inserting_before(conv):
            values = []
            for part, value in folded.items():
                name = f"folded_{conv.name}_{part}"
                module.register_parameter(name, torch.nn.Parameter(value.float(), requires_grad=False))
                values.append(graph.get_attr(name))
        conv.args = (conv.args[0], *values, *conv.args[3:])
        norm.replace_all_uses_with(conv)
        graph.erase_node(norm)
    graph.eliminate_dead_code()
    module.recompile()
    return module


def constant(module, node):
    """The tensor that a node fetches; None of None."""
    return None if node is None else operator.attrgetter(node.target)(module)
