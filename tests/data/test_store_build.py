"""Building an audio store: by one process at a time, in bounded memory and room on the disk."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.files.audio import read_audio
from ssmpe.data.store import decode
from ssmpe.data.store.audio_store import AudioStore
from ssmpe.errors import OutOfSpaceError, UserError

RATE = 22_050
N_TRACKS = 8


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
    made[5].audio.write_bytes(b"no audio" * 100)
    return tuple(made)


def content(store: AudioStore) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.folder.iterdir()}


# --- several processes ------------------------------------------------------------------------

OPEN_AND_PRINT = """
import hashlib, sys, time
from pathlib import Path
from ssmpe.data.datasets.dataset import Track
from ssmpe.data.store.audio_store import AudioStore
cache, start, *paths = sys.argv[1:]
tracks = [Track("Music", Path(p).stem, Path(p)) for p in paths]
built = []
while time.time() < float(start):
    pass
progress = lambda *step: built.append(step)
store = AudioStore.open(
    tracks, Path(paths[0]).parent, Path(cache), 22050, skip_bad=True, progress=progress
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
    assert sorted(int(built) for built, _ in outputs) == [0, 0, 8]
    assert len({digest for _, digest in outputs}) == 1


# --- memory -----------------------------------------------------------------------------------


def test_long_tracks_are_stored_as_short_ones_are(
    tmp_path: Path, tracks: tuple[Track, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "music"
    held = AudioStore.open(tracks, folder, tmp_path / "held", RATE, skip_bad=True)
    monkeypatch.setattr(decode, "LONG_BYTES", 20_000)  # some of them
    mixed = AudioStore.open(tracks, folder, tmp_path / "mixed", RATE, skip_bad=True)
    monkeypatch.setattr(decode, "LONG_BYTES", 0)
    monkeypatch.setattr("ssmpe.data.files.audio._BLOCK_FRAMES", 500)
    streamed = AudioStore.open(tracks, folder, tmp_path / "streamed", RATE, skip_bad=True)
    assert content(held) == content(mixed) == content(streamed)


def test_track_that_needs_more_room_than_there_is_waits_for_its_turn_only(
    tmp_path: Path, tracks: tuple[Track, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "music"
    free = AudioStore.open(tracks, folder, tmp_path / "free", RATE, skip_bad=True)
    monkeypatch.setattr(decode, "ROOM_BYTES", 1)
    tight = AudioStore.open(tracks, folder, tmp_path / "tight", RATE, skip_bad=True)
    assert content(free) == content(tight)


MEMORY_OF_BUILDING = """
import sys, time
from pathlib import Path
from ssmpe.data.store import decode
from ssmpe.data.datasets.dataset import Track
from ssmpe.data.store.audio_store import AudioStore
folder, room = Path(sys.argv[1]), int(sys.argv[2])
decode.ROOM_BYTES, decode.LONG_BYTES = room, room // 2
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(x.split()[1] for x in lines if x.startswith("VmHWM")))
tracks = [Track("Music", p.stem, p) for p in sorted(folder.glob("*.wav"))]
before = peak()
slowly = lambda *step: time.sleep(0.1)
AudioStore.open(tracks, folder, folder / str(room), 22050, skip_bad=True, progress=slowly)
print(peak() - before)
"""


def test_decoding_runs_ahead_only_as_far_as_there_is_room(tmp_path: Path) -> None:
    for i in range(10):
        path = tmp_path / f"{i}.wav"
        soundfile.write(path, np.full(10, 0.1), RATE)
        n_bytes = 2 * RATE * (150 if i else 600)  # 13 MB decoded, and once 53 MB
        header = bytearray(path.read_bytes()[:44])
        header[40:44] = n_bytes.to_bytes(4, "little")
        path.write_bytes(header)
        os.truncate(path, 44 + n_bytes)  # the rest is a hole, which reads as silence

    def taken(room: int) -> int:
        command = [sys.executable, "-c", MEMORY_OF_BUILDING, str(tmp_path), str(room)]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    assert taken(2**30) > 100e6  # as much as there is
    assert taken(30 * 2**20) < 80e6


# --- room on the disk -------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path):
    """Mount a disk of one megabyte."""
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
            filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - 400_000))

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
    assert steps == [8, 9]
    assert np.array_equal(store.audio(7), read_audio(big.audio, RATE))


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

    with pytest.raises(UserError, match=r"about 1\.8 MB .* has 1\.0 MB free") as error:
        opened("float32")
    for help_text in ("--max-hours SET=HOURS", "data.sample_format=int16", "SSMPE_CACHE"):
        assert help_text in str(error.value)
    assert "\n" not in str(error.value)
    assert not steps
    assert len(opened("int16")) == 8
