"""One contract over all datasets, on small real files in the published layouts."""

from pathlib import Path

import numpy as np
import pytest

from ssmpe.data.datasets.registry import DATASETS, SET_NAMES, Locations, parse, resolve
from ssmpe.data.files.annotation import FrameAnnotation
from ssmpe.data.files.audio import read_audio
from ssmpe.errors import UserError
from tests.layouts import LAYOUTS, SECONDS, each_set, written_root

root = pytest.fixture(written_root)

ANNOTATED = [name for name, layout in LAYOUTS.items() if layout.annotation]


@each_set()
def test_tracks_are_those_of_the_split_sorted_and_readable(root: Path, name: str) -> None:
    found = resolve(name, Locations(root))
    assert (found.name, found.dataset.name, found.split) == (name, *name.split("/"))
    assert [track.name for track in found.tracks] == list(LAYOUTS[name].tracks)
    for track in found.tracks:
        assert track.dataset == found.dataset.name
        samples = read_audio(track.audio, 22_050)
        assert (samples.dtype, samples.ndim) == (np.float32, 1)
        # an encoder of MP3 files fills the last frame up
        assert len(samples) / 22_050 == pytest.approx(SECONDS, abs=0.05)
        assert np.abs(samples).max() == pytest.approx(1.0)


@each_set(*ANNOTATED)
def test_annotation_tells_what_sounds_when(root: Path, name: str) -> None:
    found = resolve(name, Locations(root))
    annotation = found.dataset.annotation(found.tracks[0])
    assert annotation is not None
    times = np.array([0.21, 0.22])
    multi_pitch = annotation.at(times)
    assert np.array_equal(multi_pitch.times, times)
    for f0s in multi_pitch.f0s:
        assert sorted(f0s) == pytest.approx(LAYOUTS[name].sounding, abs=1e-3)
    assert type(annotation) is LAYOUTS[name].annotation
    assert (annotation.grid is not None) == isinstance(annotation, FrameAnnotation)
    if isinstance(annotation, FrameAnnotation):
        assert annotation.at(annotation.grid).f0s == annotation.observed.f0s


@each_set(*(name for name in LAYOUTS if name not in ANNOTATED))
def test_what_tells_no_pitch_has_no_annotation(root: Path, name: str) -> None:
    found = resolve(name, Locations(root))
    assert found.dataset.annotation(found.tracks[0]) is None


def test_every_dataset_and_set_is_under_contract() -> None:
    assert {name.split("/")[0] for name in LAYOUTS} == set(DATASETS)
    assert set(LAYOUTS) <= set(SET_NAMES)


# --- names of sets ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("URMPP/train", "did you mean 'URMP'? (known: URMP, Bach10,"),
        ("musicnet/train", "did you mean 'MusicNet'?"),
        ("MusicNet/tests", "did you mean 'test'? (known: train, test)"),
        ("MusicNet", "unknown split of MusicNet '' (known: train, test)"),
        ("", "unknown dataset '' (known:"),
    ],
)
def test_unknown_set_is_answered_with_the_known_ones(name: str, hint: str) -> None:
    with pytest.raises(UserError) as error:
        parse(name)
    assert hint in str(error.value)
