"""MedleyDB: multitrack recordings of many styles (unlabelled training, optional)."""

from typing import ClassVar

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Source, Track


class MedleyDB(Dataset):
    """Mixtures of both releases; stems and metadata are not needed.

    A folder of ``Audio`` is a track, unless its name contains "Bach10": the ten pieces of that
    dataset are handed round in MedleyDB's form, too, and are evaluated on.
    """

    name: str = "MedleyDB"
    splits: ClassVar[tuple[str, ...]] = ("all",)
    layout: ClassVar[str] = "Audio/T/T_MIX.wav"
    source: ClassVar[Source] = Source(
        url="https://zenodo.org/records/1649325 (access on request), and "
        "https://zenodo.org/records/1715175 for version 2.0",
        size="122 and 74 recordings with all their stems; the mixtures are a small part",
        licence="CC BY-NC-SA",
        unpack="move the folders of the recordings, those of version 2.0 as well, into "
        "MedleyDB/Audio/",
    )
    annotated: ClassVar[bool] = False

    def _tracks(self, split: str) -> list[Track]:
        folder = self.folder / "Audio"
        self._require(folder)
        names = [n for n in listing.names_in(folder) if "Bach10" not in n and (folder / n).is_dir()]
        return [
            self._track(listing.readable(name), folder / name / f"{name}_MIX.wav") for name in names
        ]

    def _annotation(self, track: Track) -> None:
        return None
