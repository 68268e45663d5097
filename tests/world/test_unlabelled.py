"""The embedded world on disk: layouts of FMA, MedleyDB, SWD and MagnaTagATune; all its audio."""

import csv
import io
import json

import numpy as np
import pytest
import soundfile

from ssmpe.world.build import world_key
from tests.support.micro_world import MICRO, micro_world, names


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return micro_world(tmp_path_factory)


def test_world_has_all_datasets_and_a_stamp(world):
    datasets = {
        *("URMP", "Bach10", "Su", "TRIOS", "MusicNet", "GuitarSet", "MAESTRO"),
        *("NSynth", "E-GMD", "FMA", "MedleyDB", "SWD", "MagnaTagATune"),
    }
    assert names(world) == datasets | {"world.json"}
    assert json.loads((world / "world.json").read_text())["key"] == world_key(MICRO)


def test_all_audio_sounds_and_none_clips(world):
    lossless, coded = ([*world.rglob(f"*.{kind}")] for kind in ("wav", "mp3"))
    coded = [path for path in coded if path.stat().st_size]
    assert (len(lossless), len(coded)) == (81, 6)
    for path in lossless + coded:
        audio, _ = soundfile.read(path)
        assert 0.05 < np.abs(audio).max() < 1.0, path


def fma_rows(world):
    """Read header lines and tracks of the table, by columns counted from 0."""
    text = (world / "FMA" / "fma_metadata" / "tracks.csv").read_text()
    rows = list(csv.reader(io.StringIO(text)))
    return rows[:3], rows[3:]


def test_fma_table_of_tracks(world):
    (groups, columns, first), tracks = fma_rows(world)
    assert len(groups) == 53
    assert (first[0], set(first[1:])) == ("track_id", {""})
    named = dict(enumerate(zip(groups, columns, strict=True)))
    assert [named[i] for i in (31, 32, 40, 41)] == [
        *(("set", "split"), ("set", "subset")),
        *(("track", "genre_top"), ("track", "genres")),
    ]
    assert {len(row) for row in tracks} == {53}
    assert [int(row[0]) for row in tracks] == [2, 5, 8, 20, 511, 99134]
    assert [row[41] for row in tracks[:2]] == ["[12]", "[21, 15]"]
    assert [row[40] for row in tracks[:2]] == ["Rock", ""]
    assert {row[32] for row in tracks} == {"large"}


def test_fma_table_of_genres(world):
    with (world / "FMA" / "fma_metadata" / "genres.csv").open() as file:
        genres = {row["genre_id"]: row for row in csv.DictReader(file)}
    assert sum(row["parent"] == "0" for row in genres.values()) == 16
    for number, row in genres.items():
        root = number if row["parent"] == "0" else row["parent"]
        assert row["top_level"] == root
        assert root in genres
    _, tracks = fma_rows(world)
    assert {str(n) for row in tracks for n in json.loads(row[41])} <= genres.keys()


def test_fma_clips(world):
    clips = {path.relative_to(world / "FMA").as_posix() for path in world.glob("FMA/*/*.mp3")}
    sounding = ["000/000002.mp3", "000/000005.mp3", "000/000008.mp3", "000/000511.mp3"]
    assert clips == {*sounding, "099/099134.mp3"}  # 20 is in the table alone
    assert (world / "FMA" / "099" / "099134.mp3").stat().st_size == 0
    infos = [soundfile.info(world / "FMA" / clip) for clip in sounding]
    assert [info.channels for info in infos] == [2, 1, 2, 2]
    for info in infos:
        assert (info.format, info.samplerate) == ("MP3", 44100)
        assert info.duration == pytest.approx(4.0, abs=0.1)


def test_medleydb_layout(world):
    folders = names(world / "MedleyDB" / "Audio")
    assert len(folders) == 3
    assert sum("Bach10" in name for name in folders) == 1
    for name in folders:
        folder = world / "MedleyDB" / "Audio" / name
        assert names(folder) == {f"{name}_MIX.wav", f"{name}_STEMS"}
        stems = sorted(names(folder / f"{name}_STEMS"))
        assert len(stems) >= 3
        assert stems == [f"{name}_STEM_{k:02d}.wav" for k in range(1, len(stems) + 1)]


def test_swd_layout(world):
    performances = {f"Schubert_D911-01_{who}.wav" for who in ("HU33", "SC06")}
    assert names(world / "SWD" / "01_RawData" / "audio_wav") == performances


def test_magnatagatune_layout(world):
    paths = sorted(world.glob("MagnaTagATune/*/*.mp3"))
    assert names(world / "MagnaTagATune") <= set("0123456789abcdef")
    assert [path.stat().st_size == 0 for path in paths].count(True) == 1
    sounding = [soundfile.info(path) for path in paths if path.stat().st_size]
    assert [(i.format, i.samplerate, i.channels) for i in sounding] == [("MP3", 16000, 1)] * 2
