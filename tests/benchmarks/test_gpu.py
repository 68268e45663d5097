"""What is measured on GPUs alone, on a stand-in for one: that it runs, and trains both ways."""

import pytest
import torch

from ssmpe.config.presets import tiny
from tests.benchmarks import gpu
from tests.benchmarks.timing import NotMeasurableError
from tests.support.elsewhere import device


def test_a_batch_is_timed_on_a_device_both_ways_and_against_its_convolutions():
    found = gpu.measure_time(1, gpu.Place(device(), tiny(), 2, 1))
    assert found["seconds"] > 0
    assert found["yardstick"] > 0
    # of so small a batch on a busy machine, it may be any number
    assert found["share of its convolutions"] > 0


@pytest.mark.long
def test_trials_beside_each_other_keep_their_losses(world):
    found = gpu.measure_packing("tiny", "cpu", (1, 2))
    assert found["same losses"] == 1
    assert found["2 at a time, batches/s"] > 0


def test_trials_that_cannot_begin_are_said_not_to(world, capfd):
    with pytest.raises(NotMeasurableError, match="of 2 trials of the preset huge, not all could"):
        gpu.measure_packing("huge", "cpu", (2,))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    with pytest.raises(NotMeasurableError, match="no GPU"):
        gpu.measure_time(1)
