"""A build of an audio store that was killed is taken up again where it was left."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.store import build
from ssmpe.data.store.audio_store import AudioStore
from ssmpe.errors import DataError

RATE = 22_050
N_TRACKS = 8
BAD = 5


@pytest.fixture
def tracks(tmp_path: Path) -> tuple[Track, ...]:
    """Write tracks of different lengths and rates, one of a stretch, one of no audio."""
    (tmp_path / "music").mkdir()
    rng = np.random.default_rng(0)
    made = []
    for i in range(N_TRACKS):
        path = tmp_path / "music" / f"{i}.wav"
        soundfile.write(path, 0.1 * rng.normal(size=3000 + 1000 * i), (44_100, 16_000)[i % 2])
        made.append(Track("Music", str(i), path))
    made[2] = Track("Music", "2", made[2].audio, 0.01, 0.05)
    made[BAD].audio.write_bytes(b"no audio" * 100)
    return tuple(made)


def content(store: AudioStore) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.folder.iterdir()}


BUILD_AND_DIE = """
import os, signal, sys
from pathlib import Path
from ssmpe.data.store import build
from ssmpe.data.datasets.dataset import Track
from ssmpe.data.store.audio_store import AudioStore
cache, folder, at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
build._COMMIT_SECONDS = 0
tracks = [Track("Music", str(i), folder / f"{i}.wav") for i in range(8)]
tracks[2] = Track("Music", "2", tracks[2].audio, 0.01, 0.05)
def progress(done, total, name):
    if done == at:
        os.kill(os.getpid(), signal.SIGKILL)
AudioStore.open(tracks, folder, cache, 22050, skip_bad=True, progress=progress)
"""


def build_and_die(tmp_path: Path, at: int) -> Path:
    """Have a process killed that has finished ``at`` tracks; the folder that it left."""
    command = [
        sys.executable,
        "-c",
        BUILD_AND_DIE,
        str(tmp_path / "cache"),
        str(tmp_path / "music"),
        str(at),
    ]
    assert subprocess.run(command).returncode == -9
    (left,) = (tmp_path / "cache" / "audio").glob("*.partial")
    return left


def make_unreadable(path: Path) -> None:
    """Spoil a file so that only who reads it notices."""
    before = path.stat()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("at", [1, 4, 6, 8])
def test_killed_build_is_taken_up_without_reading_finished_files(
    tmp_path: Path, tracks: tuple[Track, ...], at: int
) -> None:
    folder = tmp_path / "music"
    whole = AudioStore.open(tracks, folder, tmp_path / "undisturbed", RATE, skip_bad=True)
    build_and_die(tmp_path, at)
    for track in tracks[:at]:
        make_unreadable(track.audio)
    steps: list[tuple[int, int, str]] = []
    resumed = AudioStore.open(
        tracks,
        folder,
        tmp_path / "cache",
        RATE,
        skip_bad=True,
        progress=lambda *step: steps.append(step),
    )
    assert content(resumed) == content(whole)
    assert steps == [(i, N_TRACKS, str(i - 1)) for i in range(at, N_TRACKS + 1)]
    assert not list((tmp_path / "cache" / "audio").glob("*.partial"))


def tear(left: Path, damage: str) -> None:
    audio, journal = left / "audio.f32", left / "journal.jsonl"
    lines = journal.read_bytes()
    if damage == "a track half written":
        audio.write_bytes(audio.read_bytes() + b"half")
    if damage == "a line half written":
        journal.write_bytes(lines + b"[1234, 441")
    if damage == "a line that is whole but for its end":
        journal.write_bytes(lines + b'[0, 0, ""]')
    if damage == "zeros where a line was to be":
        journal.write_bytes(lines + bytes(100) + b"\n")
    if damage == "audio lost":
        os.truncate(audio, audio.stat().st_size // 2)
    if damage == "no journal":
        journal.unlink()
    if damage == "no audio":
        audio.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        "a track half written",
        "a line half written",
        "a line that is whole but for its end",
        "zeros where a line was to be",
        "audio lost",
        "no journal",
        "no audio",
    ],
)
def test_what_a_kill_leaves_half_written_is_cut_off(
    tmp_path: Path, tracks: tuple[Track, ...], damage: str
) -> None:
    folder = tmp_path / "music"
    whole = AudioStore.open(tracks, folder, tmp_path / "undisturbed", RATE, skip_bad=True)
    tear(build_and_die(tmp_path, 4), damage)
    resumed = AudioStore.open(tracks, folder, tmp_path / "cache", RATE, skip_bad=True)
    assert content(resumed) == content(whole)


def test_interrupted_build_keeps_every_finished_track(
    tmp_path: Path, tracks: tuple[Track, ...]
) -> None:
    def interrupt(done: int, total: int, name: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    folder, cache = tmp_path / "music", tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        AudioStore.open(tracks, folder, cache, RATE, skip_bad=True, progress=interrupt)
    steps: list[int] = []
    AudioStore.open(
        tracks, folder, cache, RATE, skip_bad=True, progress=lambda done, *_: steps.append(done)
    )
    assert steps == [3, 4, 5, 6, 7, 8]


def test_file_that_a_killed_build_skipped_is_refused_where_all_are_needed(
    tmp_path: Path, tracks: tuple[Track, ...]
) -> None:
    build_and_die(tmp_path, 7)
    with pytest.raises(DataError, match=rf"{BAD}\.wav: audio cannot be read"):
        AudioStore.open(tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=False)


def test_samples_reach_the_disk_before_the_journal_tells_of_them(
    tmp_path: Path, tracks: tuple[Track, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[str, int] = {}
    real = os.fsync

    def fsync(file: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{file}"))
        real(file)
        synced[path.name] = path.stat().st_size
        if path.name == "journal.jsonl":
            rows = path.read_text().splitlines()
            told = sum(4 * int(row.strip("[]").split(",")[0]) for row in rows)
            assert told <= synced["audio.f32"]

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(build, "_COMMIT_BYTES", 20_000)
    AudioStore.open(tracks, tmp_path / "music", tmp_path / "cache", RATE, skip_bad=True)
    assert synced["journal.jsonl"] > 0
