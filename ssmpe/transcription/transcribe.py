"""Transcription of an audio file: multi-pitch as text, notes as MIDI, and a picture."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ssmpe import units
from ssmpe.console import printable
from ssmpe.signal.salience import decode
from ssmpe.transcription.notes import NoteTracker
from ssmpe.transcription.overview import Overview
from ssmpe.transcription.streaming import Piece, Progress, Recording
from ssmpe.transcription.trained import Trained

SUFFIXES = (".csv", ".mid", ".png")
"""of the files that are written"""


@dataclass(frozen=True)
class Transcription:
    """What came out.

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

    Writes, named as the file, into the folder ``out``: ``.csv``, multi-pitch as
    ``mir_eval.io.load_ragged_time_series`` reads it (time in s, then F0s in Hz, by tabs); ``.mid``,
    runs of frames of one semitone as notes; ``.png``, salience and HCQT. They appear together, or
    not at all.

    Raises:
        DataError: the file is unreadable, empty, truncated, or has values that are not finite.
        OSError: the outputs cannot be written.
    """
    g = trained.config.geometry
    recording = Recording(path, trained.hcqt, trained.device, progress)
    notes, overview = NoteTracker(g.frame_rate), Overview(recording.n_frames, g)
    n_pitched = 0
    # in the same folder, so that moving is renaming
    with tempfile.TemporaryDirectory(dir=out, prefix=".unfinished-") as scratch:
        csv, midi, picture = (Path(scratch) / f"x{suffix}" for suffix in SUFFIXES)
        with csv.open("w", encoding="ascii") as text:
            for piece, times, f0s in multi_pitch(recording, trained):
                _write_ragged(text, times, f0s)
                notes.add(f0s)
                overview.add(piece)
                n_pitched += sum(len(frame) > 0 for frame in f0s)
        n_notes = notes.save(midi)
        overview.save(picture, printable(path.name))
        for written, target in zip((csv, midi, picture), outputs(path, out), strict=True):
            os.replace(written, target)
    return Transcription(recording.seconds, n_notes, n_pitched / recording.n_frames)


def multi_pitch(
    recording: Recording, trained: Trained
) -> Iterator[tuple[Piece, units.Floats, list[NDArray[np.float64]]]]:
    """A recording piece by piece: the piece, times (t,) of its frames in s, and their F0s in Hz."""
    g = trained.config.geometry
    for piece in recording.pieces(trained.network):
        f0s = decode(piece.salience, g)
        yield piece, (piece.start + np.arange(len(f0s))) * g.hop_length / g.sample_rate, f0s


def outputs(path: Path, out: Path) -> list[Path]:
    """The files that ``transcribe`` writes for an audio file."""
    return [out / f"{path.stem}{suffix}" for suffix in SUFFIXES]


def _write_ragged(text: TextIO, times: units.Floats, f0s: Sequence[NDArray[np.float64]]) -> None:
    def line(time: float, frame: Iterable[float]) -> str:
        return "\t".join([f"{time:.6f}", *(f"{hz:.3f}" for hz in frame)]) + "\n"

    text.writelines(line(t, frame) for t, frame in zip(times, f0s, strict=True))
