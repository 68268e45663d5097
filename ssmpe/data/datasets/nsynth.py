"""NSynth: single notes of four seconds (unlabelled training; some of them for analysis)."""

import re
from pathlib import Path
from typing import ClassVar

import numpy as np
import scipy  # its modules load when they are used: signal takes a second

from ssmpe.data.datasets.dataset import Dataset, Option, Source, Track
from ssmpe.data.files.annotation import Annotation, NoteAnnotation
from ssmpe.data.files.audio import AudioFile
from ssmpe.data.files.parsing import read_json
from ssmpe.data.files.resampling import Samples
from ssmpe.errors import DataError
from ssmpe.units import Floats, midi_to_hz

_PITCH = re.compile(r"[A-Za-z0-9_-]+-([0-9]{3})-[0-9]{3}")
_RMS_WINDOW = 0.1
"""Seconds over which the RMS is taken"""
_MAX_SECONDS = 60.0
"""Seconds of the longest file that is read as a note; the published ones have 4"""
_MAX_INDEX_BYTES = 1 << 30
"""Largest index that is read; that of the 290,000 notes for training has 200 MB or so"""
_ACTIVE = 0.1
"""Share of the largest RMS from which on a note counts as sounding"""


class NSynth(Dataset):
    """Notes within the model's range, named instrument-pitch-velocity.

    The split "valid" is the published selection for analysis, the first 200 such notes in the
    order of the JSON file; the other splits are complete. A note's pitch is that of its name; when
    it sounds is found in its audio, see ``sounding`` and ``options``.
    """

    name: str = "NSynth"
    splits: ClassVar[tuple[str, ...]] = ("train", "valid", "test")
    layout: ClassVar[str] = "nsynth-{train,valid,test}/examples.json, audio/NAME.wav"

    source: ClassVar[Source] = Source(
        url="https://magenta.tensorflow.org/datasets/nsynth",
        size="23 GB (nsynth-{train,valid,test}.jsonwav.tar.gz)",
        licence="CC BY 4.0",
        unpack="tar xf nsynth-train.jsonwav.tar.gz -C NSynth, and so for valid and test",
    )
    options: ClassVar[dict[str, Option]] = {
        "keep_last": Option(
            True, "a note that sounds to the last sample ends there (the published loader loses it)"
        )
    }

    def __init__(
        self,
        folder: Path,
        *,
        midi_range: tuple[int, int] = (21, 108),
        n_valid: int | None = 200,
        keep_last: bool = True,
    ) -> None:
        """Open the dataset; nothing is read yet.

        Args:
            folder: the dataset's own.
            midi_range: lowest and highest note taken, both included.
            n_valid: number of notes of the split "valid"; None for all.
            keep_last: see ``options``.
        """
        super().__init__(folder)
        self.keep_last = keep_last
        self.midi_range = midi_range
        self.n_valid = n_valid

    def _tracks(self, split: str) -> list[Track]:
        folder = self.folder / f"nsynth-{split}"
        index = folder / "examples.json"
        self._require(index)
        low, high = self.midi_range
        names = [name for name in _names(index) if low <= _pitch(name, index) <= high]
        if split == "valid":
            names = names[: self.n_valid]
        audio = folder / "audio"
        return [self._track(name, audio / f"{name}.wav") for name in names]

    def _annotation(self, track: Track) -> Annotation:
        with AudioFile(track.audio) as file:
            if file.seconds > _MAX_SECONDS:
                raise DataError(
                    f"{track.audio}: lasts {file.seconds:.0f} s, expected a single note"
                )
            rate = file.sample_rate
            samples = file.mono(rate)
        onsets, offsets = sounding(samples, rate, float(midi_to_hz(self.midi_range[0])))
        if not self.keep_last:
            ended = offsets < len(samples) / rate
            onsets, offsets = onsets[ended], offsets[ended]
        pitch = float(midi_to_hz(_pitch(track.name, track.audio)))
        return NoteAnnotation(onsets, offsets, np.full(len(onsets), pitch))


def sounding(samples: Samples, sample_rate: int, lowest: float) -> tuple[Floats, Floats]:
    """Find out when a note sounds: where its RMS reaches a tenth of its maximum.

    The RMS is taken over 0.1 s around every sample, after a high-pass that removes what lies below
    every pitch (rumble, offset). A note that fades and returns gives several stretches. One that
    sounds to the last sample ends there.

    Args:
        samples: (N,)
        sample_rate: Hz
        lowest: cutoff of the high-pass in Hz.

    Returns:
        Onsets and offsets in seconds, each (stretches,); none in silence.
    """
    high_pass = scipy.signal.butter(2, lowest, "highpass", fs=sample_rate, output="sos")
    power = scipy.signal.sosfilt(high_pass, samples.astype(np.float64)) ** 2
    window = round(_RMS_WINDOW * sample_rate)
    # running sums may dip below zero by rounding
    mean = scipy.ndimage.uniform_filter1d(power, window, mode="constant").clip(min=0)
    active = (mean > 0) & (mean >= _ACTIVE**2 * mean.max())
    edges = np.flatnonzero(np.diff(active, prepend=False, append=False)) / sample_rate
    return edges[::2], edges[1::2]


def _names(index: Path) -> list[str]:
    """Read the keys of the JSON file, in its order."""
    examples = read_json(index, _MAX_INDEX_BYTES)
    if not isinstance(examples, dict):
        raise DataError(f"{index}: expected an object with one entry per note")
    return list(examples)


def _pitch(name: str, where: Path) -> int:
    """Return the MIDI number in a note's name."""
    match = _PITCH.fullmatch(name)
    if not match:
        raise DataError(f"{where}: note {name!r:.60} is not named INSTRUMENT-PITCH-VELOCITY")
    return int(match[1])
