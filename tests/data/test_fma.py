"""FMA: its table of tracks as it is published, damaged and made up; its genres."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssmpe.data.datasets.fma import EMPTY, FMA, ROOT_GENRES, read_roots, read_tracks
from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.errors import UserError
from tests.data.test_parsing import any_text, parsed
from tests.layouts.fma import COLUMNS, GENRES, TRACKS, tracks_csv, write
from tests.layouts.layout import write_tone

N_COLUMNS = 53


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def metadata(root: Path, name: str) -> Path:
    return root / "FMA" / "fma_metadata" / name


def names(root: Path, split: str) -> list[str]:
    return [track.name for track in resolve(f"FMA/{split}", Locations(root)).tracks]


def refusal(root: Path, split: str) -> str:
    with pytest.raises(UserError) as error:
        names(root, split)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_table_has_the_published_form() -> None:
    """Genres are in column 41 of 53, counted from 0."""
    groups, columns, third = (line.split(",") for line in tracks_csv({}).splitlines())
    assert len(groups) == len(columns) == len(third) == N_COLUMNS
    assert (groups[41], columns[41], third[0]) == ("track", "genres", "track_id")
    assert (groups[0], columns[0]) == ("", "")
    assert list(dict.fromkeys(groups)) == list(COLUMNS)


def test_there_is_a_split_for_each_of_the_16_root_genres() -> None:
    assert FMA.splits == ("train", *ROOT_GENRES)
    assert len(set(ROOT_GENRES)) == 16


# --- which clips ------------------------------------------------------------------------------


def test_train_is_what_is_both_in_the_table_and_on_disk(root: Path) -> None:
    on_disk = {path.stem for path in (root / "FMA").glob("[0-9]*/[0-9]*.mp3")}
    listed = {f"{number:06d}" for number in TRACKS}
    assert on_disk - listed == {"000777"}
    assert listed - on_disk == {"000140"}
    assert set(names(root, "train")) == (on_disk & listed) - EMPTY


def test_clips_known_to_be_empty_are_left_out_whatever_their_files_hold(root: Path) -> None:
    write_tone(root / "FMA" / "099" / "099134.mp3")
    assert "099134" in EMPTY
    assert "099134" not in names(root, "train") + names(root, "Hip-Hop")


def test_clip_of_two_root_genres_is_in_both_and_once_in_train(root: Path) -> None:
    by_split = {split: names(root, split) for split in ("train", "Rock", "Hip-Hop")}
    assert all(found.count("000005") == 1 for found in by_split.values())
    # two genres below one root are one root
    assert by_split["Rock"].count("000003") == 1


def test_clip_without_genres_is_in_train_alone(root: Path) -> None:
    splits = ("Rock", "Hip-Hop", "Electronic")
    assert "000010" in names(root, "train")
    assert "000010" not in [name for split in splits for name in names(root, split)]


def test_genre_whose_title_has_a_slash_is_a_split(root: Path) -> None:
    title = "Old-Time / Historic"
    assert f"no tracks of split {title!r}" in refusal(root, title)
    metadata(root, "genres.csv").write_text(f"{GENRES}8,868,0,{title},8\n")
    metadata(root, "tracks.csv").write_text(tracks_csv({**TRACKS, 10: "[8]"}))
    assert names(root, title) == ["000010"]


def test_subset_is_read_with_the_table_of_all(root: Path) -> None:
    for path in (root / "FMA" / "000").glob("*.mp3"):
        path.unlink()
    assert names(root, "train") == ["001039"]


# --- a layout that is not as it should be ---------------------------------------------------------


def test_clips_one_folder_too_deep_are_answered_with_the_layout(root: Path) -> None:
    large = root / "FMA" / "fma_large"
    large.mkdir()
    for folder in list((root / "FMA").glob("[0-9]*")):
        folder.rename(large / folder.name)
    assert "FMA/000/000002.mp3, fma_metadata/" in refusal(root, "train")


@pytest.mark.parametrize(
    ("gone", "split"), [("tracks.csv", "train"), ("tracks.csv", "Rock"), ("genres.csv", "Rock")]
)
def test_missing_table_is_named(root: Path, gone: str, split: str) -> None:
    metadata(root, gone).unlink()
    assert refusal(root, split).startswith(f"{metadata(root, gone)} is missing")


def test_genres_are_only_needed_to_choose_by_them(root: Path) -> None:
    metadata(root, "genres.csv").unlink()
    assert names(root, "train")


TABLE = tracks_csv(TRACKS)
LINES = TABLE.split("\n")
DAMAGED_TABLES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", ": the file is empty"),
    "one header line": (LINES[0], "line 2: no column 'genres'"),
    "without genres": (TABLE.replace(",genres,", ",kinds,"), "line 2: no column 'genres'"),
    "one column less": (TABLE + "7,8\n", "line 18: 2 columns where the header has 53"),
    "no number": (TABLE.replace("\n10,", "\nten,"), "line 10: track_id is 'ten'"),
    "too large a number": (TABLE.replace("\n10,", "\n10000000,"), "line 10: track_id is '10000000"),
    "no list": (TABLE.replace('"[101, 25]"', "101"), "line 6: genres are '101'"),
    "no list of numbers": (TABLE.replace("101, 25", "Rock"), "line 6: genres are '[Rock]'"),
    "unknown genre": (TABLE.replace("101, 25", "999"), "line 6: genre 999 is not in genres.csv"),
    "open quote": ("\n".join(LINES[:4]), "line 4: not CSV"),
    "not text": (TABLE.encode() + b"\xff\xfe", "not UTF-8 text"),
}


@pytest.mark.parametrize("damage", DAMAGED_TABLES)
def test_damaged_table_is_one_line_with_the_line_where_the_row_begins(
    root: Path, damage: str
) -> None:
    content, expected = DAMAGED_TABLES[damage]
    path = metadata(root, "tracks.csv")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refusal(root, "Rock")
    assert message.startswith(str(path))
    assert expected in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ": the file is empty"),
        (GENRES.replace("top_level", "root"), ", line 1: no column 'top_level'"),
        (GENRES.replace("101,1048", "x,1048"), ", line 8: genre_id is 'x', not a number"),
        (GENRES.replace("Punk,12", "Punk,13"), ", line 6: top_level is 13"),
        (GENRES + "16,8\n", ", line 10: 2 columns"),
    ],
)
def test_damaged_genres_are_one_line(root: Path, content: str, expected: str) -> None:
    metadata(root, "genres.csv").write_text(content)
    message = refusal(root, "Rock")
    assert f"{metadata(root, 'genres.csv')}{expected}" in message


def test_byte_order_mark_crlf_and_blank_lines_change_nothing(root: Path) -> None:
    before = names(root, "Rock")
    for path in (metadata(root, "tracks.csv"), metadata(root, "genres.csv")):
        content = path.read_bytes().replace(b"\n", b"\r\n")
        path.write_bytes(b"\xef\xbb\xbf" + content + b"\r\n\r\n")
    assert names(root, "Rock") == before


# --- any content ------------------------------------------------------------------------------

HEADER = TABLE[: TABLE.index("track_id")]
texts = st.text(alphabet=st.sampled_from('0123456789[], "\n\rabé\x00\ufeff'), max_size=80)
cells = st.sampled_from(["2", "track_id", "", "[21]", '"[21, 25]"', "[", '"', "٣"])
rows = st.lists(cells, min_size=N_COLUMNS - 1, max_size=N_COLUMNS + 1).map(",".join)


@any_text
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.text().map(str.encode),
        st.one_of(texts, st.lists(rows).map("\n".join)).map(lambda text: (HEADER + text).encode()),
    )
)
@example(content=HEADER.encode() + b'"' + b"9" * 200_000)
@example(content=HEADER.encode() + b"9" * 5_000 + b"," * (N_COLUMNS - 1))
def test_table_of_any_content_gives_tracks_or_one_line(tmp_path: Path, content: bytes) -> None:
    tracks = parsed(lambda path: list(read_tracks(path)), tmp_path / "tracks.csv", content)
    for number, row in tracks or ():
        assert 0 <= number < 1_000_000
        assert len(row.fields) == 1


@any_text
@given(
    content=st.one_of(
        st.binary(max_size=200),
        texts.map(lambda text: f"genre_id,title,top_level\n{text}".encode()),
    )
)
@example(content=b"genre_id,title,top_level\n1e300,x,1e300\n")
def test_genres_of_any_content_give_titles_or_one_line(tmp_path: Path, content: bytes) -> None:
    roots = parsed(read_roots, tmp_path / "genres.csv", content)
    assert roots is None or all(isinstance(title, str) for title in roots.values())
