"""The comparison with basic-pitch: its posterior is read at its own times."""

import numpy as np

from tests.benchmarks.basic_pitch import _at


def test_the_nearest_frame_is_read_by_the_posterior_s_own_times():
    own = np.asarray(np.arange(6000) * 0.01155, np.float64)  # a little less than 256 / 22050
    posterior = np.zeros((6000, 88), np.float32)
    posterior[5000, 69 - 21] = 0.6
    near = np.array([-0.0059, -0.0056, 0.0, 0.0056, 0.0059])
    times = np.asarray(own[5000] + near, np.float64)
    found = [frame.tolist() for frame in _at((posterior, own), 0.5, times)]
    assert found == [[], [440.0], [440.0], [440.0], []]
    assert not any(len(frame) for frame in _at((posterior, own), 0.7, times))
    assert len(_at((posterior, own), 0.5, np.array([0.0, 1e9]))) == 2
