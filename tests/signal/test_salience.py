import logging

import numpy as np
import pytest
import torch

from ssmpe.signal.salience import blurred_target, decode, peaks


def test_there_and_back_again(geometry):
    """Pitches at bin centres, not too close, survive blurring and decoding."""
    f0s = [geometry.bin_frequencies[[20, 60, 111]], np.array([]), geometry.bin_frequencies[[5]]]
    target = torch.from_numpy(blurred_target(f0s, geometry))
    for given, found in zip(f0s, decode(target, geometry), strict=True):
        np.testing.assert_allclose(found, given)


def test_every_annotated_bin_is_one_and_its_neighbours_fall_off(geometry):
    target = blurred_target([geometry.bin_frequencies[[50]]], geometry)[:, 0]
    assert target[50] == 1.0
    assert 0 < target[51] < 0.1
    assert target[60] == 0


def test_the_nearest_bin_in_log_frequency(geometry):
    quarter_bin = 2 ** (0.49 / geometry.bins_per_octave)
    target = blurred_target([geometry.bin_frequencies[[50]] * quarter_bin], geometry)
    assert target[:, 0].argmax() == 50


def test_pitches_outside_the_range_are_dropped_with_a_warning(geometry, caplog):
    with caplog.at_level(logging.WARNING):
        target = blurred_target([np.array([20.0, 440.0, 9000.0])], geometry)
    assert "dropped 2 F0s" in caplog.text
    assert (target == 1).sum() == 1
    assert not blurred_target([np.array([9000.0])], geometry).any()


def test_no_pitches_no_target(geometry):
    assert not blurred_target([np.array([])] * 3, geometry).any()
    assert blurred_target([], geometry).shape == (geometry.n_bins, 0)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([0.9, 0.2, 0.1], [0]),
        ([0.1, 0.2, 0.9], [2]),
        ([0.1, 0.5, 0.1], [1]),
        ([0.1, 0.49, 0.1], []),
        ([0.7, 0.7, 0.1], []),
        ([0.9, 0.6, 0.8], [0, 2]),
    ],
)
def test_strict_local_maxima_from_the_threshold_on(column, expected):
    found = peaks(torch.tensor(column)[:, None])
    assert found[:, 0].nonzero().flatten().tolist() == expected


def test_decode_keeps_frames_in_order(geometry):
    salience = torch.zeros(geometry.n_bins, 3)
    salience[10, 0] = salience[[20, 30], 2] = 1
    found = decode(salience, geometry)
    assert [len(f) for f in found] == [1, 0, 2]
    np.testing.assert_allclose(found[2], geometry.bin_frequencies[[20, 30]])
