"""Convolutions over small images as matrix products.

Deep in a network of convolutions images are small and channels many: 2048 over 9 x 2, say. There a
convolution reads a hundred megabytes of weights to make eighteen positions, and oneDNN's kernels,
which go along an image's rows, keep a CPU's multipliers half idle (two positions at a time). The
same numbers as one product: a row for each position, holding all that its kernel sees (im2col),
times the weights. The rows are small where images are; the weights are read once, at the memory's speed.
"""

import torch
import torch.nn.functional as F

from . import graphs, program as programs

aten = torch.ops.aten
MOST_POSITIONS = 128  # of a segment's image; beyond, convolutions are faster
LEAST_COLUMNS = 1024  # weights for an output channel; below, there is nothing to win


def rewritten(exported):
    """The same program with such convolutions as products, their batch norms folded into them; or
    None if it has none."""
    with programs.quiet(), torch.no_grad():
        module = graphs.fold_norms(graphs.plain(exported))
        chosen = [node for node in module.graph.nodes if _pays(module, node)]
        if not chosen:
            return None
        for node in chosen:
            _replace(module, node)
        module.graph.eliminate_dead_code()
        module.recompile()
        return torch.export.export(module, exported.example_inputs[0])


def _pays(module, node):
    if node.op != "call_function" or node.target != aten.conv2d.default:
        return False
    image, _, _, _, _, dilation, groups = _arguments(node)
    result = node.meta.get("val")
    if not isinstance(result, torch.Tensor) or result.dim() != 4 or node.args[1].op != "get_attr":
        return False
    if not isinstance(image.meta.get("val"), torch.Tensor) or dilation != [1, 1] or groups != 1:
        return False
    channels, height, width = graphs.constant(module, node.args[1]).shape[1:]
    return (height * width > 1 and channels * height * width >= LEAST_COLUMNS
            and result.shape[2] * result.shape[3] <= MOST_POSITIONS)


def _arguments(node):
    """x, weight, bias, stride, padding, dilation, groups: with the defaults of aten.conv2d."""
    given = [*node.args, *[None, None, None, [1, 1], [0, 0], [1, 1], 1][len(node.args):]]
    return [*given[:3], *(_pair(each) for each in given[3:6]), given[6]]


def _pair(numbers):
    numbers = list(numbers)
    return numbers * 2 if len(numbers) == 1 else numbers


def _replace(module, node):
    image, weight, bias, stride, padding, _, _ = _arguments(node)
    kernels = graphs.constant(module, weight)
    name = f"product_{node.name}_weight"
    rows = kernels.permute(0, 2, 3, 1).reshape(kernels.shape[0], -1).contiguous()
    module.register_parameter(name, torch.nn.Parameter(rows, requires_grad=False))
    with module.graph.inserting_before(node):
        product = module.graph.call_function(_product, (image, module.graph.get_attr(name), bias, list(kernels.shape[2:]), stride, padding))
    product.meta = dict(node.meta)
    node.replace_all_uses_with(product)
    module.graph.erase_node(node)


def _product(image, weight, bias, kernel, stride, padding):
    """conv2d of image [B, C, H, W]; weight [O, kernel height x kernel width x C]; gives [B, O, H', W']."""
    padded = F.pad(image, (padding[1], padding[1], padding[0], padding[0])).permute(0, 2, 3, 1)
    batch, height, width, _ = padded.shape
    height = (height - kernel[0]) // stride[0] + 1
    width = (width - kernel[1]) // stride[1] + 1
    seen = [padded[:, i:i + (height - 1) * stride[0] + 1:stride[0], j:j + (width - 1) * stride[1] + 1:stride[1]]
            for i in range(kernel[0]) for j in range(kernel[1])]
    rows = torch.cat(seen, dim=-1).reshape(batch * height * width, -1)
    return F.linear(rows, weight, bias).reshape(batch, height, width, -1).permute(0, 3, 1, 2)
