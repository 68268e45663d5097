"""MAPS: piano pieces, synthesised on seven pianos, recorded on a Disklavier by two microphones."""

import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Source, Track
from ssmpe.data.files.annotation import Annotation, NoteAnnotation
from ssmpe.data.files.parsing import read_columns
from ssmpe.errors import DataError
from ssmpe.units import midi_to_hz

RECORDED = {"ENSTDkAm": "ENSTDkCl", "ENSTDkCl": "ENSTDkAm"}
"""Instrument sets of the Disklavier, ambient and close, each with the other one"""
INSTRUMENTS = (
    *("AkPnBcht", "AkPnBsdf", "AkPnCGdD", "AkPnStgb", "SptkBGAm", "SptkBGCl", "StbgTGd2"),
    *RECORDED,
)
_HEADER = ["OnsetTime", "OffsetTime", "MidiPitch"]


class MAPS(Dataset):
    """Pieces (``MUS``) of an instrument set; isolated notes and chords are not read.

    The splits are the nine instrument sets, with the pieces that are there. "ENSTDkCl-only" and
    "ENSTDkAm-only" have those pieces of a Disklavier set that are not in the other one: to learn
    from "ENSTDkCl" and to be scored on "ENSTDkAm-only" leaves no composition on both sides. Pieces
    are told apart by their names in the dataset, so movements of one work are several.

    Notes end where the sustain pedal lets them, as the published tables have it. The MIDI files
    beside these tell the same and are not needed. Recordings may be WAV, as published, or FLAC.
    """

    name: str = "MAPS"
    splits: ClassVar[tuple[str, ...]] = (*INSTRUMENTS, *(f"{name}-only" for name in RECORDED))
    layout: ClassVar[str] = "ENSTDkCl/MUS/MAPS_MUS-PIECE_ENSTDkCl.{wav,flac}, ….txt"
    source: ClassVar[Source] = Source(
        url="https://adasp.telecom-paris.fr/resources/2010-07-08-maps-database/",
        size="see the page: 65 h in all, of which 270 pieces are read",
        licence="CC BY-NC-SA 2.0, see the page",
        unpack="move the folder of each instrument set, as ENSTDkCl, into MAPS/",
    )

    def _tracks(self, split: str) -> list[Track]:
        instrument = split.removesuffix("-only")
        found = self._pieces(instrument)
        if split != instrument:
            other = self._pieces(RECORDED[instrument])
            found = {piece: path for piece, path in found.items() if piece not in other}
        return [self._track(listing.readable(path.stem), path) for path in found.values()]

    def _pieces(self, instrument: str) -> dict[str, Path]:
        """Return the recording of every piece of an instrument set, by the piece's name."""
        folder = self.folder / instrument / "MUS"
        self._require(folder)
        form = re.compile(rf"MAPS_MUS-(.+)_{instrument}\.(wav|flac|txt)", re.DOTALL)
        names = listing.names_in(folder)
        pieces: dict[str, Path] = {}
        for match in filter(None, map(form.fullmatch, names)):
            # a table without a recording is a piece whose recording is missing
            suffix = "flac" if match[2] == "flac" else "wav"
            if match[2] != "txt" or match[1] not in pieces:
                pieces[match[1]] = folder / f"{match[0].removesuffix(match[2])}{suffix}"
        return pieces

    def files(self, track: Track) -> list[Path]:
        """Return the recording and the table of its notes."""
        return [track.audio, track.audio.with_suffix(".txt")]

    def _annotation(self, track: Track) -> Annotation:
        return read_note_table(track.audio.with_suffix(".txt"))


def read_note_table(path: Path) -> NoteAnnotation:
    """Read the notes of a text file of three columns: onset in s, offset in s, MIDI number.

    Raises:
        DataError: it does not parse, a note ends before it begins or is no MIDI note, or there are
            no notes.
    """
    notes: list[tuple[float, float, float]] = []
    for row in read_columns(path, len(_HEADER)):
        if row.fields == _HEADER:
            continue
        onset, offset, note = (row.number(i, name) for i, name in enumerate(_HEADER))
        if not 0 <= onset < offset:
            raise row.error(f"note from {onset:g} to {offset:g} s, expected 0 ≤ onset < offset")
        if not 0 <= note <= 127:
            raise row.error(f"note {note:g}, expected a MIDI note number from 0 to 127")
        notes.append((onset, offset, note))
    if not notes:
        raise DataError(f"{path}: no notes; each line: onset in s, offset in s, MIDI number")
    onsets, offsets, midi = np.array(notes).T
    return NoteAnnotation(onsets, offsets, midi_to_hz(midi))
