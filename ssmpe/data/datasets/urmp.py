"""URMP: chamber pieces of two to five parts, each part recorded alone (labelled training)."""

import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Source, Track
from ssmpe.data.files.annotation import Annotation, FrameAnnotation, NoteAnnotation
from ssmpe.data.files.parsing import read_columns, read_f0_track
from ssmpe.errors import DataError

VALIDATION = ("01", "02", "12", "13", "24", "25", "31", "38", "39")
T2 = ("03", "04", "05", "14", "15", "16", "26", "27", "40", "41")
TRAIN = tuple(n for n in (f"{i:02d}" for i in range(1, 45)) if n not in VALIDATION)
T1 = tuple(n for n in TRAIN if n not in T2)
FAMILIES = {
    "strings": frozenset({"vn", "va", "vc", "db"}),
    "winds": frozenset({"fl", "ob", "cl", "bn", "sax"}),
    "brass": frozenset({"tpt", "hn", "tbn", "tba"}),
}
"""Instruments of each family, abbreviated as in the pieces' names"""
MIXED = "mixed"

_PIECE = re.compile(r"(\d\d)_[^_]+(_[^_]+)+")
_GRID_TOLERANCE = 1e-3
"""Seconds by which the times of two parts may differ: a tenth of the annotations' hop"""


def _family(piece: str) -> str:
    """Return the family of instruments that plays a piece alone, else ``MIXED``."""
    players = piece.split("_")[2:]
    alone = (name for name, family in FAMILIES.items() if family.issuperset(players))
    return next(alone, MIXED)


class URMP(Dataset):
    """Mixtures; the annotation is the union of the parts' F0s on their common 10 ms grid.

    Splits as published: 35 pieces of training, 9 of validation; T1 and T2 are the 25 and 10 pieces
    into which the paper's distribution experiment divides the training pieces. They are also
    divided by instruments: "train-strings", "train-winds" and "train-brass" are those played by
    one family alone (5, 10 and 7 pieces), "train-mixed" the others (13). Notes are read if those of
    all parts are there; nothing but scores of notes needs them.
    """

    name: str = "URMP"
    splits: ClassVar[tuple[str, ...]] = (
        *("train", "validation", "T1", "T2"),
        *(f"train-{family}" for family in (*FAMILIES, MIXED)),
    )
    layout: ClassVar[str] = (
        "NN_Name_i1_i2…/AuMix_NN_Name_i1_i2….wav, F0s_k_ik_NN_Name.txt, of notes Notes_k_….txt"
    )
    source: ClassVar[Source] = Source(
        url="https://doi.org/10.5061/dryad.ng3r749",
        size="12.5 GB with videos",
        licence="CC0 1.0",
        unpack="tar xf Dataset.tar.gz, then move the folders 01_… to 44_… of it into URMP/; videos "
        "are not needed",
    )
    numbers: ClassVar[dict[str, tuple[str, ...]]] = {
        "train": TRAIN,
        "validation": VALIDATION,
        "T1": T1,
        "T2": T2,
    }
    """Pieces of each split that is not that of a family"""

    def _tracks(self, split: str) -> list[Track]:
        found: dict[str, str] = {}
        for match in filter(None, map(_PIECE.fullmatch, listing.names_in(self.folder))):
            other = found.setdefault(match[1], match[0])
            if other != match[0]:
                raise DataError(f"{self.folder}: {other} and {match[0]} are both piece {match[1]}")
        split, _, family = split.partition("-")
        wanted = self.numbers[split]
        absent = [number for number in wanted if number not in found]
        if absent:
            raise DataError(
                f"{self.folder}: pieces {' '.join(absent)} of split {split!r} are missing "
                f"({len(absent)} of {len(wanted)}); expected layout: {self._shown()}"
            )
        names = [found[number] for number in wanted]
        if family:
            names = [name for name in names if _family(name) == family]
        return [self._piece(name) for name in names]

    def files(self, track: Track) -> list[Path]:
        """Return the mixture, the F0s of the parts, and what there is of their notes."""
        return [track.audio, *self._paths(track, "F0s"), *self._note_paths(track)]

    def _piece(self, name: str) -> Track:
        return self._track(listing.readable(name), self.folder / name / f"AuMix_{name}.wav")

    def _note_paths(self, track: Track) -> list[Path]:
        """Return the tables of notes of all parts; none if one is missing."""
        paths = self._paths(track, "Notes")
        return [] if listing.missing_files(paths) else paths

    def _paths(self, track: Track, kind: str) -> list[Path]:
        folder = track.audio.parent
        number, title, *instruments = folder.name.split("_")
        return [
            folder / f"{kind}_{part}_{instrument}_{number}_{title}.txt"
            for part, instrument in enumerate(instruments, start=1)
        ]

    def _annotation(self, track: Track) -> Annotation:
        paths = self._paths(track, "F0s")
        grids, parts = zip(*map(read_f0_track, paths), strict=True)
        for path, grid in zip(paths[1:], grids[1:], strict=True):
            same = len(grid) == len(grids[0]) and np.allclose(
                grid, grids[0], rtol=0, atol=_GRID_TOLERANCE
            )
            if not same:
                raise DataError(
                    f"{path}: its time grid ({len(grid)} frames to {grid[-1]:g} s) differs from "
                    f"that of {paths[0].name} ({len(grids[0])} frames to {grids[0][-1]:g} s)"
                )
        notes = [read_notes(path) for path in self._note_paths(track)]
        return FrameAnnotation.from_parts(
            grids[0], np.stack(parts), NoteAnnotation.united(notes) if notes else None
        )


def read_notes(path: Path) -> NoteAnnotation:
    """Read a part's notes: onset in s, mean frequency in Hz, duration in s.

    Notes that last no time are dropped.

    Raises:
        DataError: it does not parse, or has values that are none of a note.
    """
    notes: list[tuple[float, float, float]] = []
    for row in read_columns(path, 3):
        onset, hz, seconds = row.number(0, "onset"), row.frequency(1), row.number(2, "duration")
        if onset < 0 or hz == 0 or seconds < 0:
            raise row.error(f"a note at {onset:g} s, of {hz:g} Hz and {seconds:g} s")
        if onset + seconds > onset:
            notes.append((onset, onset + seconds, hz))
    return NoteAnnotation(*np.array(notes, np.float64).reshape(-1, 3).T)
