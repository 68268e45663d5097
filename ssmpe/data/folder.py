"""Any folder of audio files, annotated or not, with the user's own recordings."""

from pathlib import Path
from typing import ClassVar

from ssmpe.data.annotation import Annotation
from ssmpe.data.dataset import Dataset, Source, Track


class Folder(Dataset):
    """All audio files below a folder."""

    splits: ClassVar[tuple[str, ...]] = ("all", "annotated")
    layout: ClassVar[str] = "**/*.{wav,flac,mp3,ogg,…}, an annotation of the same name beside it"
    source: ClassVar[Source] = Source(url="", size="", licence="", unpack="")

    def __init__(self, name: str, folder: Path) -> None:
        """``name``: what the user calls it."""
        super().__init__(folder)
        self.name = name

    def _tracks(self, split: str) -> list[Track]:
        raise NotImplementedError

    def _annotation(self, track: Track) -> Annotation | None:
        raise NotImplementedError
