"""MDB Drums: real drums of songs of MedleyDB (percussion for the percussion-invariance)."""

from typing import ClassVar

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Source, Track


class MDBDrums(Dataset):
    """Recordings of the drums alone; mixtures, single microphones and annotations are not read.

    Recordings may be WAV, as published, or FLAC.
    """

    name: str = "MDBDrums"
    splits: ClassVar[tuple[str, ...]] = ("all",)
    layout: ClassVar[str] = "MDB Drums/audio/drum_only/T_Drum.{wav,flac}"
    source: ClassVar[Source] = Source(
        url="https://github.com/CarlSouthall/MDBDrums",
        size="1.3 GB, of which the 23 recordings of drums alone are a small part",
        licence="CC BY-NC-SA 4.0",
        unpack="clone the repository as MDBDrums/",
    )
    annotated: ClassVar[bool] = False

    def _tracks(self, split: str) -> list[Track]:
        folder = self.folder / "MDB Drums" / "audio" / "drum_only"
        self._require(folder)
        names = listing.names_in(folder)
        # sorted: WAV comes last, and stays
        files = {n.rpartition(".")[0]: n for n in names if n.endswith(("_Drum.flac", "_Drum.wav"))}
        return [self._track(listing.readable(t), folder / name) for t, name in files.items()]

    def _annotation(self, track: Track) -> None:
        return None
