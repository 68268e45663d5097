"""FMA: MP3 clips of all genres, with tables of tracks and genres."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ssmpe.seeding import numpy_generator
from ssmpe.world.playing.programme import Music
from ssmpe.world.sound.studio import AudioFormat, mix, write_mp3

# Names of the columns by their group; the first column, which has the track's number, has none.
COLUMNS = {
    "album": "comments date_created date_released engineer favorites id information listens "
    "producer tags title tracks type",
    "artist": "active_year_begin active_year_end associated_labels bio comments date_created "
    "favorites id latitude location longitude members name related_projects tags website "
    "wikipedia_page",
    "set": "split subset",
    "track": "bit_rate comments composer date_created date_recorded duration favorites genre_top "
    "genres genres_all information interest language_code license listens lyricist number "
    "publisher tags title",
}


@dataclass(frozen=True)
class Genre:
    """A line of the table of genres; ``parent`` is 0 for a root, ``top_level`` then itself."""

    number: int
    parent: int
    title: str
    top_level: int


@dataclass(frozen=True)
class FmaClip:
    """A clip: its number, genres by number, and what is played.

    Without music it is in the tables alone; ``empty`` ones have a file of no bytes.
    """

    number: int
    genres: tuple[int, ...]
    music: Music | None
    seconds: float
    form: AudioFormat
    split: str = "training"
    empty: bool = False

    @property
    def label(self) -> str:
        """Text that a progress display shows."""
        return f"FMA {self.number:06d}"

    def write(self, root: Path) -> None:
        """Write the clip, if there is one."""
        name = f"{self.number:06d}"
        path = root / "FMA" / name[:3] / f"{name}.mp3"
        if self.empty:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        if self.music is not None:
            rng = numpy_generator("world", "FMA", self.number)
            write_mp3(path, mix(self.music.stems(self.seconds, rng), rng), self.form)


@dataclass(frozen=True)
class FmaTables:
    """The tables of all tracks and genres."""

    clips: tuple[FmaClip, ...]
    genres: tuple[Genre, ...]
    label = "FMA tables"

    def write(self, root: Path) -> None:
        """Write both tables."""
        folder = root / "FMA" / "fma_metadata"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tracks.csv").write_text(_csv(self._tracks()))
        (folder / "genres.csv").write_text(_csv(self._genres()))

    def _tracks(self) -> Iterator[list[object]]:
        """Yield two lines of headers, one that names the first column, then a line per track."""
        columns = [(group, name) for group, names in COLUMNS.items() for name in names.split()]
        yield ["", *(group for group, _ in columns)]
        yield ["", *(name for _, name in columns)]
        yield ["track_id", *("" for _ in columns)]
        roots = {genre.number: genre.top_level for genre in self.genres}
        titles = {genre.number: genre.title for genre in self.genres}
        for clip in sorted(self.clips, key=lambda c: c.number):
            tops = {roots[number] for number in clip.genres}
            values: dict[tuple[str, str], object] = {
                ("set", "split"): clip.split,
                ("set", "subset"): "large",
                ("track", "duration"): round(clip.seconds),
                # Left blank in the dataset, too, where there are several.
                ("track", "genre_top"): titles[min(tops)] if len(tops) == 1 else "",
                ("track", "genres"): list(clip.genres),
                ("track", "genres_all"): sorted({*clip.genres, *tops}),
                ("track", "title"): f"Song, no. {clip.number}",
            }
            yield [clip.number, *(values.get(column, "") for column in columns)]

    def _genres(self) -> Iterator[list[object]]:
        yield ["genre_id", "#tracks", "parent", "title", "top_level"]
        for genre in self.genres:
            count = sum(genre.number in clip.genres for clip in self.clips)
            yield [genre.number, count, genre.parent, genre.title, genre.top_level]


def _csv(rows: Iterator[list[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
