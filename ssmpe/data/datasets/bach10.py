"""Bach10: ten chorales for violin, clarinet, saxophone and bassoon (evaluation, learning)."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import ClassVar

import numpy as np

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Option, Source, Track
from ssmpe.data.files.annotation import Annotation, FrameAnnotation
from ssmpe.data.files.mat import read_matrix
from ssmpe.data.files.parsing import MAX_F0
from ssmpe.errors import DataError
from ssmpe.units import Floats, hz_to_midi, midi_to_hz

NUMBERS = tuple(f"{i:02d}" for i in range(1, 11))
PIECES = {
    "all": NUMBERS,
    "01-06": NUMBERS[:6],
    "07-10": NUMBERS[6:],
    "07-08": NUMBERS[6:8],
    "09-10": NUMBERS[8:],
}
"""Numbers of the pieces of each split"""
LEARNT = "01-06"
"""Split that is made to learn from"""
STEMS = ("violin", "clarinet", "saxphone", "bassoon")
"""Parts, as their recordings are named (and misspelt), in the order of the annotation"""

_PIECE = re.compile(r"\d\d-[^-]+")
_MAX_BYTES = 1 << 24
"""Largest annotation that is read, unpacked; that of a chorale has 200 kB"""
_FIRST_TIME = 0.023
_HOP = 0.010
"""Seconds: the file has no times; its frames are at 0.023 s + 0.010 s · n"""


class Bach10(Dataset):
    """Mixtures; the annotation is the union of the four parts' F0s.

    The split "all" has those of the ten chorales that are there, the others have some pieces: to
    learn from "01-06", validate on "07-08" and be scored on "09-10", or on "07-10", leaves no piece
    on two sides. The annotation is in fractions of MIDI notes, on frames of 10 ms of which the
    first is at 23 ms.

    Six pieces are little to learn from. With the option ``submixes`` the split "01-06" has, instead
    of each mixture, the eleven sums of two, three or four of its parts, each annotated by the F0s
    of these parts alone. The sums are tracks: which of them is drawn when is a matter of the seed,
    as it is of all tracks. Recordings of parts may be WAV, as published, or FLAC.
    """

    name: str = "Bach10"
    splits: ClassVar[tuple[str, ...]] = tuple(PIECES)
    layout: ClassVar[str] = (
        "NN-Name/NN-Name.wav, NN-Name-GTF0s.mat, of sub-mixes "
        "NN-Name-{violin,clarinet,saxphone,bassoon}.{wav,flac}"
    )
    source: ClassVar[Source] = Source(
        url="https://labsites.rochester.edu/air/resource.html",
        size="0.1 GB",
        licence="for research; ask the authors for other uses",
        unpack="move the folders 01-AchGottundHerr to 10-… of Bach10_v1.1 into Bach10/",
    )

    options: ClassVar[dict[str, Option]] = {
        "submixes": Option(
            False, f"the split {LEARNT} is all sums of two, three or four parts of its pieces"
        )
    }

    def __init__(self, folder: Path, *, submixes: bool = False) -> None:
        """Open the dataset; for ``submixes`` see ``options``."""
        super().__init__(folder)
        self.submixes = submixes

    def _tracks(self, split: str) -> list[Track]:
        names = [name for name in listing.names_in(self.folder) if _PIECE.fullmatch(name)]
        if split != "all":
            names = [name for name in names if name[:2] in PIECES[split]]
        if self.submixes and split == LEARNT:
            return [track for name in names for track in self._submixes(name)]
        return [self._track(listing.readable(n), self.folder / n / f"{n}.wav") for n in names]

    def _submixes(self, name: str) -> Iterator[Track]:
        """Yield all sums of two, three or four parts of a piece."""
        folder = self.folder / name
        there = listing.names_in(folder)
        for size in range(2, len(STEMS) + 1):
            for stems in combinations(STEMS, size):
                # what is missing is so under its published name
                paths = [
                    folder
                    / (flac if (flac := f"{name}-{stem}.flac") in there else f"{flac[:-5]}.wav")
                    for stem in stems
                ]
                track = listing.readable(f"{name}-{'+'.join(stems)}")
                yield Track(self.name, track, paths[0], others=tuple(paths[1:]))

    def files(self, track: Track) -> list[Path]:
        """Return the mixture, or the parts that are mixed, and the F0s."""
        return [*track.sources, self._f0_path(track)]

    def absent(self, tracks: Sequence[Track], split: str = "all") -> list[str]:
        """Return the numbers of those of a split's chorales that are not there."""
        there = {track.name[:2] for track in tracks}
        return [number for number in PIECES[split] if number not in there]

    def _f0_path(self, track: Track) -> Path:
        folder = track.audio.parent
        return folder / f"{folder.name}-GTF0s.mat"

    def _annotation(self, track: Track) -> Annotation:
        midi = read_part_pitches(self._f0_path(track))
        if track.others:
            midi = midi[[STEMS.index(path.stem.rpartition("-")[2]) for path in track.sources]]
        times = _FIRST_TIME + _HOP * np.arange(midi.shape[1], dtype=np.float64)
        return FrameAnnotation.from_parts(times, np.where(midi > 0, midi_to_hz(midi), 0.0))


def read_part_pitches(path: Path) -> Floats:
    """Read the matrix ``GTF0s``: (4, N) fractional MIDI note numbers, 0 where a part is silent.

    Raises:
        DataError: it is unreadable, missing, of another shape, or has values that are no pitches.
    """
    pitches = read_matrix(path, "GTF0s", _MAX_BYTES)
    if pitches.ndim != 2 or pitches.shape[0] != len(STEMS) or pitches.shape[1] == 0:
        raise DataError(f"{path}: GTF0s has shape {pitches.shape}, expected (4, frames)")
    highest = float(hz_to_midi(MAX_F0))
    bad = np.argwhere(~((pitches >= 0) & (pitches <= highest)))
    if len(bad):
        part, frame = bad[0]
        raise DataError(
            f"{path}: GTF0s is {pitches[part, frame]:g} at part {part + 1}, frame {frame + 1}, "
            f"expected a MIDI number from 0 to {highest:.1f}"
        )
    return pitches.astype(np.float64)
