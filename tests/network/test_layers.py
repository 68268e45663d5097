"""The network's layers against compositions of PyTorch's own."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssmpe.network.layers import (
    FrameNorm,
    FramesToLatent,
    LatentToFrames,
    ResidualBlock,
    Upsampling,
    elu_,
)


def plain_norm(layer: FrameNorm, x: Tensor) -> Tensor:
    normed = F.layer_norm(x.permute(0, 2, 3, 1), layer.weight.shape, layer.weight, layer.bias)
    return (F.elu(normed) if layer.elu else normed).permute(0, 3, 1, 2)


def plain_residual(layer: ResidualBlock, x: Tensor) -> Tensor:
    return x + F.elu(layer.pointwise(F.elu(layer.dilated(x))))


LAYERS: dict[str, tuple[Any, Any, tuple[int, int]]] = {
    "norm": (lambda: FrameNorm(4, 9, elu=False), plain_norm, (4, 9)),
    "norm and ELU": (lambda: FrameNorm(4, 9), plain_norm, (4, 9)),
    "residual": (lambda: ResidualBlock(4, 1), plain_residual, (4, 9)),
    "dilated residual": (lambda: ResidualBlock(4, 3), plain_residual, (4, 9)),
    "wide residual": (lambda: ResidualBlock(16, 2), plain_residual, (16, 8)),
    "to latent": (lambda: FramesToLatent(4, 6, (1, 9)), nn.Conv2d.forward, (4, 9)),
    "from latent": (lambda: LatentToFrames(4, 6, (1, 9)), nn.ConvTranspose2d.forward, (4, 1)),
    "upsampling": (lambda: Upsampling(4, 6, 0), nn.ConvTranspose2d.forward, (4, 9)),
    "upsampling by one more": (lambda: Upsampling(4, 6, 1), nn.ConvTranspose2d.forward, (4, 9)),
}
"""name: layer, the plain one, channels and bins of its input"""


def results(function, layer: nn.Module, x: Tensor, seed: int = 1) -> list[Tensor]:
    """Output, and gradients of input and weights for a random gradient of the output."""
    layer.zero_grad()
    given = x.clone().requires_grad_()
    out = function(given)
    out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(seed)))
    found = [given.grad, *(p.grad for p in layer.parameters())]
    assert all(gradient is not None for gradient in found)
    return [out.detach(), *(g.clone() for g in found if g is not None)]


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients_are_those_of_the_plain_layer(name, memory_format):
    make, plain, (n_channels, n_bins) = LAYERS[name]
    torch.manual_seed(0)
    layer = make().to(memory_format=memory_format)
    x = torch.randn(2, n_channels, 12, n_bins).to(memory_format=memory_format)
    for ours, theirs in zip(
        results(layer, layer, x), results(lambda x: plain(layer, x), layer, x), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dilation", [1, 2])
def test_in_mixed_precision_a_residual_block_is_as_near_as_the_plain_one(dilation):
    """Both round on the way: neither is further from the block in full precision."""
    torch.manual_seed(0)
    layer = ResidualBlock(8, dilation).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(2, 8, 12, 20).to(memory_format=torch.channels_last)
    exact = results(lambda x: plain_residual(layer, x), layer, x)
    with torch.autocast("cpu", torch.bfloat16):
        ours = results(layer, layer, x)
        theirs = results(lambda x: plain_residual(layer, x), layer, x)
    for a, b, e in zip(ours, theirs, exact, strict=True):
        assert a.dtype == e.dtype
        assert (a - e).norm() < 1.5 * (b - e).norm() + 1e-3 * e.norm()
        assert (a - e).norm() < 0.02 * e.norm()


def test_elu():
    x = torch.cat([torch.linspace(-100, 100, 4001), torch.tensor([0.0, -0.0, 1e-8, -1e-8])])
    torch.testing.assert_close(elu_(x.clone()), F.elu(x), rtol=1e-6, atol=2e-7)
    assert torch.equal(elu_(x.double()), F.elu(x.double()))
    assert elu_(torch.tensor([float("nan")])).isnan().all()
    assert elu_(torch.tensor([float("inf"), -float("inf")])).tolist() == [float("inf"), -1.0]


def test_elu_in_bf16_has_the_digits_of_bf16():
    x = torch.cat([torch.linspace(-20, 20, 4001), torch.linspace(-0.1, 0.1, 4001)]).bfloat16()
    torch.testing.assert_close(elu_(x.clone()), F.elu(x), rtol=2**-8, atol=2e-7)


def test_elus_of_threads_do_not_disturb_each_other():
    given = [torch.randn(1 << 16, generator=torch.Generator().manual_seed(i)) for i in range(8)]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            for x, found in zip(given, threads.map(lambda x: elu_(x.clone()), given), strict=True):
                torch.testing.assert_close(found, F.elu(x), rtol=1e-6, atol=2e-7)


def test_a_residual_block_keeps_two_tensors():
    """Its input, and the inner activation; the output is the input of what follows."""
    layer = ResidualBlock(4, 1)
    x = torch.randn(1, 4, 12, 9, requires_grad=True)
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = layer(x)
    activations = {t.data_ptr() for t in kept if t.shape == out.shape}
    assert len(activations - {x.data_ptr(), out.data_ptr()}) == 1
