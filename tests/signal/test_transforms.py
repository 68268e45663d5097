import pytest
import torch

from ssmpe.config.presets import tiny
from ssmpe.signal.features import DYNAMIC_RANGE
from ssmpe.signal.transforms import (
    DRIEST_ROOM,
    LONGEST_ROOM,
    SHORTEST_ROOM,
    WETTEST_ROOM,
    GeometricTransform,
    Transposition,
    curve_bins,
    dropped_harmonics,
    equalization_curves,
    random_equalization,
    reverberated,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def transform(bins: int = 0, frames: int = 0, stretch: float = 1.0) -> GeometricTransform:
    return GeometricTransform(
        torch.tensor([bins]), torch.tensor([frames]), torch.tensor([stretch]).double()
    )


def impulse(bin_index: int, frame: int, n_bins: int = 100, n_frames: int = 40) -> torch.Tensor:
    x = torch.zeros(1, n_bins, n_frames)
    x[0, bin_index, frame] = 1.0
    return x


def test_identity():
    x = torch.rand(1, 3, 50, 40)
    assert torch.equal(transform()(x), x)


@pytest.mark.parametrize("bins", [-24, 0, 24])
@pytest.mark.parametrize("frames", [-10, 0, 10])
def test_a_shifted_input_gives_a_shifted_output(bins, frames):
    moved = transform(bins, frames)(impulse(50, 20))
    assert torch.equal(moved, impulse(50 + bins, 20 + frames))


def test_what_leaves_the_plane_is_gone_and_zeros_come_in():
    assert not transform(bins=60)(impulse(50, 20)).any()
    assert not transform(frames=-25)(impulse(50, 20)).any()
    ones = torch.ones(1, 100, 40)
    assert transform(bins=5, frames=3)(ones).sum() == 95 * 37


def test_channels_move_alike_and_as_a_salience_does():
    x = torch.rand(1, 3, 50, 40)
    change = transform(7, -4, 1.3)
    together = change(x)
    for channel in range(3):
        torch.testing.assert_close(together[:, channel], change(x[:, channel]))


def test_stretch_lengthens_about_the_middle():
    x = torch.zeros(1, 1, 40)
    x[0, 0, 15:25] = 1
    longer, shorter = transform(stretch=2.0)(x), transform(stretch=0.5)(x)
    assert (longer > 0.5).sum() == 20
    assert 4 <= (shorter > 0.5).sum() <= 6
    centre = (torch.arange(40) * longer[0, 0]).sum() / longer.sum()
    assert float(centre) == pytest.approx(19.5, abs=0.6)


def test_stretch_below_one_pads_with_zeros():
    shorter = transform(stretch=0.5)(torch.ones(1, 1, 40))
    assert shorter.sum() == 20
    assert not shorter[0, 0, :10].any()
    assert not shorter[0, 0, 30:].any()


def test_gradients_flow_through():
    x = torch.rand(1, 50, 40, requires_grad=True)
    transform(3, 2, 1.5)(x).sum().backward()
    assert x.grad is not None
    assert x.grad.sum() > 0


def test_draws_stay_in_range_and_reach_its_ends(geometry):
    drawn = GeometricTransform.draw(20_000, 44, geometry, generator())
    assert drawn.shift_bins.min() == -24
    assert drawn.shift_bins.max() == 24
    assert drawn.shift_frames.min() == -11
    assert drawn.shift_frames.max() == 11
    assert drawn.stretch.min() >= 0.5
    assert drawn.stretch.max() < 2.0
    assert float((drawn.stretch < 1).double().mean()) == pytest.approx(0.5, abs=0.02)
    counts = torch.bincount(drawn.shift_bins + 24)
    assert counts.min() > 0.8 * counts.double().mean()


@pytest.mark.parametrize(
    ("strength", "bins", "frames", "stretch"),
    [(0.0, 0, 0, 1.0), (0.5, 12, 5, 2**0.5), (1.5, 36, 16, 2**1.5), (2.0, 48, 22, 4.0)],
)
def test_strength_sets_how_far_draws_reach(geometry, strength, bins, frames, stretch):
    drawn = GeometricTransform.draw(20_000, 44, geometry, generator(), strength)
    for shifts, largest in ((drawn.shift_bins, bins), (drawn.shift_frames, frames)):
        assert (int(shifts.min()), int(shifts.max())) == (-largest, largest)
    assert float(drawn.stretch.min()) == pytest.approx(1 / stretch, abs=1e-3)
    assert float(drawn.stretch.max()) == pytest.approx(stretch, abs=2e-3)


def test_strength_sets_how_deep_curves_fall(geometry):
    ones = torch.ones(5, 6, geometry.n_bins, 1)
    whole, half, none = (
        random_equalization(ones, geometry, generator(4), strength) for strength in (1.0, 0.5, 0.0)
    )
    assert torch.equal(none, ones)
    fall = 1 - whole
    inside = whole > 0  # it may fall below, and is cut off there
    torch.testing.assert_close((1 - half)[inside], 0.5 * fall[inside])
    assert fall.max() > 0.3


def test_strength_sets_how_often_harmonics_are_missing():
    ones = torch.ones(5_000, 6, 1, 1)
    for strength in (0.0, 0.5, 1.0, 1.5):
        missing = 1 - dropped_harmonics(ones, generator(), strength).mean()
        # of all six, one stays: six times the rate, less the chance that all would go
        rate = 0.5 * strength
        assert float(missing) == pytest.approx(rate - rate**6 / 6, abs=0.01)


def test_an_excerpt_s_draw_does_not_depend_on_how_many_there_are(geometry):
    few = GeometricTransform.draw(3, 44, geometry, generator(1))
    many = GeometricTransform.draw(9, 44, geometry, generator(1))
    assert torch.equal(many.shift_bins[:3], few.shift_bins)
    assert torch.equal(many.stretch[:3], few.stretch)
    x = torch.rand(9, 6, geometry.n_bins, 4)
    some = random_equalization(x[:3], geometry, generator(2))
    assert torch.equal(random_equalization(x, geometry, generator(2))[:3], some)


def test_equalization_leaves_the_shape_of_time_and_lies_within_zero_and_one(geometry):
    x = torch.rand(4, 6, geometry.n_bins, 8)
    equalized = random_equalization(x, geometry, generator(3))
    assert equalized.min() >= 0
    assert (equalized <= x + 1e-6).all()
    ratio = equalized / x
    torch.testing.assert_close(ratio[..., 0], ratio[..., 5], atol=1e-4, rtol=1e-3)


def test_equalization_treats_equal_frequencies_of_all_harmonics_alike(geometry):
    ones = torch.ones(1, 6, geometry.n_bins, 1)
    curve = random_equalization(ones, geometry, generator(4))[0, ..., 0]
    one, two = geometry.harmonics.index(1.0), geometry.harmonics.index(2.0)
    octave = geometry.bins_per_octave
    torch.testing.assert_close(curve[two, :-octave], curve[one, octave:])


def test_a_curve_is_one_at_its_centre_and_falls_off(geometry):
    n = curve_bins(geometry)
    curve = equalization_curves(torch.tensor([[1.0]]), torch.tensor([[0.5]]), n)[0]
    assert float(curve.max()) == pytest.approx(1.0, abs=1e-4)
    assert int(curve.argmax()) in (n // 2 - 1, n // 2)
    assert float(curve[0]) == pytest.approx(0.5, abs=0.01)


def test_transpositions_reach_both_ends_and_move_features_as_they_move_salience():
    shift = Transposition.draw(500, 11, generator())
    assert (shift.shift_bins.min(), shift.shift_bins.max()) == (-11, 11)
    x = torch.rand(500, 2, 40, 3)
    assert torch.equal(shift(x)[:, 1], shift(x[:, 1]))
    assert torch.equal(Transposition.draw(5, 11, generator()).shift_bins, shift.shift_bins[:5])


def test_a_room_rings_on_by_a_straight_line_of_decibels():
    g, click = tiny().geometry, torch.zeros(50, 6, 176, 400)
    click[:, :, 50, 3] = 1.0
    heard = reverberated(click, g, generator())
    assert not heard[:, :, :, :3].any(), "before"
    assert not heard[:, :, torch.arange(176) != 50].any(), "at other frequencies"
    decibels = (heard[:, 0, 50].double() - 1.0) * DYNAMIC_RANGE
    falls = decibels[:, 4:6].diff()[:, 0] * g.frame_rate
    seconds = -60.0 / falls
    assert SHORTEST_ROOM <= seconds.min() < 0.4
    assert 1.6 < seconds.max() <= LONGEST_ROOM
    for line, fall in zip(decibels, falls, strict=True):
        tail = line[4 : 4 + int((line[4:] > -DYNAMIC_RANGE).sum())]
        falling = (fall / g.frame_rate).expand(len(tail) - 1)
        torch.testing.assert_close(tail.diff(), falling, rtol=1e-4, atol=1e-4)
    power = torch.where(heard[:, 0, 50] > 0, 10.0 ** (decibels / 10.0), 0.0)
    ratio = 10.0 * torch.log10(power[:, 3] / power[:, 4:].sum(dim=1))
    assert WETTEST_ROOM - 0.1 < ratio.min() < 0.0
    assert 12.0 < ratio.max() < DRIEST_ROOM + 0.1


def test_powers_add_in_a_room_and_silence_stays():
    g = tiny().geometry
    x = torch.rand(3, 6, 176, 22)
    x[2] = 0.0
    heard = reverberated(x, g, generator())
    assert ((heard >= 0) & (heard <= 1)).all()
    assert not heard[2].any()
    assert torch.equal(reverberated(x[:1], g, generator()), heard[:1]), "whatever else is there"
    weaker = reverberated(x, g, generator(), strength=0.1)
    assert weaker[0].mean() < heard[0].mean()
