"""The network that comes with ssmpe against basic-pitch, on the same recordings, in one run.

    python -m tests.benchmarks.basic_pitch --python PATH --data-root DIR Bach10/07-10 ...

``PATH`` is the Python of an environment that has basic-pitch (0.4, with ONNX Runtime). Both get the
first minute of every track as a mono file, on one core and thread. Frames are compared as
``mir_eval.multipitch`` does, on ssmpe's frames, notes as ``mir_eval.transcription`` does. Of each
program the notes are those of its own rule. Of basic-pitch also the frames of its posterior
are scored, at the threshold that is best on the very recordings, which ssmpe's is not.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import soundfile
from numpy.typing import NDArray

from analysis.numbers.intervals import mean_difference
from ssmpe import units
from ssmpe.console import exit_code
from ssmpe.data.datasets.registry import Locations, resolve
from ssmpe.data.files.annotation import Annotation, NoteAnnotation
from ssmpe.data.files.audio import read_audio
from ssmpe.data.files.midi import read_notes
from ssmpe.data.files.ragged import read_ragged
from ssmpe.errors import UserError
from ssmpe.evaluation import notes as note_scores

SECONDS = 60.0
RATE = 44_100
THRESHOLDS = np.round(np.arange(0.05, 0.8, 0.05), 2)
"""Of the posterior, as its own default 0.3 and both sides of it"""
BINS, LOWEST = 88, 21
"""Pitches of basic-pitch's posterior of notes"""

