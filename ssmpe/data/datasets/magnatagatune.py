"""MagnaTagATune: clips of the Magnatune label (unlabelled training, optional)."""

import re
import stat
from pathlib import Path
from typing import ClassVar

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Source, Track

_FOLDER = re.compile(r"[0-9a-f]")


class MagnaTagATune(Dataset):
    """Clips of 29 s; a track is named by its folder and file, without suffix.

    Files of 0 bytes are left out. As published there are three of them:
    ``6/norine_braun-now_and_zen-08-gently-117-146.mp3``,
    ``8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233.mp3`` and
    ``9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_``
    ``couperin-88-117.mp3``.
    """

    name: str = "MagnaTagATune"
    splits: ClassVar[tuple[str, ...]] = ("all",)
    layout: ClassVar[str] = "[0-9a-f]/*.mp3"
    source: ClassVar[Source] = Source(
        url="https://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset",
        size="3 GB (mp3.zip.001 to mp3.zip.003): 25,863 clips at 32 kbit/s",
        licence="CC BY-NC-SA 3.0",
        unpack="cat mp3.zip.00? > mp3.zip; unzip mp3.zip -d MagnaTagATune",
    )
    annotated: ClassVar[bool] = False

    def _tracks(self, split: str) -> list[Track]:
        folders = [name for name in listing.names_in(self.folder) if _FOLDER.fullmatch(name)]
        paths = {
            f"{folder}/{name}": self.folder / folder / name
            for folder in folders
            for name in listing.names_in(self.folder / folder)
            if name.endswith(".mp3")
        }
        return [
            self._track(listing.readable(name.removesuffix(".mp3")), path)
            for name, path in paths.items()
            if not _is_empty(path)
        ]

    def _annotation(self, track: Track) -> None:
        return None


def _is_empty(path: Path) -> bool:
    """Tell whether a file has 0 bytes; one that cannot be looked at is reported later."""
    try:
        status = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == 0
