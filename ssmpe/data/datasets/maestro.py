"""MAESTRO: piano competitions, recorded together with the keys and the pedal (evaluation)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from ssmpe.data.datasets.dataset import Dataset, Option, Source, Track
from ssmpe.data.files.annotation import Annotation
from ssmpe.data.files.midi import read_notes
from ssmpe.data.files.parsing import read_csv

N_EXCERPTS = 10
EXCERPT_SECONDS = 30.0


class MAESTRO(Dataset):
    """Recordings, named by their path without suffix; the table tells their split.

    Notes last as long as the sustain pedal holds them. The split "validation" is the published
    one of ten excerpts: the first half minute of the first ten recordings by name; a shorter
    recording is taken whole.
    """

    name: str = "MAESTRO"
    splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")
    layout: ClassVar[str] = "maestro-v3.0.0.csv, YEAR/NAME.wav and YEAR/NAME.midi as it names"
    source: ClassVar[Source] = Source(
        url="https://magenta.tensorflow.org/datasets/maestro",
        size="101 GB, unpacked 120 GB",
        licence="CC BY-NC-SA 4.0",
        unpack="unzip maestro-v3.0.0.zip, then move what its folder holds into MAESTRO/",
    )
    options: ClassVar[dict[str, Option]] = {
        "whole": Option(False, "the split validation is all of its recordings, from end to end")
    }

    def __init__(self, folder: Path, *, whole: bool = False) -> None:
        """Open the dataset; for ``whole`` see ``options``."""
        super().__init__(folder)
        self.whole = whole

    def _tracks(self, split: str) -> list[Track]:
        index = self.folder / "maestro-v3.0.0.csv"
        self._require(index)
        names = dict.fromkeys(name for own_split, name in _listed(index) if own_split == split)
        tracks = [self._track(name, self.folder / f"{name}.wav") for name in sorted(names)]
        if split == "validation" and not self.whole:
            tracks = [replace(track, seconds=EXCERPT_SECONDS) for track in tracks[:N_EXCERPTS]]
        return tracks

    def files(self, track: Track) -> list[Path]:
        """Return the recording, and what the keys and the pedal did."""
        return [track.audio, self._midi_path(track)]

    def _midi_path(self, track: Track) -> Path:
        return self.folder / f"{track.name}.midi"

    def _annotation(self, track: Track) -> Annotation:
        return read_notes(self._midi_path(track))


def _listed(index: Path) -> Iterator[tuple[str, str]]:
    """Read split and name of each recording in the table."""
    for row in read_csv(index, ("split", "audio_filename", "midi_filename")):
        split, audio, midi = row.fields[0], row.relative_path(1), row.relative_path(2)
        name = audio.removesuffix(".wav")
        if split not in MAESTRO.splits:
            raise row.error(f"split {split!r:.40}, expected {', '.join(MAESTRO.splits)}")
        if (f"{name}.wav", f"{name}.midi") != (audio, midi):
            raise row.error(f"files {audio:.80} and {midi:.80}, expected NAME.wav and NAME.midi")
        yield split, name