OURS = """
import json, resource, sys, time
import ssmpe
folder, files = sys.argv[1], sys.argv[2:]
started = time.process_time()
network = ssmpe.load("shipped", device="cpu")
network.write(files[0], folder)
begun, told = time.process_time() - started, {}
for file in files:
    started = time.process_time()
    network.write(file, folder)
    told[file] = {"seconds": time.process_time() - started}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"begin": begun, "peak": 1024 * peak, "files": told}))
"""
THEIRS = """
import json, logging, os, resource, sys, time
logging.disable(logging.CRITICAL)
import contextlib
with contextlib.redirect_stdout(sys.stderr):
    started = time.process_time()
    import numpy
    from basic_pitch import FilenameSuffix, build_icassp_2022_model_path
    from basic_pitch.inference import Model, predict
    from basic_pitch.note_creation import model_frames_to_time
    model = Model(build_icassp_2022_model_path(FilenameSuffix.onnx))
    folder, files = sys.argv[1], sys.argv[2:]
    predict(files[0], model)
    begun, told = time.process_time() - started, {}
    for file in files:
        started = time.process_time()
        output, midi, events = predict(file, model)
        name = os.path.join(folder, os.path.basename(file))
        midi.write(name + ".mid")
        told[file] = {
            "seconds": time.process_time() - started,
            "events": [[float(e[0]), float(e[1]), int(e[2])] for e in events],
        }
        # windows have a little less than whole frames: times are not multiples of a hop
        note = output["note"]
        numpy.savez(name + ".npz", note=note, times=model_frames_to_time(len(note)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"begin": begun, "peak": 1024 * peak, "files": told}))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("sets", nargs="+", metavar="SET")
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--python", required=True, help="of an environment with basic-pitch")
    given = parser.parse_args(arguments)
    return exit_code(lambda: _compare_all(given.sets, given.data_root, given.python))


def _compare_all(names: Sequence[str], root: Path, python: str) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            _compare(name, root, python, Path(scratch) / name.replace("/", "-"))
    return 0


def _compare(name: str, root: Path, python: str, folder: Path) -> None:
    truths = _prepare(name, root, folder)
    files = [str(folder / f"{track}.wav") for track in truths]
    ours = _run(sys.executable, OURS, folder / "ours", files)
    theirs = _run(python, THEIRS, folder / "theirs", files)
    minutes = sum(soundfile.info(file).duration for file in files) / 60
    print(f"{name}: {len(files)} tracks, {minutes:.1f} min")
    for program, run in (("ssmpe", ours), ("basic-pitch", theirs)):
        spent = sum(told["seconds"] for told in run["files"].values()) / minutes
        cost = f"{spent:.2f} s of a core a minute of audio, {run['peak'] / 2**20:.0f} MiB at most"
        print(f"  {program:34s} {cost}, {run['begin']:.1f} s to begin")
    tables: dict[str, list[dict[str, float]]] = {}
    for track, truth in truths.items():
        file = str(folder / f"{track}.wav")
        frames = read_ragged(folder / "ours" / f"{track}.csv")
        times = frames.grid
        reference = truth.at(times)
        found = _notes(theirs["files"][file]["events"])
        rows = {
            "ssmpe: frames": _frames(reference.f0s, frames.at(times).f0s, times),
            "ssmpe: notes": _of_notes(
                truth, read_notes(folder / "ours" / f"{track}.mid"), reference.f0s, times
            ),
            "basic-pitch: notes": _of_notes(truth, found, reference.f0s, times),
        }
        with np.load(folder / "theirs" / f"{track}.wav.npz") as loaded:
            posterior = loaded["note"], loaded["times"]
        rows |= {
            f"basic-pitch: frames at {least:.2f}": _frames(
                reference.f0s, _at(posterior, least, times), times
            )
            for least in THRESHOLDS
        }
        for row, scores in rows.items():
            tables.setdefault(row, []).append(scores)
    means = {
        row: {key: float(np.mean([s[key] for s in scores])) for key in scores[0]}
        for row, scores in tables.items()
    }
    best = max((row for row in means if " at " in row), key=lambda row: means[row]["frames"])
    for row, scores in means.items():
        if " at " not in row or row == best:
            told = ", ".join(f"{key} {value:.3f}" for key, value in scores.items())
            print(f"  {row:34s} {told}")
    for own, other in (("ssmpe: frames", best), ("ssmpe: notes", "basic-pitch: notes")):
        print(f"  {own} - {other}: {_difference(tables[own], tables[other])}")


def _difference(own: list[dict[str, float]], other: list[dict[str, float]]) -> str:
    """Return the mean differences, with 95 % intervals over tracks."""
    told = []
    for key in own[0]:
        values = [[a[key] - b[key] for a, b in zip(own, other, strict=True)]]
        effect = mean_difference(np.array(values))
        if effect is not None and key not in ("P", "R"):
            told.append(f"{key} {effect.mean:+.3f} {effect.interval()}")
    return ", ".join(told)


def _prepare(name: str, root: Path, folder: Path) -> dict[str, Annotation]:
    """Write the first minute of every track of a set as a mono file, and return the truths."""
    for part in ("ours", "theirs"):
        (folder / part).mkdir(parents=True)
    resolved = resolve(name, Locations(root))
    truths: dict[str, Annotation] = {}
    for track in resolved.tracks:
        key = track.name.replace("/", "-").replace(".", "-")
        samples = read_audio(track.audio, RATE, track.start, SECONDS)
        soundfile.write(folder / f"{key}.wav", samples, RATE)
        annotation = resolved.dataset.annotation(track)
        if annotation is None:
            raise UserError(f"{name} is not annotated: there is nothing to compare with")
        truths[key] = annotation.clipped(0.0, len(samples) / RATE)
    return truths


def _run(python: str, program: str, folder: Path, files: list[str]) -> Any:
    """Run a program on one core and thread; return what it prints.

    Raises:
        UserError: it cannot be run, as where basic-pitch is not installed.
    """
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    call = ["taskset", "-c", "0", python, "-W", "ignore", "-c", program, str(folder), *files]
    done = subprocess.run(call, env={**os.environ, **one}, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"]
        raise UserError(f"{python}: {said[-1]}")
    return json.loads(done.stdout)


def _notes(events: list[tuple[float, float, int]]) -> NoteAnnotation:
    start, stop, pitch = np.array(sorted(events), float).reshape(-1, 3).T
    return NoteAnnotation(start, stop, units.midi_to_hz(pitch))


def _at(
    posterior: tuple[NDArray[np.float32], units.Floats], least: float, times: units.Floats
) -> list[NDArray[np.float64]]:
    """Return the F0s at some times of a posterior (T, 88), with its own times, above a threshold.

    Those of the nearest of its frames.
    """
    values, own = posterior
    later = np.searchsorted(own, times).clip(1, len(own) - 1)
    rows = later - (times - own[later - 1] < own[later] - times)
    hz = units.midi_to_hz(np.arange(BINS) + float(LOWEST))
    return [hz[values[row] >= least] for row in rows]


def _frames(
    reference: Sequence[NDArray[np.float64]],
    found: Sequence[NDArray[np.float64]],
    times: units.Floats,
) -> dict[str, float]:
    p, r, *_ = mir_eval.multipitch.metrics(times, list(reference), times, list(found))
    return {"frames": 2 * p * r / (p + r) if p + r else 0.0, "P": p, "R": r}


def _of_notes(
    truth: Annotation,
    found: NoteAnnotation,
    reference: Sequence[NDArray[np.float64]],
    times: units.Floats,
) -> dict[str, float]:
    scores = _frames(reference, found.at(times).f0s, times)
    if isinstance(truth, NoteAnnotation):
        compared = note_scores.compare(truth, found)
        scores |= {"onsets": compared.onset.f1, "onsets and offsets": compared.whole.f1}
    return scores


if __name__ == "__main__":
    raise SystemExit(main())
