"""Prints how fast files are decoded, against librosa: ``python -m tests.benchmarks.decoding``.

One core. librosa is no part of the project; without it there is nothing to measure against.
"""

import argparse
import importlib
import importlib.util
import itertools
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from ssmpe.data.files.audio import read_audio
from tests.benchmarks.store import RATE
from tests.benchmarks.timing import NotMeasurableError, alternately

SUFFIXES, RATES, SECONDS = ("wav", "mp3"), (44_100, 48_000), (30, 300)


def measure_loading(suffix: str, rate: int, seconds: int, n: int) -> dict[str, float]:
    """Stereo noise to a mono track at 22,050 Hz, against ``librosa.load``.

    Raises:
        NotMeasurableError: librosa is not there.
    """
    if importlib.util.find_spec("librosa") is None:
        raise NotMeasurableError("librosa is not installed")
    librosa = importlib.import_module("librosa")
    noise = 0.1 * np.random.default_rng(0).normal(size=(seconds * rate, 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"noise.{suffix}"
        soundfile.write(path, noise, rate)
        own, yardstick = alternately(
            lambda: read_audio(path, RATE), lambda: librosa.load(path, sr=RATE), n
        )
    return {"seconds": own, "yardstick": yardstick}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=9)
    n = parser.parse_args().repetitions
    table = Table("what", "median", "librosa.load", "ratio", box=None)
    for suffix, rate, seconds in itertools.product(SUFFIXES, RATES, SECONDS):
        name = f"{seconds} s of stereo {suffix.upper()} at {rate / 1000:g} kHz"
        try:
            found = measure_loading(suffix, rate, seconds, n)
        except NotMeasurableError as reason:
            table.add_row(name, f"skipped: {reason}")
            continue
        own, yardstick = found["seconds"], found["yardstick"]
        table.add_row(name, f"{own:.3f} s", f"{yardstick:.3f} s", f"{yardstick / own:.1f}×")
    Console().print(table)


if __name__ == "__main__":
    main()
