"""MusicNet: classical recordings with notes aligned to them (unlabelled training, evaluation)."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Source, Track
from ssmpe.data.files.annotation import Annotation, NoteAnnotation
from ssmpe.data.files.parsing import read_csv
from ssmpe.errors import DataError
from ssmpe.units import midi_to_hz

_LABEL_RATE = 44_100
"""Sample rate in Hz by which labels count time"""


class MusicNet(Dataset):
    """Recordings; the split is the folder a recording lies in, its number the track's name.

    Labels give times in samples at 44.1 kHz whatever the recording's sample rate. They are
    known to be imprecise in places; as in the published loader, nothing is corrected.
    """

    name: str = "MusicNet"
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    layout: ClassVar[str] = "{train,test}_data/ID.wav, {train,test}_labels/ID.csv"
    source: ClassVar[Source] = Source(
        url="https://zenodo.org/records/5120004",
        size="11 GB",
        licence="CC BY 4.0; the recordings under licences of their own, see the record",
        unpack="tar xf musicnet.tar.gz --strip-components=1 -C MusicNet",
    )

    def _tracks(self, split: str) -> list[Track]:
        data, labels = self.folder / f"{split}_data", self.folder / f"{split}_labels"
        self._require(data)
        self._require(labels)
        ids = {n.removesuffix(".wav") for n in listing.names_in(data) if n.endswith(".wav")}
        ids |= {n.removesuffix(".csv") for n in listing.names_in(labels) if n.endswith(".csv")}
        return [self._track(listing.readable(i), data / f"{i}.wav") for i in ids]

    def files(self, track: Track) -> list[Path]:
        """Return the recording and the labels."""
        return [track.audio, self._label_path(track)]

    def _label_path(self, track: Track) -> Path:
        split = track.audio.parent.name.removesuffix("_data")
        return self.folder / f"{split}_labels" / f"{track.audio.stem}.csv"

    def _annotation(self, track: Track) -> Annotation:
        return read_labels(self._label_path(track))


def read_labels(path: Path) -> NoteAnnotation:
    """Read the notes of a MusicNet label file.

    Raises:
        DataError: it does not parse; a note ends before it begins or is no MIDI note; or there
            are no notes. (No recording is silent, but a file may be cut after its header.)
    """
    notes: list[tuple[float, float, float]] = []
    for row in read_csv(path, ("start_time", "end_time", "note")):
        onset, offset = row.number(0, "start_time"), row.number(1, "end_time")
        note = row.number(2, "note")
        if not 0 <= onset < offset:
            raise row.error(f"note from sample {onset:g} to {offset:g}, expected 0 ≤ start < end")
        if not 0 <= note <= 127:
            raise row.error(f"note {note:g}, expected a MIDI note number from 0 to 127")
        notes.append((onset / _LABEL_RATE, offset / _LABEL_RATE, note))
    if not notes:
        raise DataError(f"{path}: no notes below the header; unpack it once more")
    onsets, offsets, midi = np.array(notes).T
    return NoteAnnotation(onsets, offsets, midi_to_hz(midi))
