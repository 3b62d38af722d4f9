"""Convolutions over small images as matrix products: the same numbers, and only where they pay."""

import json
import pathlib

import pytest
import torch
from torch import nn

import small_models
from conftest import MANIFEST, ROOT
from consort_prepare import aoti, precision, products, program as programs


class Deep(nn.Module):
    """Segments of 500 samples as images of 256 x 2 x 2 behind the first layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(500, 1024)
        self.conv = nn.Conv2d(256, 32, 3, padding=1)
        self.norm = nn.BatchNorm2d(32)
        self.bare = nn.Conv2d(32, 8, 1, bias=False)
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        image = torch.relu(self.first(x)).reshape(-1, 256, 2, 2)
        return self.last(self.bare(torch.relu(self.norm(self.conv(image)))).mean((2, 3)))


def deep():
    torch.manual_seed(11)
    model = Deep()
    model.norm.running_mean.normal_()
    model.norm.running_var.uniform_(0.5, 2)
    return model.eval()


def exported(module, *shape):
    with torch.no_grad():
        return torch.export.export(module, (torch.randn(*shape),))


def kinds(program):
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


@pytest.mark.parametrize("kernel, stride, padding, bias", [
    (3, 1, 1, True), (3, 2, 0, False), ((2, 5), (1, 2), (0, 2), True), ((1, 3), 1, 0, True), (3, 1, (2, 1), False)])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_product_gives_what_the_convolution_gives(kernel, stride, padding, bias, batch):
    torch.manual_seed(12)
    conv = nn.Conv2d(600, 7, kernel, stride=stride, padding=padding, bias=bias).eval()
    program = exported(conv, batch, 600, 6, 7)
    other = products.rewritten(program)
    assert not [each for each in kinds(other) if "conv" in each]
    x = torch.randn(batch, 600, 6, 7)
    with torch.no_grad():
        assert torch.allclose(programs.run_exported(other, x), conv(x), atol=1e-4)


def test_its_norm_is_folded_in_and_other_layers_stay():
    model = deep()
    program = exported(model, 1, 500)
    other = products.rewritten(program)
    assert not [each for each in kinds(other) if "batch_norm" in each]
    assert len([each for each in kinds(other) if "conv2d" in each]) == 1  # the one of 1 x 1, which is a product already
    x = torch.randn(1, 500)
    with torch.no_grad():
        assert torch.allclose(programs.run_exported(other, x), model(x), atol=1e-5)
    assert aoti.count_packable(other) == aoti.count_packable(program) == 4


@pytest.mark.parametrize("conv, image", [
    (nn.Conv2d(600, 8, 3, padding=1), (600, 12, 11)),  # 132 positions
    (nn.Conv2d(64, 8, 3), (64, 5, 5)),  # 576 columns
    (nn.Conv2d(600, 8, 1), (600, 5, 5)),
    (nn.Conv2d(600, 8, 3, dilation=2), (600, 5, 5)),
    (nn.Conv2d(600, 8, 3, groups=2), (600, 5, 5)),
    (nn.ConvTranspose2d(600, 8, 3), (600, 5, 5)),
    (nn.Conv1d(600, 8, 3), (600, 25)),
])
def test_what_does_not_pay_is_left_alone(conv, image):
    assert products.rewritten(exported(conv.eval(), 1, *image)) is None


@pytest.mark.parametrize("bits", ["bf16", "int8"])
def test_fewer_bits_work_on_products_too(bits, monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "missing", lambda *_: None)
    torch.manual_seed(13)
    path = str(tmp_path / "deep.pt")
    torch.jit.save(torch.jit.trace(deep(), torch.randn(1, 500)), path)
    program = programs.load(path, torch.randn(1, 500))
    inputs = [torch.randn(1, 500) for _ in range(8)]
    lowered = precision.lower(program, inputs, bits, rewrite=products.rewritten)
    assert len([each for each in kinds(lowered) if "conv2d" in each]) == 1
    expected, got = (torch.cat([programs.run_exported(each, x) for x in inputs]) for each in (program.exported, lowered))
    assert not torch.equal(got, expected)
    assert (got - expected).abs().max() < 0.2 * expected.std()


def test_a_variant_that_is_asked_for_must_be_possible(workshop):
    workshop.backend = "auto"
    outcome = workshop.write(small_models.Plain()).prepare("--variant", "products")
    assert outcome.status == 1
    assert "the model has no convolutions with many channels over small images" in outcome.err


def test_the_variant_that_is_asked_for_is_made_alone(workshop):
    workshop.backend = "auto"
    torch.jit.save(torch.jit.trace(deep(), torch.randn(1, 500)), workshop.model)
    workshop.write_manifest(MANIFEST)
    (workshop.folder / "labels.txt").write_text("a\nb\nc\n")
    outcome = workshop.prepare("--variant", "products")  # which holds its answers against the model's
    assert outcome.status == 0, outcome.err
    made, = workshop.prepared()["variants"]
    assert made["name"] == "products" and made["packed"] > 0


def test_prepare_tries_them_by_itself_where_there_are_some():
    bundle = pathlib.Path(ROOT) / "build/bundles/cnn14-quarter"
    if not bundle.exists():
        pytest.fail(f"no {bundle}; make it: tools/models/make cnn14-quarter")
    variants = {each["name"]: each for each in json.loads((bundle / "model.json").read_text())["prepared"]["variants"]}
    assert list(variants) == ["packed", "products", "unpacked", "unfrozen"]
    assert variants["products"]["packed"] == variants["packed"]["packed"] == 14
