"""Reading from an audio store: exact enough, at once, in little memory."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.excerpts import ExcerptSampler
from ssmpe.data.store.audio_store import AudioStore
from ssmpe.data.store.layout import Entry, write_tables

RATE = 22_050


def test_samples_in_16_bit_take_half_the_disk_and_lose_half_a_step(
    tmp_path: Path,
) -> None:
    paths = [tmp_path / f"{i}.wav" for i in range(3)]
    rng = np.random.default_rng(0)
    soundfile.write(paths[0], rng.uniform(-0.3, 0.2, 9000), RATE, subtype="FLOAT")
    soundfile.write(paths[1], np.array([0.1, -0.1, 0.05]), RATE)
    soundfile.write(paths[2], np.zeros(300), RATE)
    tracks = [Track("Music", path.stem, path) for path in paths]

    def opened(sample_format: str) -> AudioStore:
        cache = tmp_path / "cache"
        return AudioStore.open(
            tracks, tmp_path, cache, RATE, skip_bad=False, sample_format=sample_format
        )

    exact, rounded = opened("float32"), opened("int16")
    sizes = [(exact.folder / "audio.f32").stat(), (rounded.folder / "audio.i16").stat()]
    assert sizes[0].st_size == 2 * sizes[1].st_size
    for i in range(len(exact)):
        samples = rounded.audio(i)
        assert samples.dtype == np.float32
        assert np.abs(samples - exact.audio(i)).max() <= 0.5 / 32767 + 2e-7
        assert np.array_equal(rounded.read(i, 1, len(samples)), samples[1:])
        assert np.abs(samples).max() == pytest.approx(np.abs(exact.audio(i)).max(), abs=1e-7)
    assert not rounded.audio(2).any()


def test_large_set_is_found_and_drawn_from_at_once(tmp_path: Path) -> None:
    n, path = 100_000, tmp_path / "audio" / "Large-0"
    path.mkdir(parents=True)
    tracks = [Track("Large", str(i), tmp_path / f"{i % 100}" / f"{i}.wav") for i in range(n)]
    (path / "audio.f32").write_bytes(bytes(4 * 3 * n))
    write_tables(path, tracks, tmp_path, [Entry(3, 16_000)] * n, RATE, "float32")
    started = time.process_time()
    store = AudioStore.find("Large-0", tmp_path, tmp_path)
    assert store is not None
    excerpts = ExcerptSampler(store, RATE, ("test",), drop_incomplete=False).batch(0, 10)
    assert time.process_time() - started < 0.5
    assert len(store) == n
    assert all(len(excerpt.samples) == RATE for _, excerpt in excerpts)
    assert store.tracks == tuple(tracks)


MEMORY_OF_READING = """
import sys
from pathlib import Path
from ssmpe.data.store import audio_store as module
key, cache, module._RESIDENT_PAGES = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
store = module.AudioStore.find(key, cache, cache)
def resident():
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])
before, most = resident(), 0
for i in range(2000):
    start = i * 7919 % (store.n_samples(0) // 22050) * 22050
    store.read(0, start, start + 22050).sum()
    most = max(most, resident())
print(most - before)
"""


def test_reading_takes_little_memory(tmp_path: Path) -> None:
    seconds = 1800  # 159 MB
    path = tmp_path / "audio" / "Large-0"
    path.mkdir(parents=True)
    (path / "audio.f32").write_bytes(bytes(4 * seconds * RATE))
    track = Track("Large", "0", tmp_path / "0.wav")
    write_tables(path, [track], tmp_path, [Entry(seconds * RATE, RATE)], RATE, "float32")

    def taken(pages: int) -> int:
        command = [sys.executable, "-c", MEMORY_OF_READING, "Large-0", str(tmp_path), str(pages)]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    assert taken(10**9) > 140e6  # all of it, were nothing let go
    assert taken(16) < 60e6
