"""Convolutions of bins taken together against PyTorch's own."""

import pytest
import torch
from torch.nn import functional as F

from ssmpe.network.convolution import (
    _apart,
    _bins_together,
    _together,
    convolution,
    convolution_gradients,
)

CASES = {
    # channels in and out, bins, size, dilation: bins taken together
    (2, 2, 176, 3, 1): 8,
    (2, 2, 176, 3, 3): 8,
    (2, 2, 14, 3, 3): 7,
    (2, 2, 22, 3, 3): 1,  # two together would reach beyond their neighbours
    (2, 2, 22, 3, 2): 2,
    (4, 4, 87, 3, 3): 3,
    (8, 8, 42, 3, 2): 2,
    (8, 8, 42, 3, 3): 1,
    (8, 8, 42, 1, 1): 2,
    (2, 1, 176, 3, 1): 8,
    (6, 2, 176, 3, 1): 2,
    (16, 16, 20, 3, 1): 1,
    (32, 32, 9, 1, 1): 1,
    (2, 2, 177, 1, 1): 3,
    (2, 2, 179, 3, 1): 1,
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_values_and_gradients_are_those_of_a_plain_convolution(case, memory_format):
    c, d, n_bins, size, dilation = case
    torch.manual_seed(0)
    x = torch.randn(3, c, 5, n_bins).to(memory_format=memory_format)
    weight, bias = torch.randn(d, c, size, size).to(memory_format=memory_format), torch.randn(d)
    given = [t.clone().requires_grad_() for t in (x, weight, bias)]
    wanted = F.conv2d(given[0], given[1], given[2], padding="same", dilation=dilation)
    gradient = torch.randn_like(wanted)
    wanted.backward(gradient)
    torch.testing.assert_close(convolution(x, weight, bias, dilation), wanted)
    found = convolution_gradients(gradient, x, weight, dilation)
    for ours, theirs in zip(found, given, strict=True):
        torch.testing.assert_close(ours, theirs.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_bins_taken_together(case):
    c, d, n_bins, size, dilation = case
    x, weight = torch.empty(1, c, 1, n_bins), torch.empty(d, c, size, size)
    assert _bins_together(x, weight, dilation) == CASES[case]
    assert _bins_together(x.to("meta"), weight, dilation) == 1  # other devices


def test_neighbours_in_memory_are_taken_together_without_a_copy():
    x = torch.empty(3, 2, 5, 176).to(memory_format=torch.channels_last)
    together = _together(x, 8)
    assert together.shape == (3, 16, 5, 22)
    assert together.data_ptr() == _apart(together, 8).data_ptr() == x.data_ptr()
    assert together.is_contiguous(memory_format=torch.channels_last)
