"""The audio store: decoded once, whole or not at all, whoever opens it."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data.audio import read_audio
from ssmpe.data.cache import cache_dir
from ssmpe.data.dataset import Track
from ssmpe.data.store import AudioStore
from ssmpe.errors import DataError, OutOfSpaceError, UserError

RATE = 22_050


@pytest.fixture
def tracks(tmp_path: Path) -> tuple[Track, ...]:
    """Six tracks of different lengths, rates and channels; one of them silent, one very short."""
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


OPEN_AND_PRINT = """
import hashlib, sys, time
from pathlib import Path
from ssmpe.data.dataset import Track
from ssmpe.data.store import AudioStore
cache, start, *paths = sys.argv[1:]
tracks = [Track("Music", Path(p).stem, Path(p)) for p in paths]
built = []
while time.time() < float(start):
    pass
progress = lambda *step: built.append(step)
store = AudioStore.open(
    tracks, Path(paths[0]).parent, Path(cache), 22050, skip_bad=False, progress=progress
)
samples = b"".join(store.audio(i).tobytes() for i in range(len(store)))
print(len(built), hashlib.sha256(samples).hexdigest())
"""


def test_of_processes_that_start_at_once_one_builds(
    tmp_path: Path, tracks: tuple[Track, ...]
) -> None:
    start = time.time() + 1.5  # by when all have been imported
    command = [sys.executable, "-c", OPEN_AND_PRINT, str(tmp_path / "cache"), str(start)]
    command += [str(track.audio) for track in tracks]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0].split() for process in processes]
    assert sorted(int(built) for built, _ in outputs) == [0, 0, 6]
    assert len({digest for _, digest in outputs}) == 1


def test_left_overs_of_a_killed_build_and_damaged_stores_are_replaced(
    tmp_path: Path, tracks: tuple[Track, ...]
) -> None:
    folder = AudioStore.open(
        tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=False
    ).folder
    partial = folder.with_suffix(".partial")
    partial.mkdir()
    (partial / "audio.f32").write_bytes(b"half")
    with open(folder / "audio.f32", "r+b") as file:
        file.truncate(100)
    store = AudioStore.open(tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=False)
    assert not partial.exists()
    assert np.array_equal(store.audio(1), read_audio(tracks[1].audio, RATE))


def test_pickled_store_opens_the_same_file(tmp_path: Path, tracks: tuple[Track, ...]) -> None:
    store = AudioStore.open(tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=False)
    pickled = pickle.dumps(store)
    assert len(pickled) < 4 * len(store.audio(1))
    assert np.array_equal(pickle.loads(pickled).audio(1), store.audio(1))


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


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    # lazily: a store may still be mapped
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk_is_told_and_what_was_finished_is_kept(
    tmp_path: Path, tracks: tuple[Track, ...], small_disk: Path
) -> None:
    big = Track("Music", "big", tmp_path / "music" / "big.wav")
    soundfile.write(big.audio, np.random.default_rng(0).normal(size=200_000), RATE)
    filler = small_disk / "filler"

    def fill(done: int, total: int, name: str) -> None:
        if done == 2:  # something else comes to need the disk
            filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - 100_000))

    folder = tmp_path / "music"
    with pytest.raises(OutOfSpaceError, match="filled up") as error:
        AudioStore.open((*tracks, big), folder, small_disk, RATE, skip_bad=True, progress=fill)
    assert "\n" not in str(error.value)
    filler.unlink()
    steps: list[int] = []
    store = AudioStore.open(
        (*tracks, big),
        folder,
        small_disk,
        RATE,
        skip_bad=True,
        progress=lambda done, total, name: steps.append(done),
    )
    assert steps == [6, 7]
    assert np.array_equal(store.audio(6), read_audio(big.audio, RATE))


def test_disk_that_is_too_small_is_told_before_anything_is_decoded(
    tmp_path: Path, tracks: tuple[Track, ...], small_disk: Path
) -> None:
    big = Track("Music", "big", tmp_path / "music" / "big.wav")
    soundfile.write(big.audio, np.zeros(400_000), RATE)
    steps: list[int] = []

    def opened(sample_format: str) -> AudioStore:
        return AudioStore.open(
            (*tracks, big),
            tmp_path / "music",
            small_disk,
            RATE,
            skip_bad=True,
            sample_format=sample_format,
            progress=lambda done, total, name: steps.append(done),
        )

    with pytest.raises(UserError, match=r"about 1\.6 MB .* has 1\.0 MB free") as error:
        opened("float32")
    for help_text in ("--max-hours SET=HOURS", "data.sample_format=int16", "SSMPE_CACHE"):
        assert help_text in str(error.value)
    assert "\n" not in str(error.value)
    assert not steps
    assert len(opened("int16")) == 7


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
