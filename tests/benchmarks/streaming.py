"""Prints how fast features of long recordings are: ``python -m tests.benchmarks.streaming``.

Paper geometry; mono WAV at 44.1 kHz, generated in a temporary folder (320 MB an hour). As when a
recording is transcribed, the file is decoded three times and transformed twice.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from rich.console import Console
from rich.table import Table

from ssmpe.config.presets import paper
from ssmpe.signal.hcqt import HCQT
from ssmpe.transcription.streaming import Recording
from tests.benchmarks.timing import peak_bytes

MINUTES = (10, 30, 60)


def write_minutes(path: Path, minutes: int) -> None:
    """Tones that come and go over noise: the same ten seconds again and again."""
    rng = np.random.default_rng(0)
    times = np.arange(441_000) / 44_100
    tones = np.sin(2 * np.pi * np.array([[220], [330], [440]]) * times).sum(axis=0)
    block = 0.1 * tones * (np.sin(9 * times) > 0) + 0.01 * rng.standard_normal(441_000)
    with soundfile.SoundFile(path, "w", 44_100, 1, "PCM_16") as file:
        for _ in range(6 * minutes):
            file.write(block)


def child(path: Path, threads: int) -> dict[str, Any]:
    """Make all features of a recording, piece by piece."""
    torch.set_num_threads(threads)
    hcqt = HCQT(paper().geometry)
    started, cpu_started = time.perf_counter(), time.process_time()
    recording = Recording(path, hcqt, "cpu", lambda what, done, total: None)
    n_frames = sum(hcqt.gather(piece).shape[-1] for piece in recording.features())
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    assert n_frames == recording.n_frames
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "audio_seconds": recording.seconds,
        "peak": peak_bytes(),
    }


def measure_streaming(threads: int = 1) -> dict[str, float]:
    """Measure times real time and peak memory, each length in a process of its own."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for minutes in MINUTES:
            path = Path(folder) / "long.wav"
            write_minutes(path, minutes)
            command = [sys.executable, "-m", "tests.benchmarks.streaming", "--child", str(path)]
            command += ["--threads", str(threads)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            one = json.loads(done.stdout)
            found[f"{minutes} min, s"] = one["seconds"]
            found[f"{minutes} min, times real time"] = one["audio_seconds"] / one["seconds"]
            found[f"{minutes} min, CPU seconds"] = one["cpu_seconds"]
            found[f"{minutes} min, peak memory, MiB"] = one["peak"] / 2**20
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(given.child, given.threads)))
        return
    table = Table("what", "measured", box=None)
    for name, value in measure_streaming(given.threads).items():
        table.add_row(name, f"{value:,.3g}" if value < 100 else f"{value:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
