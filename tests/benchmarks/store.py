"""Prints how the audio store does with very many files: ``python -m tests.benchmarks.store``.

Files are generated in a temporary folder: 9 GB, below ``--folder`` if that is given. All files
are in the page cache when they are read.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from rich.console import Console
from rich.table import Table

from ssmpe.data.cap import capped
from ssmpe.data.datasets.dataset import Track
from ssmpe.data.excerpts import ExcerptSampler
from ssmpe.data.files.audio import read_audio
from ssmpe.data.store.audio_store import AudioStore
from tests.benchmarks.timing import alternately, peak_bytes

RATE = 22_050
CLIP_SECONDS = 4
SAMPLED_BYTES = 10e9
LONG_TRACKS, LONG_SECONDS = 200, 180
"""The second set: 10 hours, a store of 3.2 GB"""


def write_short(folder: Path, n: int) -> None:
    """``n`` WAV files of 0.25 to 0.5 s at 16 kHz, a thousand in a folder, all different."""
    noise = np.random.default_rng(0).integers(-9999, 9999, 100_000).astype(np.int16)

    def write(thousand: int) -> None:
        place = folder / f"{thousand % 10}" / f"{thousand:03d}"
        place.mkdir(parents=True)
        for i in range(1000 * thousand, min(1000 * (thousand + 1), n)):
            start, length = i % 90_000, 4000 + i * 7919 % 4000
            soundfile.write(place / f"{i:06d}.wav", noise[start : start + length], 16_000)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, range(-(-n // 1000))))


def write_long(folder: Path) -> None:
    """Ten hours in tracks of three minutes."""
    folder.mkdir()
    noise = np.random.default_rng(0).integers(-9999, 9999, LONG_SECONDS * RATE).astype(np.int16)
    for i in range(LONG_TRACKS):
        soundfile.write(folder / f"{i:03d}.wav", np.roll(noise, i), RATE)


def listed(folder: Path) -> list[Track]:
    return [Track("Noise", path.stem, path) for path in sorted(folder.rglob("*.wav"))]


# --- what runs in processes of its own: each prints what it measured ---------------------------


def child_build(folder: Path, cache: Path) -> dict[str, Any]:
    """Build a store, or go on with one."""
    tracks = listed(folder)
    decoded: list[int] = []
    started = time.perf_counter()
    store = AudioStore.open(
        tracks,
        folder,
        cache,
        RATE,
        skip_bad=True,
        progress=lambda done, total, name: decoded.append(done),
    )
    seconds = time.perf_counter() - started
    counts = {"first": decoded[0] if decoded else 0, "tracks": len(store)}
    return {"seconds": seconds, "peak": peak_bytes(), "key": store.key, **counts}


def child_start(folder: Path, cache: Path, key: str) -> dict[str, Any]:
    """Find a store and draw from it for the first time."""
    started = time.perf_counter()
    store = AudioStore.find(key, folder, cache)
    assert store is not None
    found = time.perf_counter()
    sampler = ExcerptSampler(store, CLIP_SECONDS * RATE, ("benchmark",), drop_incomplete=False)
    sampler.batch(0, 1)
    return {"find": found - started, "first": time.perf_counter() - found}


def child_sample(folder: Path, cache: Path, key: str) -> dict[str, Any]:
    """Draw excerpts of 4 s, one after the other."""
    store = AudioStore.find(key, folder, cache)
    assert store is not None
    sampler = ExcerptSampler(store, CLIP_SECONDS * RATE, ("benchmark",), drop_incomplete=False)
    before, times = peak_bytes(), []
    for i in range(round(SAMPLED_BYTES / (4 * CLIP_SECONDS * RATE))):
        started = time.perf_counter()
        sampler.batch(i, 1)
        times.append(time.perf_counter() - started)
    quick, slow = statistics.median(times), statistics.quantiles(times, n=100)[-1]
    return {"median": quick, "slow": slow, "before": before, "peak": peak_bytes()}


def child_cap(folder: Path) -> dict[str, Any]:
    """Draw an hour of a set."""
    tracks = listed(folder)
    started = time.perf_counter()
    capped(tracks, 1.0)
    return {"seconds": time.perf_counter() - started}


CHILDREN: dict[str, Callable[..., dict[str, Any]]] = {
    f.__name__: f for f in (child_build, child_start, child_sample, child_cap)
}


def command(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.store", name, *map(str, arguments)]


def run(name: str, *arguments: object) -> dict[str, Any]:
    started = time.perf_counter()
    done = subprocess.run(command(name, *arguments), stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "process": time.perf_counter() - started}


def killed_half_way(folder: Path, cache: Path, n: int) -> None:
    """Start to build a store and kill it when it tells that half is finished."""
    process = subprocess.Popen(command("child_build", folder, cache), stdout=subprocess.DEVNULL)
    done = 0
    while done < n // 2:
        assert process.poll() is None, "it was faster than it could be killed"
        time.sleep(0.05)
        done = sum(p.read_bytes().count(b"\n") for p in cache.glob("audio/*.partial/journal*"))
    process.send_signal(signal.SIGKILL)
    process.wait()


# --- the measurements -------------------------------------------------------------------------


def measure(n_tracks: int = 100_000, folder: Path | None = None) -> dict[str, float]:
    """Seconds, bytes and tracks/s of every step; what was generated is removed."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="ssmpe-benchmark-") as name:
        place = Path(name)
        short, long, cache = place / "short", place / "long", place / "cache"
        write_short(short, n_tracks)
        built = run("child_build", short, cache)
        started = run("child_start", short, cache, built["key"])
        again = run("child_build", short, cache)
        cap = run("child_cap", short)
        killed_half_way(short, place / "killed", n_tracks)
        resumed = run("child_build", short, place / "killed")
        write_long(long)
        large = run("child_build", long, cache)
        sampled = run("child_sample", long, cache, large["key"])
    return {
        "build, s": built["seconds"],
        "build, tracks/s": n_tracks / built["seconds"],
        "build, peak memory, MiB": built["peak"] / 2**20,
        "killed half-way, tracks kept": resumed["first"],
        "killed half-way, resumed, s": resumed["seconds"],
        "open by listing and asking for every file, s": again["seconds"],
        "find, s": started["find"],
        "first excerpt after that, s": started["first"],
        "whole process of both, imports included, s": started["process"],
        "cap of one hour, s": cap["seconds"],
        "build of 10 h in long tracks, s": large["seconds"],
        "build of 10 h, peak memory, MiB": large["peak"] / 2**20,
        "excerpt of 4 s from 10 h, median, ms": 1e3 * sampled["median"],
        "excerpt of 4 s from 10 h, 99th percentile, ms": 1e3 * sampled["slow"],
        "memory before sampling, MiB": sampled["before"] / 2**20,
        "peak memory after sampling 10 GB, MiB": sampled["peak"] / 2**20,
    }


def measure_decoding(suffix: str, n: int) -> dict[str, float]:
    """Thirty seconds of stereo at 44.1 kHz to a track, against reading and resampling whole."""
    noise = 0.1 * np.random.default_rng(0).normal(size=(30 * 44_100, 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"noise.{suffix}"
        soundfile.write(path, noise, 44_100)

        def plain() -> None:
            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
            resampled = soxr.resample(samples.mean(axis=1), rate, RATE, quality="VHQ")
            resampled /= np.abs(resampled).max()

        seconds, yardstick = alternately(lambda: read_audio(path, RATE), plain, n)
    return {"seconds": seconds, "yardstick": yardstick}


def shown(measured: dict[str, float]) -> Table:
    table = Table("what", "measured", box=None)
    for name, value in measured.items():
        table.add_row(name, f"{value:,.3g}" if value < 100 else f"{value:,.0f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    Console().print(shown(measure(given.tracks, given.folder)))


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in CHILDREN:
        paths = [Path(x) if "/" in x else x for x in sys.argv[2:]]
        print(json.dumps(CHILDREN[sys.argv[1]](*paths)))
    else:
        main()
