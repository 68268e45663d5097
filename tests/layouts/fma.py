"""FMA in small: five clips in two folders, and the table of tracks in its published form."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from tests.layouts.layout import Layout, write_tone

COLUMNS = {
    "": "",
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
"""Names of the columns by their group; the first column has none"""

GENRES = """genre_id,#tracks,parent,title,top_level
2,5271,0,International,2
12,32923,0,Rock,12
15,34413,0,Electronic,15
21,8389,0,Hip-Hop,21
25,9261,12,Punk,12
45,3058,12,Loud-Rock,12
101,1048,45,Death-Metal,12
1235,14938,0,Instrumental,1235
"""

TRACKS = {
    2: "[21]",
    3: "[101, 25]",  # below the same root
    5: "[21, 25]",  # of two roots
    10: "[]",
    140: "[12]",  # not on disk
    1_039: "[15]",
    99_134: "[21]",  # empty as published
}
CLIPS = ("000/000002", "000/000003", "000/000005", "000/000010", "001/001039", "099/099134")


def tracks_csv(genres: Mapping[int, str]) -> str:
    """Make ``tracks.csv``: three header lines, then the tracks, some over several lines."""
    header = [(group, name) for group, names in COLUMNS.items() for name in names.split() or [""]]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerows(zip(*header, strict=True))
    table.writerow(["track_id"] + [""] * (len(header) - 1))
    for number, listed in genres.items():
        fields = {("", ""): number, ("track", "genres"): listed}
        fields["album", "information"] = '<p>A first album,\nrecorded "live"</p>'
        table.writerow([fields.get(column, "") for column in header])
    return text.getvalue()


def write(root: Path) -> None:
    for clip in (*CLIPS, "000/000777"):  # the last is not in the table
        write_tone(root / "FMA" / f"{clip}.mp3", rate=44_100, channels=2)
    (root / "FMA" / "099" / "099134.mp3").write_bytes(b"")
    (root / "FMA" / "000" / "._000001.mp3").write_bytes(b"Mac OS X")
    (root / "FMA" / "checksums").write_text("")
    metadata = root / "FMA" / "fma_metadata"
    metadata.mkdir()
    (metadata / "tracks.csv").write_text(tracks_csv(TRACKS))
    (metadata / "genres.csv").write_text(GENRES)


SETS = {
    "FMA/train": Layout(write, tracks=("000002", "000003", "000005", "000010", "001039")),
    "FMA/Rock": Layout(write, tracks=("000003", "000005")),
    "FMA/Hip-Hop": Layout(write, tracks=("000002", "000005")),
}
