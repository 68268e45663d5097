"""Convolutions that keep the size, fast also where there are few channels.

Activations are (B, C, T, F) in channels-last memory, physically (B, T, F, C). Processors handle as
many numbers at once as a vector holds, and convolutions fill it with channels. Where there are
fewer, adjacent bins are taken for channels of one bin: in memory they are that already. The weights
of such a convolution are those of the given one, and zeros between them; the zeros cost less than
vectors that are not full (measured in ``tests/benchmarks/README.md``).
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

VECTOR = 16
"""Number of channels that fill a vector, in float32 with AVX-512."""


def convolution(x: Tensor, weight: Tensor, bias: Tensor, dilation: int = 1) -> Tensor:
    """Convolve (B, C, T, F) to (B, D, T, F), with zeros around.

    PyTorch cannot differentiate through it; ``convolution_gradients`` is its gradient.

    Args:
        weight: (D, C, S, S) with S odd.
        bias: (D,)
        dilation: of both axes.
    """
    k = _bins_together(x, weight, dilation)
    if k == 1:
        return F.conv2d(x, weight, bias, padding="same", dilation=dilation)
    many = _spread(weight, k, dilation)
    padding, steps = _padding(weight, k, dilation)
    out = F.conv2d(_together(x, k), many, bias.repeat(k), padding=padding, dilation=steps)
    return _apart(out, k)


def convolution_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, dilation: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients with respect to the input, weight and bias of ``convolution``.

    Args:
        gradient: (B, D, T, F), with respect to its output.
    """
    k = _bins_together(x, weight, dilation)
    many = weight.to(x.dtype)
    if k > 1:
        many, x, gradient = _spread(many, k, dilation), _together(x, k), _together(gradient, k)
    padding, steps = _padding(weight, k, dilation)
    at_x, at_weight, at_bias = torch.ops.aten.convolution_backward(
        gradient,
        x,
        many,
        [many.shape[0]],
        [1, 1],
        padding,
        steps,
        False,
        [0, 0],
        1,
        [True, True, True],
    )
    at_weight, at_bias = at_weight.to(weight.dtype), at_bias.to(weight.dtype)
    if k > 1:
        at_x, at_bias = _apart(at_x, k), at_bias.unflatten(0, (k, -1)).sum(0)
        at_weight = _gathered(at_weight, weight.shape, k, dilation)
    return at_x, at_weight, at_bias


def _bins_together(x: Tensor, weight: Tensor, dilation: int) -> int:
    """Return how many adjacent bins are taken for channels of one."""
    if x.device.type != "cpu":
        return 1
    most, reach = VECTOR // max(weight.shape[:2]), dilation * (weight.shape[-1] // 2)
    # a bin then depends on its group and the next to either side
    fitting = [k for k in range(max(2, reach), most + 1) if x.shape[-1] % k == 0]
    return max(fitting, default=1)


def _padding(weight: Tensor, k: int, dilation: int) -> tuple[list[int], list[int]]:
    """Return padding and dilation, along time and frequency, of the convolution as computed."""
    reach = weight.shape[-1] // 2
    along_bins = dilation if k == 1 else 1
    return [dilation * reach, along_bins * reach], [dilation, along_bins]


def _together(x: Tensor, k: int) -> Tensor:
    """Return (B, C, T, F) as (B, k C, T, F / k): k bins together."""
    b, c, t, f = x.shape
    return x.permute(0, 2, 3, 1).reshape(b, t, f // k, k * c).permute(0, 3, 1, 2)


def _apart(x: Tensor, k: int) -> Tensor:
    """Undo ``_together``."""
    b, c, t, f = x.shape
    return x.permute(0, 2, 3, 1).reshape(b, t, f * k, c // k).permute(0, 3, 1, 2)


def _spread(weight: Tensor, k: int, dilation: int) -> Tensor:
    """Return weights (D, C, S, S) as those (k D, k C, S, S) of k bins together."""
    padded = torch.cat([weight.flatten(), weight.new_zeros(1)])
    return padded[_sources(weight.shape, k, dilation)]


def _gathered(at_many: Tensor, shape: torch.Size, k: int, dilation: int) -> Tensor:
    """Return the gradient with respect to weights, from that with respect to ``_spread`` ones."""
    n = shape.numel()
    sources = _sources(shape, k, dilation).flatten()
    return at_many.new_zeros(n + 1).index_add_(0, sources, at_many.flatten())[:n].view(shape)


@lru_cache
def _sources(shape: torch.Size, k: int, dilation: int) -> Tensor:
    """Return which weight stands at each place (k D, k C, S, S) of k bins together.

    Weights are numbered from 0; the number after the last stands for a zero.
    """
    size = shape[-1]
    out_bin, in_bin = torch.arange(k)[:, None, None], torch.arange(k)[None, :, None]
    group = torch.arange(size) - size // 2
    distance = group * k + in_bin - out_bin  # (k, k, S) bins
    tap = torch.div(distance, dilation, rounding_mode="floor") + size // 2
    exists = (distance % dilation == 0) & (tap >= 0) & (tap < size)
    numbers = torch.arange(shape.numel()).view(shape)[..., tap.clamp(0, size - 1)]
    numbers = torch.where(exists, numbers, shape.numel())  # (D, C, S, k, k, S)
    return numbers.permute(3, 0, 4, 1, 2, 5).reshape(k * shape[0], k * shape[1], size, size)
