"""SWD: two performances of Schubert's Winterreise (unlabelled training, optional)."""

from typing import ClassVar

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Source, Track


class SWD(Dataset):
    """Songs for voice and piano: two performances of nine are given with their audio.

    Every recording in the folder is a track, those of further performances as well.
    """

    name: str = "SWD"
    splits: ClassVar[tuple[str, ...]] = ("all",)
    layout: ClassVar[str] = "01_RawData/audio_wav/T.wav"
    source: ClassVar[Source] = Source(
        url="https://zenodo.org/records/10839767",
        size="48 recordings, about 2.4 h in all",
        licence="CC BY 3.0; one performance is in the public domain, the other (SC06) must not be "
        "passed on changed",
        unpack="unzip Schubert_Winterreise_Dataset_v2-1.zip, then move what its folder holds into "
        "SWD/",
    )
    annotated: ClassVar[bool] = False

    def _tracks(self, split: str) -> list[Track]:
        folder = self.folder / "01_RawData" / "audio_wav"
        self._require(folder)
        names = [name for name in listing.names_in(folder) if name.endswith(".wav")]
        return [
            self._track(listing.readable(name.removesuffix(".wav")), folder / name)
            for name in names
        ]

    def _annotation(self, track: Track) -> None:
        return None
