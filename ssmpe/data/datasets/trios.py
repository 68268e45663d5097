"""TRIOS: five trios of which every player was recorded alone (evaluation)."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Source, Track
from ssmpe.data.files.annotation import Annotation, NoteAnnotation
from ssmpe.data.files.midi import read_notes

PARTS = {
    "brahms": ("horn", "piano", "violin"),
    "lussier": ("piano", "bassoon", "trumpet"),
    "mozart": ("piano", "clarinet", "viola"),
    "schubert": ("piano", "violin", "cello"),
    "take_five": ("piano", "saxophone"),
}
"""The pitched instruments of each piece"""


class TRIOS(Dataset):
    """Mixtures; the annotation is the union of the notes of the pitched instruments.

    The split "all" has those of the five pieces that are there. Notes last as long as the sustain
    pedal holds them. The drums of "take_five" stay in the mixture and out of the annotation.
    """

    name: str = "TRIOS"
    splits: ClassVar[tuple[str, ...]] = ("all",)
    layout: ClassVar[str] = (
        "{brahms,lussier,mozart,schubert,take_five}/mix.wav, INSTRUMENT.mid of each but drums"
    )
    source: ClassVar[Source] = Source(
        url="https://zenodo.org/records/6797837",
        size="see the page",
        licence="see the page",
        unpack="unzip 'TRIOS Dataset.zip', then move the five folders it holds into TRIOS/",
    )

    def _tracks(self, split: str) -> list[Track]:
        names = [name for name in listing.names_in(self.folder) if name in PARTS]
        return [self._track(name, self.folder / name / "mix.wav") for name in names]

    def files(self, track: Track) -> list[Path]:
        """Return the mixture, and the notes of the pitched instruments."""
        return [track.audio, *self._midi_paths(track)]

    def absent(self, tracks: Sequence[Track], split: str = "all") -> list[str]:
        """Return those of the five pieces that are not there."""
        there = {track.name for track in tracks}
        return [piece for piece in PARTS if piece not in there]

    def _midi_paths(self, track: Track) -> list[Path]:
        return [track.audio.with_name(f"{part}.mid") for part in PARTS[track.name]]

    def _annotation(self, track: Track) -> Annotation:
        return NoteAnnotation.united([read_notes(path) for path in self._midi_paths(track)])
