"""A trial's best network as an MLflow model: applied to audio files, it gives their pitches.

MLflow finds this module by its name in ``MLmodel`` beside the weights, and calls ``_load_pyfunc``;
nothing is pickled. Needs this package installed.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from ssmpe.transcription.trained import Trained, load_trained, with_threshold
from ssmpe.transcription.transcribe import pitches

MultiPitch = dict[str, list[Any]]
"""Pitches: "times" of the frames in s, and their "f0s" in Hz, a list for each frame"""


class Transcriber:
    """The model that ``mlflow.pyfunc`` wraps."""

    def __init__(self, trained: Trained) -> None:
        self._trained = trained

    def predict(
        self, model_input: Iterable[Any], params: Mapping[str, Any] | None = None
    ) -> list[MultiPitch]:
        """Return the pitches of audio files, given as paths: a list, or a table of one column.

        Args:
            params: "threshold": least salience of a pitch; None, or none: the one that is stored
                with the weights, tuned on the trial's validation set (of version 0.3.0: 0.5).

        Raises:
            DataError: a file is unreadable, empty, truncated, or has values that are not finite.
            UserError: the threshold is no number from 0 to 1.
        """
        trained = with_threshold(self._trained, (params or {}).get("threshold"))
        rows = getattr(model_input, "values", model_input)
        return [_transcribed(Path(str(path)), trained) for path in getattr(rows, "flat", rows)]


def _transcribed(path: Path, trained: Trained) -> MultiPitch:
    found = pitches(path, trained)
    return {"times": found.times.tolist(), "f0s": [frame.tolist() for frame in found.f0s]}


def _load_pyfunc(path: str) -> Transcriber:
    """Load the model in a folder, onto a GPU if there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Transcriber(load_trained(Path(path), device))
