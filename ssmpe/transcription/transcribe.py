"""Transcription of an audio file: multi-pitch as text, notes as MIDI, and a picture."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ssmpe import units
from ssmpe.console import printable, takes_at_once
from ssmpe.data.files.annotation import MultiPitch
from ssmpe.signal.notes import NoteTracker, Semitones
from ssmpe.signal.salience import decode
from ssmpe.transcription.notes import save_midi
from ssmpe.transcription.overview import Overview
from ssmpe.transcription.streaming import Piece, Progress, Recording
from ssmpe.transcription.trained import Trained

SUFFIXES = (".csv", ".txt", ".mid", ".png")
"""Suffixes of the files that are written"""
UNFINISHED = ".unfinished-"
"""What names of folders begin with in which files are being made"""


@dataclass(frozen=True)
class Transcription:
    """A summary of what was written.

    Attributes:
        seconds: duration of the recording.
        n_notes: in the MIDI file.
        pitched: share of the frames with a pitch.
    """

    seconds: float
    n_notes: int
    pitched: float


def transcribe(path: Path, out: Path, trained: Trained, progress: Progress) -> Transcription:
    """Transcribe an audio file of any length, in constant memory.

    Writes, named as the file, into the folder ``out``: ``.csv``, the pitches of every frame (time
    in s, then F0s in Hz), separated by commas; ``.txt``, the same by tabs, as
    ``mir_eval.io.load_ragged_time_series`` reads them; ``.mid``, notes, as loud as the HCQT there;
    ``.png``, salience and HCQT. They appear together, or not at all.

    Raises:
        DataError: the file is unreadable, empty, truncated, or has values that are not finite.
        OSError: the outputs cannot be written.
    """
    g = trained.config.geometry
    targets = outputs(path, out)
    for target in targets:
        if takes_at_once(target):  # it is not to be replaced
            raise OSError(errno.EEXIST, f"{target.name} is no file")
    recording = Recording(path, trained.hcqt, trained.device, progress)
    semitones, overview = Semitones(g), Overview(recording.n_frames, g)
    rule = trained.note_rule
    tracker = NoteTracker(semitones, g.frame_rate, trained.least_salience, rule)
    n_pitched = 0
    with _scratch(out) as parts:
        commas, tabs, midi, picture = parts
        with commas.open("w", encoding="ascii") as csv, tabs.open("w", encoding="ascii") as txt:
            for piece, times, f0s in multi_pitch(recording, trained):
                _write_ragged(csv, ",", times, f0s)
                _write_ragged(txt, "\t", times, f0s)
                tracker.add(semitones.of(piece.salience, piece.features, rule.signal))
                overview.add(piece)
                n_pitched += sum(len(frame) > 0 for frame in f0s)
        notes = tracker.notes()
        save_midi(notes, midi)
        overview.save(picture, printable(path.name))
        for written, target in zip(parts, targets, strict=True):
            os.replace(written, target)
    return Transcription(recording.seconds, len(notes), n_pitched / recording.n_frames)


def multi_pitch(
    recording: Recording, trained: Trained
) -> Iterator[tuple[Piece, units.Floats, list[NDArray[np.float64]]]]:
    """Yield a recording in pieces, with the times (t,) of their frames in s and the F0s in Hz."""
    g = trained.config.geometry
    for piece in recording.pieces(trained.network):
        f0s = decode(piece.salience, g, trained.least_salience)
        yield piece, (piece.start + np.arange(len(f0s))) * g.hop_length / g.sample_rate, f0s


def pitches(path: Path, trained: Trained) -> MultiPitch:
    """Return the pitches of an audio file of any length: times of its frames in s, F0s in Hz.

    Raises:
        DataError: as ``transcribe``.
    """
    recording = Recording(path, trained.hcqt, trained.device, lambda *_: None)
    found = [(times, f0s) for _, times, f0s in multi_pitch(recording, trained)]
    times = np.concatenate([times for times, _ in found])
    return MultiPitch(times, tuple(frame for _, f0s in found for frame in f0s))


def outputs(path: Path, out: Path) -> list[Path]:
    """Return the paths that ``transcribe`` writes to for an audio file."""
    return [out / f"{path.stem}{suffix}" for suffix in SUFFIXES]


def clear_unfinished(out: Path) -> None:
    """Remove from a folder what processes have left there that were killed as they transcribed."""
    with suppress(OSError), _locked(out):  # what cannot be listed is left
        for name in os.listdir(out):
            if name.startswith(UNFINISHED):
                # a folder that is still being filled is locked
                with suppress(OSError), _locked(out / name, wait=False):
                    for file in _parts(out / name):
                        file.unlink(missing_ok=True)
                    (out / name).rmdir()


@contextmanager
def _scratch(out: Path) -> Iterator[list[Path]]:
    """Make a locked folder for unfinished files, which are its value, and remove it at the end.

    It lies below that of the outputs, so that moving is renaming.
    """
    with _locked(out):  # nobody may clear the new folder away before it is locked itself
        folder = tempfile.TemporaryDirectory(dir=out, prefix=UNFINISHED)
        lock = os.open(folder.name, os.O_RDONLY)
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with folder:
            yield _parts(Path(folder.name))
    finally:
        os.close(lock)


def _parts(folder: Path) -> list[Path]:
    return [folder / f"x{suffix}" for suffix in SUFFIXES]


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a folder; a process that dies gives it up.

    Raises:
        OSError: without ``wait``, it is held by someone else, or the storage knows no locks.
    """
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW * (not wait))
    try:
        if wait:
            with suppress(OSError):  # where the storage knows no locks, nothing is cleared either
                fcntl.flock(lock, fcntl.LOCK_EX)
        else:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _write_ragged(
    text: TextIO, separator: str, times: units.Floats, f0s: Sequence[NDArray[np.float64]]
) -> None:
    def line(time: float, frame: Iterable[float]) -> str:
        return separator.join([f"{time:.6f}", *(f"{hz:.3f}" for hz in frame)]) + "\n"

    text.writelines(line(t, frame) for t, frame in zip(times, f0s, strict=True))
