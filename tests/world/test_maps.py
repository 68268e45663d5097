"""MAPS in the embedded world, for whoever asks for it; all other worlds stay as they were."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.data.files import audio
from ssmpe.data.files.annotation import NoteAnnotation
from ssmpe.experiments.options import WORLD_SIZES
from ssmpe.units import hz_to_midi
from ssmpe.world.build import build_world, world_key
from ssmpe.world.plan import plan
from ssmpe.world.sizes import SIZES, WorldSize
from tests.support.micro_world import NOTHING
from tests.world.test_labels import midi_notes

RATE = 22_050


@pytest.fixture(scope="module")
def maps_world(tmp_path_factory) -> Path:
    """Render a world of MAPS alone."""
    size = replace(NOTHING, maps=3, maps_seconds=6.0)
    return build_world(tmp_path_factory.mktemp("maps") / "world", size, jobs=2)


def test_worlds_without_it_stay_what_they_were() -> None:
    assert world_key(WorldSize(maps_seconds=3.0)) == world_key(WorldSize())
    assert world_key(WorldSize(maps=1)) != world_key(WorldSize(maps=2)) != world_key(WorldSize())
    assert set(WORLD_SIZES) == set(SIZES)
    tiny, more = plan(SIZES["tiny"]), plan(SIZES["tiny-maps"])
    assert more[: len(tiny)] == tiny
    assert [task.label.split()[0] for task in more[len(tiny) :]] == ["MAPS"] * 11


def test_its_loader_reads_it(maps_world: Path) -> None:
    counts = {"ENSTDkCl": 3, "ENSTDkAm": 3, "ENSTDkCl-only": 2, "ENSTDkAm-only": 2}
    for split, count in counts.items():
        found = resolve(f"MAPS/{split}", Locations(maps_world))
        assert len(found.tracks) == count
        found.dataset.require_files(found.tracks)
        for track in found.tracks:
            annotation = found.dataset.annotation(track)
            assert isinstance(annotation, NoteAnnotation)
            assert audio.duration(track.audio) == pytest.approx(6.0, abs=0.01)
            assert annotation.span[1] <= 6.0
            assert len(annotation.onsets) > 5


def test_two_microphones_record_one_performance(maps_world: Path) -> None:
    tables = sorted(maps_world.glob("MAPS/*/MUS/*_1_*.txt"))
    assert len(tables) == 2
    assert tables[0].read_bytes() == tables[1].read_bytes()
    close, ambient = (audio.read_audio(table.with_suffix(".wav"), RATE) for table in tables)
    assert len(close) == len(ambient)
    assert not np.array_equal(close, ambient)
    assert np.corrcoef(close, ambient)[0, 1] > 0.8


def test_tables_tell_the_notes_of_the_midi_files(maps_world: Path) -> None:
    for path in maps_world.glob("MAPS/ENSTDkCl/MUS/*.txt"):
        found = resolve("MAPS/ENSTDkCl", Locations(maps_world))
        (track,) = (t for t in found.tracks if t.name == path.stem)
        annotation = found.dataset.annotation(track)
        assert isinstance(annotation, NoteAnnotation)
        keys = np.round(hz_to_midi(annotation.f0s)).astype(int)
        midi = [
            (round(onset, 1), key) for onset, _, key, *_ in midi_notes(path.with_suffix(".mid"))
        ]
        told = [(round(onset, 1), key) for onset, key in zip(annotation.onsets, keys, strict=True)]
        assert len(set(midi) & set(told)) > 0.8 * len(midi)
