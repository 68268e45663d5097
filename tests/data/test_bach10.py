"""Bach10 to learn from: splits by piece, and sums of some of a piece's parts."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data.check import check_tracks
from ssmpe.data.datasets.bach10 import NUMBERS, PIECES, STEMS, Bach10
from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.data.files.annotation import FrameAnnotation
from ssmpe.data.files.audio import AudioFile
from ssmpe.data.sets import LoadedSet, Use, load_use
from ssmpe.data.store import decode
from ssmpe.errors import DataError
from ssmpe.units import midi_to_hz
from tests.layouts import LAYOUTS
from tests.layouts.bach10 import NAMES, PARTS

RATE = 22_050
OPTIONS = {"Bach10/submixes": True}
MIDI = dict(zip(STEMS, (72.0, 69.0, 0.0, 45.25), strict=True))
"""Annotated notes of the layout's parts"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write the small copy of the dataset."""
    LAYOUTS["Bach10/all"].write(tmp_path)
    return tmp_path


def submixes(root: Path) -> LoadedSet:
    """Load the sums of the parts."""
    use = Use("Bach10/01-06", annotated=True, sample_rate=RATE, options=tuple(OPTIONS.items()))
    return load_use(use, Locations(root), root / "cache")


def stem(root: Path, part: str) -> Path:
    """Return the recording of a part of the first piece."""
    (path,) = (root / "Bach10" / NAMES[0]).glob(f"*-{part}.*")
    return path


def test_no_piece_is_on_two_sides() -> None:
    for sides in (("01-06", "07-10"), ("01-06", "07-08", "09-10")):
        assert sorted(number for side in sides for number in PIECES[side]) == list(NUMBERS)


def test_submixes_are_all_sums_of_two_to_four_parts(root: Path) -> None:
    found = resolve("Bach10/01-06", Locations(root), OPTIONS)
    assert [t.name.startswith(NAMES[0]) for t in found.tracks] == [True] * 11 + [False] * 11
    numbers = sorted(len(t.sources) for t in found.tracks[:11])
    assert numbers == [2] * 6 + [3] * 4 + [4]
    assert len({t.sources for t in found.tracks}) == 22
    for name in ("Bach10/all", "Bach10/01-06"):
        assert [t.name for t in resolve(name, Locations(root)).tracks] == list(NAMES)
    # what is scored on stays whole
    whole = resolve("Bach10/all", Locations(root), OPTIONS)
    assert [t.name for t in whole.tracks] == list(NAMES)


def test_a_submix_sounds_and_is_annotated_as_its_parts_alone(root: Path) -> None:
    loaded = submixes(root)
    assert len(loaded.store) == 22
    for i, track in enumerate(loaded.store.tracks):
        parts = track.name.split("-")[-1].split("+")
        annotation = loaded.annotations[i]
        assert isinstance(annotation, FrameAnnotation)
        expected = sorted(float(midi_to_hz(MIDI[part])) for part in parts if MIDI[part])
        assert sorted(annotation.at(np.array([0.2])).f0s[0]) == pytest.approx(expected)
        audio = loaded.store.audio(i)
        spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
        strength = {p: spectrum[round(hz * len(audio) / RATE)] for p, hz in PARTS.items()}
        inside = [strength[p] for p in parts]
        outside = [0.0, *(strength[p] for p in PARTS if p not in parts)]
        assert min(inside) > 20 * max(outside)
        assert np.abs(audio).max() == 1


def test_submixes_are_the_same_again_and_built_anew_when_a_part_changes(root: Path) -> None:
    first, again = submixes(root), submixes(root)
    assert (again.ready, again.store.tracks) == (first.ready, first.store.tracks)
    assert all(len(track.others) for track in again.store.tracks)
    path = stem(root, "bassoon")  # never the first of a sum
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples[: len(samples) // 2], rate)
    changed = submixes(root)
    assert changed.ready.store != first.ready.store
    names = [track.name for track in changed.store.tracks]
    i = names.index(f"{NAMES[0]}-violin+bassoon")
    n = first.store.n_samples(i)
    assert changed.store.n_samples(i) == n  # silent from the end of the shorter part on
    before, after = first.store.audio(i), changed.store.audio(i)
    assert np.allclose(before[: n // 3], after[: n // 3], atol=0.02)
    assert np.abs(after[-n // 3 :]).std() < np.abs(before[-n // 3 :]).std()


@pytest.mark.parametrize("damage", ["missing", "damaged", "another rate"])
def test_unusable_part_is_named(root: Path, damage: str) -> None:
    path = stem(root, "bassoon")
    if damage == "missing":
        path.unlink()
        path = path.with_suffix(".wav")
    elif damage == "damaged":
        path.write_bytes(b"no audio")
    else:
        soundfile.write(path, np.zeros(8000), 16_000)
    found = resolve("Bach10/01-06", Locations(root), OPTIONS)
    report = check_tracks(
        found.name, found.dataset, found.tracks, root / "cache", (27.5, 4400.0), annotated=True
    )
    assert any(problem.startswith(str(path)) for problem in report.problems)
    assert report.n_tracks == 11 + 4  # of the other piece, and those without this part
    with pytest.raises(DataError) as error:
        submixes(root)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_long_sum_is_streamed_to_the_same_samples(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (track, *_) = resolve("Bach10/01-06", Locations(root), OPTIONS).tracks
    with AudioFile(*track.sources) as file:
        whole = file.track(RATE)
    with AudioFile(*track.sources) as file:
        streamed = np.concatenate([*decode.streamed(file, track, RATE)])
    assert np.array_equal(streamed, whole)
    monkeypatch.setattr("ssmpe.data.files.audio._BLOCK_FRAMES", 1000)
    with AudioFile(*track.sources) as file:
        assert np.allclose(file.track(RATE), whole, atol=1e-6)


def test_pieces_that_a_split_lacks_are_noted(root: Path) -> None:
    dataset = Bach10(root / "Bach10")
    assert dataset.absent(dataset.tracks("01-06"), "01-06") == ["03", "04", "05", "06"]
    assert dataset.absent(dataset.tracks("all")) == list(NUMBERS[2:])
