"""E-GMD: drums played on many kits (percussion for the percussion-invariance)."""

from typing import ClassVar

from ssmpe.data.datasets.dataset import Dataset, Source, Track
from ssmpe.data.files.parsing import read_csv


class EGMD(Dataset):
    """Recordings without pitch; the index tells their split. As published, "train" alone is used.

    A track is named by its path, and a file the index lists twice is one track.
    """

    name: str = "E-GMD"
    splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")
    layout: ClassVar[str] = "e-gmd-v1.0.0.csv (columns split, audio_filename), audio as it names"
    source: ClassVar[Source] = Source(
        url="https://magenta.tensorflow.org/datasets/e-gmd",
        size="90 GB, unpacked 132 GB",
        licence="CC BY 4.0",
        unpack="unzip e-gmd-v1.0.0.zip, then move what its folder holds into E-GMD/",
    )
    annotated: ClassVar[bool] = False

    def _tracks(self, split: str) -> list[Track]:
        index = self.folder / "e-gmd-v1.0.0.csv"
        self._require(index)
        rows = read_csv(index, ("split", "audio_filename"))
        files = dict.fromkeys(row.relative_path(1) for row in rows if row.fields[0] == split)
        return [self._track(file, self.folder / file) for file in files]

    def _annotation(self, track: Track) -> None:
        return None
