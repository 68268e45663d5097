"""FMA: clips of the Free Music Archive in all genres (unlabelled training)."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Source, Track
from ssmpe.data.files.parsing import Row, read_csv, require_regular
from ssmpe.errors import DataError

ROOT_GENRES = (
    *("International", "Blues", "Jazz", "Classical", "Old-Time / Historic", "Country", "Pop"),
    *("Rock", "Easy Listening", "Soul-RnB", "Electronic", "Folk", "Spoken", "Hip-Hop"),
    *("Experimental", "Instrumental"),
)
"""Titles of the genres that have no parent, as ``genres.csv`` spells them"""

EMPTY = frozenset({"099134", "108925", "133297"})
"""Clips without audio: they were cut from beyond the end of a recording (dataset issue 41)"""

_FOLDER = re.compile(r"[0-9]{3}")
_CLIP = re.compile(r"[0-9]{6}\.mp3")
_NUMBER = re.compile(r"[0-9]{1,6}")
_NUMBERS = re.compile(r"\[([0-9]{1,6}(, ?[0-9]{1,6})*)?\]")


class FMA(Dataset):
    """Clips of 30 s; ``fma_small``, ``fma_medium`` and ``fma_large`` are laid out alike.

    The split "train" is every clip that is on disk and in ``tracks.csv``, but the three that are
    ``EMPTY``; further clips that do not decode are left to whoever decodes them. A root genre's
    split has those of them that have this genre or one below it; a clip of several root genres is
    in the split of each, and once in "train". A clip's genres are those of the column ``genres``
    (number 41, counted from 0).
    """

    name: str = "FMA"
    splits: ClassVar[tuple[str, ...]] = ("train", *ROOT_GENRES)
    layout: ClassVar[str] = "000/000002.mp3, fma_metadata/{tracks,genres}.csv"
    source: ClassVar[Source] = Source(
        url="https://github.com/mdeff/fma",
        size="93 GiB (fma_large.zip; medium 22 GiB, small 7.2 GiB) and 342 MiB (fma_metadata.zip)",
        licence="metadata CC BY 4.0; every recording under the licence its artist chose",
        unpack="unzip fma_metadata.zip -d FMA; unzip fma_large.zip, then move the folders 000 to "
        "155 that it holds into FMA/",
    )
    annotated: ClassVar[bool] = False

    def _tracks(self, split: str) -> list[Track]:
        metadata = self.folder / "fma_metadata"
        self._require(metadata / "tracks.csv")
        rows = read_tracks(metadata / "tracks.csv")
        if split == "train":
            listed = {number for number, _ in rows}
        else:
            self._require(metadata / "genres.csv")
            roots = read_roots(metadata / "genres.csv")
            listed = {number for number, row in rows if split in _root_genres(row, roots)}
        clips = self._clips()
        names = clips.keys() & {f"{number:06d}" for number in listed} - EMPTY
        return [self._track(name, clips[name]) for name in names]

    def _clips(self) -> dict[str, Path]:
        """Return the path of every clip on disk, by its name of six digits."""
        folders = [self.folder / n for n in listing.names_in(self.folder) if _FOLDER.fullmatch(n)]
        return {
            name.removesuffix(".mp3"): folder / name
            for folder in folders
            for name in listing.names_in(folder)
            if _CLIP.fullmatch(name)
        }

    def _annotation(self, track: Track) -> None:
        return None


def read_tracks(path: Path) -> Iterator[tuple[int, Row]]:
    """Read the number of every track of ``tracks.csv``, with a row of one field: its genres.

    Two lines of headers, of the columns' groups and of their names, come before the tracks, and
    one that names the first column.

    Raises:
        DataError: the file is no such table, or a row of it has another form.
    """
    records = _records(path)
    groups, names = (next(records, Row(path, line, [])) for line in (1, 2))
    header = list(zip(groups.fields, names.fields, strict=False))
    if ("track", "genres") not in header:
        raise names.error("no column 'genres' of the group 'track' in the two lines of headers")
    column = header.index(("track", "genres"))
    for row in records:
        if len(row.fields) != len(header):
            raise row.error(f"{len(row.fields)} columns where the header has {len(header)}")
        number = row.fields[0]
        if _NUMBER.fullmatch(number):
            yield int(number), Row(path, row.line, [row.fields[column]])
        elif number != "track_id":
            raise row.error(f"track_id is {number!r:.40}, not a number of up to six digits")


def read_roots(path: Path) -> dict[int, str]:
    """Read the title of the root of every genre of ``genres.csv``.

    Raises:
        DataError: the file is no such table, or a root is not in it.
    """
    titles: dict[float, str] = {}
    rows = list(read_csv(path, ("genre_id", "title", "top_level")))
    for row in rows:
        titles[row.number(0, "genre_id")] = row.fields[1]
    roots = {}
    for row in rows:
        root = row.number(2, "top_level")
        if root not in titles:
            raise row.error(f"top_level is {root:g}, which is no genre_id of the table")
        roots[int(row.number(0, "genre_id"))] = titles[root]
    return roots


def _root_genres(row: Row, roots: dict[int, str]) -> set[str]:
    (genres,) = row.fields
    if not _NUMBERS.fullmatch(genres):
        raise row.error(f"genres are {genres!r:.40}, expected a list such as [21, 15]")
    try:
        return {roots[int(number)] for number in _NUMBER.findall(genres)}
    except KeyError as error:
        raise row.error(f"genre {error} is not in genres.csv") from None


def _records(path: Path) -> Iterator[Row]:
    """Read the rows of a CSV file that is too large to be held whole, one after the other.

    A row knows the line on which it begins.
    """
    line = 1
    try:
        require_regular(path)
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for fields in reader:
                if fields:
                    yield Row(path, line, fields)
                line = reader.line_num + 1
            if line == 1:
                raise DataError(f"{path}: the file is empty (0 bytes)")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        where = f"{path}, line {line} or a later one"  # decoded some lines ahead
        raise DataError(f"{where}: not UTF-8 text ({error.reason})") from None
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: not CSV ({error})") from None
