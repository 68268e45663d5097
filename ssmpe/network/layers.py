"""Layers of the network, with what training keeps of them and passes over memory held low.

Every layer computes what PyTorch's own modules compute; ``tests/network/test_layers.py`` compares
them.
Activations are (B, C, T, F) in channels-last memory, physically (B, T, F, C).
"""

import math
import threading
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ssmpe.network.convolution import convolution, convolution_gradients

_LOG2_E = 1.0 / math.log(2.0)
_kept = threading.local()


def elu_(x: Tensor) -> Tensor:
    """Replace a tensor by its ELU; PyTorch cannot differentiate through it.

    On CPUs the exponential of two takes half of the time of PyTorch's ELU, which takes care of
    digits that are lost here below an absolute error of 1e-7.
    """
    if x.device.type != "cpu" or x.dtype == torch.float64 or not _is_dense(x):
        return F.elu(x, inplace=True)
    negative = _scratch(x, torch.float32)
    if x.dtype == torch.float32:
        torch.mul(x, _LOG2_E, out=negative)
    else:  # the difference to 1 needs digits that x does not have
        negative.copy_(x).mul_(_LOG2_E)
    negative.clamp_(max=0.0).exp2_().sub_(1.0)
    if x.dtype != torch.float32:
        negative = _scratch(x, x.dtype).copy_(negative)
    # exp(x) - 1 >= x: the larger of the two is the ELU on both sides of 0
    return torch.maximum(x, negative, out=x)


def _is_dense(x: Tensor) -> bool:
    """Tell whether a tensor fills its memory, in either order of axes."""
    return x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last)


def _scratch(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return memory for a tensor like x, valid until the next call of this thread.

    It is the same again and again, and so mostly in the caches, where new memory is not.
    """
    buffers: dict[torch.dtype, Tensor] = _kept.__dict__.setdefault("buffers", {})
    if dtype not in buffers or buffers[dtype].numel() < x.numel():
        buffers[dtype] = torch.empty(x.numel(), dtype=dtype)
    return buffers[dtype].as_strided(x.shape, x.stride())


class _Elu(torch.autograd.Function):
    """The ELU in its place, with its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = elu_(x)
        ctx.mark_dirty(x)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (out,) = ctx.saved_tensors
        return _elu_gradient(gradient, out)


class FrameNorm(nn.Module):
    """Layer norm over (frequency, channel) of every frame of (B, C, T, F), then an ELU if asked."""

    def __init__(self, c: int, n: int, elu: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n, c))
        self.bias = nn.Parameter(torch.zeros(n, c))
        self.elu = elu

    def forward(self, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1)
        out = F.layer_norm(rows, self.weight.shape, self.weight, self.bias)
        if self.elu:  # not of a permuted view: its gradient would be copied to another layout
            out = _Elu.apply(out)
        return out.permute(0, 3, 1, 2)


class FramesToLatent(nn.Conv2d):
    """Convolution over all of frequency, (B, C, T, F) to (B, D, T, 1): one product of matrices."""

    def forward(self, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1).flatten(2)
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)
        return F.linear(rows, weight, self.bias).transpose(1, 2).unsqueeze(-1)


class LatentToFrames(nn.ConvTranspose2d):
    """Transposed convolution over all of frequency, (B, D, T, 1) to (B, C, T, F)."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        assert self.bias is not None
        n = self.weight.shape[-1]
        weight = self.weight.permute(2, 3, 1, 0).flatten(0, 2)
        rows = F.linear(x.squeeze(-1).transpose(1, 2), weight, self.bias.repeat(n))
        return rows.unflatten(-1, (n, -1)).permute(0, 3, 1, 2)


class Upsampling(nn.ConvTranspose2d):
    """Transposed convolution over 4 bins with stride 2, (B, C, T, F) to (B, D, T, 2 F + 2 or 3).

    Two adjacent bins of the output depend on two of the input: it is a convolution with twice the
    channels, which come to lie side by side. Transposed ones of one row take PyTorch's slow paths
    on CPUs.
    """

    def __init__(self, c: int, c_next: int, missing: int) -> None:
        super().__init__(c, c_next, (1, 4), stride=(1, 2), output_padding=(0, missing))

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        assert self.bias is not None
        # of the four taps, the first two are of the later bin of the input
        taps = self.weight.squeeze(2).unflatten(2, (2, 2)).flip(2)  # (C, D, bin, parity)
        weight = taps.permute(3, 1, 0, 2).flatten(0, 1).unsqueeze(2)
        rows = F.conv2d(x, weight, self.bias.repeat(2), padding=(0, 1)).permute(0, 2, 3, 1)
        b, t, f, _ = rows.shape
        rows = rows.reshape(b, t, 2 * f, -1)
        if self.output_padding[1]:  # nothing reaches the last bin
            rows = torch.cat([rows, self.bias.to(rows.dtype).expand(b, t, 1, -1)], dim=2)
        return rows.permute(0, 3, 1, 2)


class ResidualBlock(nn.Module):
    """x + ELU(1 x 1 convolution of ELU(3 x 3 convolution of x, dilated))."""

    def __init__(self, c: int, dilation: int) -> None:
        super().__init__()
        self.dilated = nn.Conv2d(c, c, 3, padding=dilation, dilation=dilation)
        self.pointwise = nn.Conv2d(c, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        wide, point = self.dilated, self.pointwise
        dilation = wide.dilation[0]
        out: Tensor = _Residual.apply(x, wide.weight, wide.bias, point.weight, point.bias, dilation)
        return out


class _Residual(torch.autograd.Function):
    """The residual block as one step, which keeps two tensors for the gradient instead of three."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, wide: Tensor, wide_bias: Tensor, point: Tensor, bias: Tensor, d: int
    ) -> Tensor:
        inner = elu_(convolution(x, wide, wide_bias, d))
        change = elu_(convolution(inner, point, bias))
        ctx.dilation = d
        if change.dtype == x.dtype == torch.float32:
            # the input of the next block, which that keeps: the change is what it has more than x
            out = change.add_(x)
            ctx.save_for_backward(x, wide, point, inner, out)
        else:  # of fewer digits than the sum
            out = x + change
            ctx.save_for_backward(x.to(change.dtype), wide, point, inner, change)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, wide, point, inner, kept = ctx.saved_tensors
        change = kept - x if kept.dtype == torch.float32 else kept
        at_change = _elu_gradient(gradient.to(change.dtype), change)
        at_inner, *of_point = convolution_gradients(at_change, inner, point)
        at_wide = _elu_gradient(at_inner, inner)
        at_x, *of_wide = convolution_gradients(at_wide, x, wide, ctx.dilation)
        return gradient + at_x, *of_wide, *of_point, None


def _elu_gradient(gradient: Tensor, out: Tensor) -> Tensor:
    """Return the gradient with respect to the input of an ELU.

    Args:
        gradient: with respect to its output.
        out: the output itself.
    """
    found: Tensor = torch.ops.aten.elu_backward(gradient, 1.0, 1.0, 1.0, True, out)
    return found
