"""Memory of transcribing an hour: that of five minutes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support import transcribing

checkpoint = transcribing.checkpoint

MEASURED = """
import resource, sys
from ssmpe.__main__ import main
code = main(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
raise SystemExit(code)
"""
"""runs the command, and prints the largest resident size of the process in KiB"""


def write_minutes(path: Path, minutes: int) -> Path:
    """Tones over noise at 44.1 kHz, stereo: the same ten seconds again and again."""
    rng = np.random.default_rng(0)
    times = np.arange(441_000) / 44_100
    tones = np.sin(2 * np.pi * np.array([[220], [330], [440]]) * times).sum(axis=0)
    block = 0.1 * tones[:, None] * (np.sin(9 * times) > 0)[:, None]
    block = block + 0.01 * rng.standard_normal((441_000, 2))
    with soundfile.SoundFile(path, "w", 44_100, 2, "PCM_16") as file:
        for _ in range(6 * minutes):
            file.write(block)
    return path


def peak_mib(path: Path, checkpoint: Path) -> float:
    arguments = [
        "transcribe",
        str(path),
        "--checkpoint",
        str(checkpoint),
        "--out",
        str(path.parent),
    ]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments, "--device", "cpu"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-1]) / 1024


@pytest.mark.long
def test_an_hour_takes_no_more_memory_than_five_minutes(tmp_path, checkpoint):
    short = peak_mib(write_minutes(tmp_path / "short.wav", 5), checkpoint)
    long = peak_mib(write_minutes(tmp_path / "long.wav", 60), checkpoint)
    n_frames = 1 + 3600 * 22_050 // 1024
    assert len((tmp_path / "long.csv").read_text().splitlines()) == n_frames
    # all of its samples would be 300 MiB, all of its features 312
    assert long < short + 40, (short, long)
