"""One contract over every set of the tiny world, read by the loaders that read the real ones."""

from pathlib import Path

import numpy as np
import pytest

from ssmpe.__main__ import main
from ssmpe.data.datasets.registry import DATASETS, SET_NAMES, Locations, resolve
from ssmpe.data.files import audio
from ssmpe.data.files.annotation import FrameAnnotation
from ssmpe.errors import DataError, UserError

RATE = 22_050
EMPTY = {
    *(f"GuitarSet/{player}" for player in ("01", "03", "04")),
    *("FMA/Blues", "FMA/Old-Time / Historic", "FMA/Country", "FMA/Easy Listening"),
    *("FMA/Spoken", "FMA/Experimental", "FMA/Instrumental"),
}
"""Sets of which the tiny world has no tracks"""
N_TRACKS = {
    "URMP/train": 35,
    "URMP/validation": 9,
    "URMP/T1": 25,
    "URMP/T2": 10,
    "Bach10/all": 10,
    "Su/all": 10,
    "TRIOS/all": 5,
    "MusicNet/test": 10,
    "MAESTRO/validation": 10,
}
"""As published"""


REAL_ALONE = ("MAPS", "MDBDrums")
"""Datasets of which the worlds have no miniature: it would be another world, of another key"""


@pytest.mark.parametrize(
    "name", [n for n in SET_NAMES if n not in EMPTY and n.split("/")[0] not in REAL_ALONE]
)
def test_every_set_keeps_the_contract(world: Path, name: str) -> None:
    found = resolve(name, Locations(world))
    assert found.tracks == resolve(name, Locations(world)).tracks
    names = [track.name for track in found.tracks]
    assert names == sorted(set(names))
    assert len(names) == N_TRACKS.get(name, len(names)) > 0
    found.dataset.require_files(found.tracks)
    for track in found.tracks[:3]:
        assert found.dataset.files(track)[0] == track.audio
        samples = audio.read_audio(track.audio, RATE, track.start, track.seconds)
        assert (samples.dtype, samples.ndim) == (np.float32, 1)
        assert np.abs(samples).max() <= 1
        seconds = audio.duration(track.audio)
        assert len(samples) / RATE == pytest.approx(min(track.seconds or seconds, seconds), abs=0.1)
        annotation = found.dataset.annotation(track)
        assert (annotation is not None) == found.dataset.annotated
        if annotation is None:
            continue
        assert (annotation.grid is None) != isinstance(annotation, FrameAnnotation)
        times = np.arange(0, len(samples) / RATE, 0.05)
        f0s = annotation.at(times).f0s
        # a plucked note of NSynth is over soon
        assert np.mean([len(f) > 0 for f in f0s]) > 0.05
        assert all(np.all((f > 20) & (f < 5000)) for f in f0s)


@pytest.mark.parametrize("name", sorted(EMPTY))
def test_a_set_without_tracks_says_so(world: Path, name: str) -> None:
    with pytest.raises(UserError, match="no tracks of split") as error:
        resolve(name, Locations(world))
    assert not isinstance(error.value, DataError)


def test_stretches_of_maestro_are_of_half_a_minute(world: Path) -> None:
    tracks = resolve("MAESTRO/validation", Locations(world)).tracks
    assert {(t.start, t.seconds) for t in tracks} == {(0.0, 30.0)}
    lengths = [len(audio.read_audio(t.audio, RATE, t.start, t.seconds)) / RATE for t in tracks]
    assert max(lengths) == pytest.approx(30.0)
    assert min(lengths) < 30.0


def test_training_and_evaluation_share_no_recording(world: Path, capsys) -> None:
    """The check of the whole world finds everything in order, and nothing twice."""
    assert main(["data", "check", "--data-root", str(world)]) == 0
    said = capsys.readouterr().out
    assert "is the same recording" not in said
    for name in DATASETS.keys() - {*REAL_ALONE}:
        assert f"{name} " in said
    assert said.count("missing") == len(REAL_ALONE)
    assert "incomplete" not in said
