"""Su: ten pieces of piano and chamber music, annotated note by note (evaluation)."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Source, Track
from ssmpe.data.files.annotation import Annotation, NoteAnnotation
from ssmpe.data.files.parsing import read_columns
from ssmpe.errors import DataError

PIECES = ("PQ02", "PQ03", "PS01", "PS02", "PS03", "SQ01", "SQ02", "SQ03", "VS01", "VS04")
"""Piano quintets and solos, string quartets, violin sonatas: beginnings of the files' names"""

_AUDIO, _NOTES = "_audio.wav", "_note.txt"


class Su(Dataset):
    """Recordings; the annotation is the notes of all players.

    The split "all" has those of the ten pieces that are there. The folders ``gt_F0`` and ``midi``
    of the dataset tell the same notes once more and are not needed.
    """

    name: str = "Su"
    splits: ClassVar[tuple[str, ...]] = ("all",)
    layout: ClassVar[str] = "audio/X_audio.wav, gt_Note/X_note.txt, X beginning with PQ02 etc."
    source: ClassVar[Source] = Source(
        url="https://sites.google.com/site/lisupage",
        size="see the page, or ask its author (Su and Yang, CMMR 2015)",
        licence="see the page",
        unpack="move the folders audio and gt_Note of the archive into Su/",
    )

    def _tracks(self, split: str) -> list[Track]:
        audio, notes = self.folder / "audio", self.folder / "gt_Note"
        self._require(audio)
        self._require(notes)
        names = {n.removesuffix(_AUDIO) for n in listing.names_in(audio) if n.endswith(_AUDIO)}
        names |= {n.removesuffix(_NOTES) for n in listing.names_in(notes) if n.endswith(_NOTES)}
        names = {name for name in names if name.startswith(PIECES)}
        return [self._track(listing.readable(n), audio / f"{n}{_AUDIO}") for n in names]

    def files(self, track: Track) -> list[Path]:
        """Return the recording and the notes."""
        return [track.audio, self._notes_path(track)]

    def absent(self, tracks: Sequence[Track], split: str = "all") -> list[str]:
        """Return those of the ten pieces that are not there."""
        return [piece for piece in PIECES if not any(t.name.startswith(piece) for t in tracks)]

    def _notes_path(self, track: Track) -> Path:
        return self.folder / "gt_Note" / f"{track.audio.name.removesuffix(_AUDIO)}{_NOTES}"

    def _annotation(self, track: Track) -> Annotation:
        return read_note_table(self._notes_path(track))


def read_note_table(path: Path) -> NoteAnnotation:
    """Read the notes of a text file of columns: onset in s, offset in s, …, last the F0 in Hz.

    Raises:
        DataError: it does not parse, a note ends before it begins or has no pitch, or there are
            no notes.
    """
    notes: list[tuple[float, float, float]] = []
    for row in read_columns(path):
        if len(row.fields) < 3:
            raise row.error(f"{len(row.fields)} columns, expected onset, offset, …, F0 in Hz")
        onset, offset = row.number(0, "onset"), row.number(1, "offset")
        frequency = row.frequency(-1)
        if not 0 <= onset < offset:
            raise row.error(f"note from {onset:g} to {offset:g} s, expected 0 ≤ onset < offset")
        if not frequency:
            raise row.error("a note of 0 Hz")
        notes.append((onset, offset, frequency))
    if not notes:
        raise DataError(f"{path}: no notes; each line: onset in s, offset in s, …, F0 in Hz")
    return NoteAnnotation(*np.array(notes).T)
