"""The audio store: decoded once, whole or not at all, whoever opens it."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.files.audio import read_audio
from ssmpe.data.store.audio_store import AudioStore
from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import DataError, UserError

RATE = 22_050


@pytest.fixture
def tracks(tmp_path: Path) -> tuple[Track, ...]:
    """Write six tracks of different lengths, rates and channels; one silent, one very short."""
    rng = np.random.default_rng(0)
    shapes = [(4800, 1, 48_000), (9000, 2, 44_100), (1, 1, 48_000), (800, 1, 16_000), (5, 2, 8_000)]
    (tmp_path / "music").mkdir()
    paths = [tmp_path / "music" / f"{i}.wav" for i in range(6)]
    for path, (n, channels, rate) in zip(paths, shapes, strict=False):
        soundfile.write(path, 0.1 * rng.normal(size=(n, channels)), rate)
    soundfile.write(paths[5], np.zeros(300), RATE)
    return tuple(Track("Music", path.stem, path) for path in paths)


def test_store_holds_what_the_files_hold(tmp_path: Path, tracks: tuple[Track, ...]) -> None:
    seen: list[tuple[int, int, str]] = []
    store = AudioStore.open(
        tracks,
        tmp_path / "music",
        tmp_path / "cache",
        RATE,
        skip_bad=False,
        progress=lambda *step: seen.append(step),
    )
    assert (store.tracks, store.skipped, len(store)) == (tracks, (), 6)
    assert seen == [(i + 1, 6, str(i)) for i in range(6)]
    for i, track in enumerate(tracks):
        assert np.array_equal(store.audio(i), read_audio(track.audio, RATE))
        assert store.audio(i).dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        store.audio(0)[0] = 1.0


def test_store_is_found_again_untouched_even_under_another_root(
    tmp_path: Path, tracks: tuple[Track, ...]
) -> None:
    cache = tmp_path / "cache"
    first = AudioStore.open(tracks, tmp_path / "music", cache, RATE, skip_bad=False)
    before = {p: p.stat().st_mtime_ns for p in cache.rglob("*")}
    (tmp_path / "music").rename(tmp_path / "moved")
    moved = [Track("Music", t.name, tmp_path / "moved" / t.audio.name) for t in tracks]
    decoded: list[object] = []
    again = AudioStore.open(
        moved,
        tmp_path / "moved",
        cache,
        RATE,
        skip_bad=False,
        progress=lambda *step: decoded.append(step),
    )
    assert not decoded
    assert {p: p.stat().st_mtime_ns for p in cache.rglob("*")} == before
    assert np.array_equal(again.audio(1), first.audio(1))
    assert again.tracks == tuple(moved)


def test_store_is_built_anew_when_anything_it_depends_on_changes(
    tmp_path: Path, tracks: tuple[Track, ...]
) -> None:
    def folder(tracks: tuple[Track, ...], rate: int = RATE) -> Path:
        return AudioStore.open(
            tracks, tmp_path / "music", tmp_path / "cache", rate, skip_bad=False
        ).folder

    folders = {folder(tracks), folder(tracks, 16_000), folder(tracks[:-1]), folder(tracks[::-1])}
    path = tracks[0].audio
    old = path.stat()
    samples, rate = soundfile.read(path)
    soundfile.write(path, -samples, rate)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns + 1))
    assert path.stat().st_size == old.st_size
    folders.add(folder(tracks))
    assert len(folders) == 5
    store = AudioStore.open(tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=False)
    assert np.array_equal(store.audio(0), read_audio(path, RATE))


def test_pickled_store_opens_the_same_file(tmp_path: Path, tracks: tuple[Track, ...]) -> None:
    store = AudioStore.open(tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=False)
    assert store.tracks == tracks
    pickled = pickle.dumps(store)
    assert b"wav" not in pickled
    assert len(pickled) < 1000
    assert np.array_equal(pickle.loads(pickled).audio(1), store.audio(1))


def test_store_is_found_by_its_key_without_a_look_at_the_files(
    tmp_path: Path, tracks: tuple[Track, ...]
) -> None:
    cache = tmp_path / "cache"
    damage(tracks)
    built = AudioStore.open(tracks, tmp_path / "music", cache, RATE, skip_bad=True)
    audio = [built.audio(i).copy() for i in range(len(built))]
    (tmp_path / "music").rename(tmp_path / "elsewhere")
    found = AudioStore.find(built.key, tmp_path / "moved", cache)
    assert found is not None
    assert (found.dataset, found.hours, found.key) == ("Music", built.hours, built.key)
    assert all(np.array_equal(found.audio(i), audio[i]) for i in range(4))
    assert "tracks" not in vars(found)  # read when asked for
    assert [t.name for t in found.tracks] == ["0", "2", "4", "5"]
    assert found.tracks[1].audio == tmp_path / "moved" / "2.wav"
    assert [s.path for s in found.skipped] == [str(tmp_path / "moved" / f"{i}.wav") for i in (1, 3)]


def test_store_that_is_missing_unfinished_or_damaged_is_not_found(
    tmp_path: Path, tracks: tuple[Track, ...]
) -> None:
    cache = tmp_path / "cache"
    store = AudioStore.open(tracks, tmp_path / "music", cache, RATE, skip_bad=False)
    assert AudioStore.find("Music-0", tmp_path / "music", cache) is None
    with open(store.folder / "audio.f32", "r+b") as file:
        file.truncate(100)
    assert AudioStore.find(store.key, tmp_path / "music", cache) is None
    again = AudioStore.open(tracks, tmp_path / "music", cache, RATE, skip_bad=False)
    assert np.array_equal(again.audio(1), read_audio(tracks[1].audio, RATE))


def view(store: AudioStore) -> tuple[object, ...]:
    """Return all that a store tells."""
    audio = [store.audio(i).tobytes() for i in range(len(store))]
    return (
        *(store.key, store.dataset, store.sample_rate, store.sample_rates, store.digest),
        *(store.tracks, store.skipped, audio),
    )


@pytest.mark.parametrize("table", ["index.json", "offsets.npy", "tracks.json", "skipped.json"])
def test_flipped_bit_in_a_table_is_noticed(
    tmp_path: Path, tracks: tuple[Track, ...], table: str
) -> None:
    cache, music = tmp_path / "cache", tmp_path / "music"
    damage(tracks)
    store = AudioStore.open(tracks, music, cache, RATE, skip_bad=True)
    expected, path = view(store), store.folder / table
    intact = path.read_bytes()
    for place in range(len(intact)):
        flipped = bytearray(intact)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        found = AudioStore.find(store.key, music, cache)
        assert found is None or view(found) == expected, place
    path.write_bytes(intact[: len(intact) // 2])
    assert AudioStore.find(store.key, music, cache) is None
    assert view(AudioStore.open(tracks, music, cache, RATE, skip_bad=True)) == expected
    assert path.read_bytes() == intact


def test_store_of_a_version_without_checksums_is_read_if_its_tables_agree(
    tmp_path: Path, tracks: tuple[Track, ...]
) -> None:
    damage(tracks)
    music, cache = tmp_path / "music", tmp_path / "cache"
    store = AudioStore.open(tracks, music, cache, RATE, skip_bad=True)
    index = json.loads((store.folder / "index.json").read_text())
    del index["digest"]
    (store.folder / "index.json").write_text(json.dumps(index, indent=1))
    found = AudioStore.find(store.key, music, cache)
    assert found is not None
    assert view(found) == view(store)
    offsets = np.load(store.folder / "offsets.npy")
    np.save(store.folder / "offsets.npy", offsets[:-1])
    assert AudioStore.find(store.key, music, cache) is None


def test_store_tells_hours_and_sample_rates(tmp_path: Path, tracks: tuple[Track, ...]) -> None:
    damage(tracks)
    store = AudioStore.open(tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=True)
    assert store.sample_rates == {8_000: 1, 22_050: 1, 48_000: 2}
    assert store.hours * 3600 == pytest.approx(0.1 + 300 / RATE, abs=0.001)
    assert [store.n_samples(i) for i in range(4)] == [len(store.audio(i)) for i in range(4)]


def test_stretches_of_a_file_are_tracks_of_their_own(
    tmp_path: Path, tracks: tuple[Track, ...]
) -> None:
    path = tracks[1].audio
    clips = [
        Track("Music", "whole", path),
        Track("Music", "begin", path, 0.0, 0.05),
        Track("Music", "rest", path, 0.05),
        Track("Music", "behind", path, 30.0, 30.0),
    ]
    store = AudioStore.open(clips, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=True)
    assert store.tracks == tuple(clips[:3])
    n = round(0.05 * RATE)
    assert np.array_equal(store.audio(1), store.audio(0)[:n])
    assert np.array_equal(store.audio(2), store.audio(0)[n:])
    assert "ends after 0.20 s" in store.skipped[0].reason
    found = AudioStore.find(store.key, tmp_path / "music", tmp_path / "cache")
    assert found is not None
    assert found.tracks == store.tracks


def damage(tracks: tuple[Track, ...]) -> None:
    """Make the tracks 1 and 3 unusable."""
    tracks[1].audio.write_text("no audio")
    soundfile.write(tracks[3].audio, np.full(100, np.nan), RATE, subtype="FLOAT")


def test_bad_files_are_skipped_counted_and_listed(
    tmp_path: Path, tracks: tuple[Track, ...]
) -> None:
    damage(tracks)
    store = AudioStore.open(tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=True)
    assert [track.name for track in store.tracks] == ["0", "2", "4", "5"]
    assert np.array_equal(store.audio(1), read_audio(tracks[2].audio, RATE))
    assert [s.path for s in store.skipped] == [str(tracks[1].audio), str(tracks[3].audio)]
    assert "NaN" in store.skipped[1].reason
    assert store.skipped[1].path not in store.skipped[1].reason
    report = json.loads((store.folder / "skipped.json").read_text())
    assert (report["skipped"], report["tracks"]) == (2, 6)
    assert [file["path"] for file in report["files"]] == [s.path for s in store.skipped]
    again = AudioStore.open(tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=True)
    assert (again.tracks, again.skipped) == (store.tracks, store.skipped)


@pytest.mark.parametrize("skipped_before", [False, True])
def test_bad_file_of_a_labelled_set_is_refused_and_nothing_kept(
    tmp_path: Path, tracks: tuple[Track, ...], skipped_before: bool
) -> None:
    damage(tracks)
    if skipped_before:
        AudioStore.open(tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=True)
    with pytest.raises(DataError) as error:
        AudioStore.open(tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=False)
    assert str(error.value).startswith(f"{tracks[1].audio}: audio cannot be read")
    if not skipped_before:
        assert not [p for p in (tmp_path / "cache" / "audio").iterdir() if p.is_dir()]


def test_set_without_usable_audio_is_refused(tmp_path: Path, tracks: tuple[Track, ...]) -> None:
    damage(tracks)
    with pytest.raises(DataError, match=r"none of 2 tracks is usable: .*1\.wav: "):
        AudioStore.open(
            (tracks[1], tracks[3]), tmp_path / "music", tmp_path / "cache", RATE, skip_bad=True
        )
    with pytest.raises(DataError, match="no tracks"):
        AudioStore.open((), tmp_path / "music", tmp_path / "cache", RATE, skip_bad=True)
    missing = Track("Music", "9", tmp_path / "music" / "9.wav")
    with pytest.raises(DataError, match=r"9\.wav: no such audio file"):
        AudioStore.open((missing,), tmp_path / "music", tmp_path / "cache", RATE, skip_bad=False)


def test_cache_that_cannot_be_written_is_refused(tmp_path: Path, tracks: tuple[Track, ...]) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match=r"cache .*file/audio is not writable .*SSMPE_CACHE"):
        AudioStore.open(tracks, tmp_path / "music", tmp_path / "file", RATE, skip_bad=False)


def test_cache_folder_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("SSMPE_CACHE", raising=False)
    assert cache_dir() == tmp_path / "home" / ".cache" / "ssmpe"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "ssmpe"
    monkeypatch.setenv("SSMPE_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    assert cache_dir().is_dir()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SSMPE_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="not writable"):
        cache_dir()
