"""GuitarSet: acoustic guitar, six players, annotated string by string (evaluation)."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ssmpe.data import listing
from ssmpe.data.annotation import FIT_TOLERANCE, Annotation, FrameAnnotation, MultiPitch
from ssmpe.data.dataset import Dataset, Option, Source, Track
from ssmpe.data.parsing import MAX_F0, read_json
from ssmpe.errors import DataError

PLAYERS = ("00", "01", "02", "03", "04", "05")
LATE_BY = {"04_BN3-154-E_comp": 0.409, "04_Jazz1-200-B_comp": 0.309}
"""Seconds by which the published annotations of two tracks lag their audio (the dataset's issue
5: they start with the second note); published results leave them as they are"""

_HOP = 256 / 44_100
"""Seconds between observations"""
_MAX_DURATION = 24 * 3600.0
"""Seconds; a longer one would only exhaust the memory"""


class GuitarSet(Dataset):
    """Microphone recordings; the annotation is the union of the six strings' pitch contours."""

    name: str = "GuitarSet"
    splits: ClassVar[tuple[str, ...]] = (*PLAYERS, "all")
    layout: ClassVar[str] = "audio_mono-mic/T_mic.wav, annotation/T.jams"

    source: ClassVar[Source] = Source(
        url="https://zenodo.org/records/3371780",
        size="0.7 GB (audio_mono-mic.zip, annotation.zip)",
        licence="CC BY 4.0",
        unpack="unzip audio_mono-mic.zip -d GuitarSet/audio_mono-mic; "
        "unzip annotation.zip -d GuitarSet/annotation",
    )
    options: ClassVar[dict[str, Option]] = {
        "correct_late": Option(
            False, "move the annotations of two tracks that lag their audio to where they belong"
        )
    }

    def __init__(self, folder: Path, *, correct_late: bool = False) -> None:
        """``correct_late``: move the annotations of ``LATE_BY`` to where they belong."""
        super().__init__(folder)
        self.late_by = LATE_BY if correct_late else {}

    def _tracks(self, split: str) -> list[Track]:
        audio, annotation = self.folder / "audio_mono-mic", self.folder / "annotation"
        self._require(audio)
        self._require(annotation)
        names = {n.removesuffix("_mic.wav") for n in listing.names_in(audio) if n.endswith(".wav")}
        names |= {Path(n).stem for n in listing.names_in(annotation) if n.endswith(".jams")}
        players = PLAYERS if split == "all" else (split,)
        names = {name for name in names if name.split("_")[0] in players}
        return [self._track(name, audio / f"{name}_mic.wav") for name in sorted(names)]

    def files(self, track: Track) -> list[Path]:
        """Recording and annotation."""
        return [track.audio, self._jams_path(track)]

    def _jams_path(self, track: Track) -> Path:
        return self.folder / "annotation" / f"{track.name}.jams"

    def _annotation(self, track: Track) -> Annotation:
        return read_pitch_contours(self._jams_path(track), self.late_by.get(track.name, 0.0))


def read_pitch_contours(path: Path, late_by: float = 0.0) -> FrameAnnotation:
    """Voiced observations of all pitch contours of a JAMS file, each at the nearest grid frame.

    The grid has a frame every 256 samples at 44.1 kHz, ceil(duration / hop) + 1 in all.

    Args:
        late_by: seconds to subtract from the observations' times.

    Raises:
        DataError: it is no JAMS file with pitch contours, or has values that are no pitches.
    """
    jams = read_json(path)
    try:
        duration = _number(jams["file_metadata"]["duration"], 0, _MAX_DURATION)
        contours = [a["data"] for a in jams["annotations"] if a["namespace"] == "pitch_contour"]
    except (LookupError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not JAMS with a duration and annotations ({error})") from None
    if not contours:
        raise DataError(f"{path}: no annotation of namespace 'pitch_contour'")
    frames: list[list[float]] = [[] for _ in range(math.ceil(duration / _HOP) + 1)]
    for number, contour in enumerate(contours, start=1):
        for time, frequency in _voiced(contour, duration, f"{path}: pitch contour {number}"):
            frame = round((time - late_by) / _HOP)
            frames[min(max(frame, 0), len(frames) - 1)].append(frequency)
    times = _HOP * np.arange(len(frames), dtype=np.float64)
    return FrameAnnotation(MultiPitch(times, tuple(np.array(f) for f in frames)))


def _voiced(contour: Any, duration: float, where: str) -> Iterator[tuple[float, float]]:
    """Times in s and F0s in Hz of a contour's voiced observations."""
    for number, (time, value) in enumerate(_observations(contour, where), start=1):
        try:
            if not value["voiced"]:
                continue
            seconds = _number(time, 0, duration + FIT_TOLERANCE)
            frequency = _number(value["frequency"], 0, MAX_F0)
        except KeyError as error:
            raise DataError(f"{where}, observation {number}: no {error}") from None
        except (LookupError, TypeError, ValueError) as error:
            raise DataError(f"{where}, observation {number}: {error}") from None
        if frequency > 0:
            yield seconds, frequency


def _observations(contour: Any, where: str) -> list[tuple[Any, Any]]:
    """Time and value of each observation; JAMS stores them column by column or row by row."""
    try:
        if isinstance(contour, dict):
            return list(zip(contour["time"], contour["value"], strict=True))
        return [(observation["time"], observation["value"]) for observation in contour]
    except (LookupError, TypeError, ValueError) as error:
        raise DataError(f"{where}: no observations of time and value ({error})") from None


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r:.40} is not a number")
    if not low <= value <= high:
        raise ValueError(f"{value!r:.40} is not a number from {low:g} to {high:g}")
    return float(value)
