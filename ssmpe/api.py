"""What the package offers in Python: networks to apply, and the numbers of sweeps as tables."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ssmpe.commands import weights
from ssmpe.commands.weights import Named
from ssmpe.data.files.annotation import MultiPitch
from ssmpe.data.files.audio import peak_of
from ssmpe.data.files.resampling import resampled
from ssmpe.errors import UserError, extras_told
from ssmpe.evaluation.inference import salience, track_features
from ssmpe.experiments.options import RESULTS
from ssmpe.tracking.sqlite import local_uri
from ssmpe.transcription.network_file import SUFFIX
from ssmpe.transcription.trained import Trained, save_trained, with_threads, with_threshold
from ssmpe.transcription.transcribe import Transcription, pitches, transcribe

if TYPE_CHECKING:
    import pandas as pd

    from ssmpe.tracking.stored.tables import Tables


@dataclass(frozen=True)
class Network:
    """A trained network, ready to be applied.

    Attributes:
        name: which it is, in words.
    """

    _named: Named
    _stored: Trained

    def __repr__(self) -> str:
        return f"Network({self.name!r}, threshold={self.threshold:.3g})"

    @property
    def name(self) -> str:
        return self._named.name

    @property
    def threshold(self) -> float:
        """Least salience of a pitch."""
        return self._named.trained.least_salience

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Frequencies (F,) of the bins of a salience, in Hz."""
        return self._named.trained.config.geometry.bin_frequencies

    @property
    def frame_rate(self) -> float:
        """Frames of a salience in a second; frame t is centred on t / frame_rate seconds."""
        return self._named.trained.config.geometry.frame_rate

    def transcribe(self, path: str | Path) -> MultiPitch:
        """Return the pitches of an audio file of any length: times in s, F0s of each in Hz.

        Raises:
            DataError: the file is unreadable, empty, truncated, or has values that are not finite.
        """
        trained = self._named.trained
        with with_threads(trained.network):
            return pitches(Path(path), trained)

    def write(self, path: str | Path, folder: str | Path) -> Transcription:
        """Write what ``ssmpe transcribe`` writes of an audio file into a folder, made if missing.

        Raises:
            DataError: as ``transcribe``.
            OSError: the outputs cannot be written.
        """
        trained = self._named.trained
        Path(folder).mkdir(parents=True, exist_ok=True)
        with with_threads(trained.network):
            return transcribe(Path(path), Path(folder), trained, lambda *_: None)

    def save(self, path: str | Path, **origin: str) -> None:
        """Write the network as one file, NAME.npz, which ``load`` and ``--checkpoint`` read.

        Args:
            origin: where it comes from, in words, by what they say: ``licence="CC BY 4.0"``.

        Raises:
            UserError: its name does not end with ".npz", it cannot be written, or what is said of
                it is no text.
        """
        place = Path(path)
        if place.suffix != SUFFIX:
            raise UserError(f"{place}: a network's own file is called NAME{SUFFIX}")
        for name, said in origin.items():
            if not isinstance(said, str):
                raise UserError(f"{name}={said!r:.80}: expected a text")
        # with the threshold that was tuned, not one that was asked for since
        try:
            save_trained(place, self._stored, {**self.origin, "name": self.name, **origin})
        except OSError as error:
            raise UserError(f"{place}: cannot be written ({error.strerror})") from None

    @property
    def origin(self) -> Mapping[str, str]:
        """Where a network that came in a file of its own says to come from."""
        return self._named.trained.origin

    def salience(self, audio: ArrayLike, sample_rate: float | None = None) -> NDArray[np.float32]:
        """Return the salience (F, T), from 0 to 1, of mono audio (N,) that is in memory.

        Args:
            sample_rate: in Hz; None: that of the network's geometry.

        Raises:
            UserError: the audio is no such array, is empty, or has values that are not finite; or
                the rate is no whole number above 0.
        """
        trained = self._named.trained
        rate = trained.config.geometry.sample_rate
        given = rate if sample_rate is None else sample_rate
        if not 0 < given < math.inf or given != int(given):
            raise UserError(f"sample_rate {given!r:.80}: expected a whole number of Hz above 0")
        if np.iscomplexobj(audio):
            raise UserError("audio of complex numbers: expected finite mono samples (N,)")
        samples = np.asarray(audio, np.float32)
        if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
            raise UserError(f"audio of shape {samples.shape}: expected finite mono samples (N,)")
        blocks = resampled(iter([samples]), int(given), rate, single=True)
        samples = np.concatenate([*blocks])
        peak = peak_of(samples)
        whole = torch.from_numpy(samples / peak if peak > 0 else samples)[None, None]
        with with_threads(trained.network), torch.no_grad():
            features = track_features(whole.to(trained.device), trained.hcqt)
            return salience(trained.network, features).cpu().numpy()


def load(
    which: str | Path | None = None,
    *,
    tracking_uri: str | None = None,
    device: str | None = None,
    threshold: float | None = None,
) -> Network:
    """Load a trained network.

    Args:
        which: "SWEEP/ROW/SEED"; "SWEEP/ROW" or "SWEEP", for the best of them on its validation
            set; an MLflow run id; the folder of a checkpoint, or one above; a network's own file;
            "shipped": the network that comes with the package; None: the best of the latest sweep
            in ./results, or, where there is no store, the package's.
        tracking_uri: MLflow store; None: below ./results.
        device: as "cpu" or "cuda"; None: a GPU if there is one.
        threshold: least salience of a pitch; None: the one stored with the weights.

    Raises:
        UserError: there is no such network, or it is damaged, or MLflow is not installed.
    """
    found_on = weights.device_of(device)
    with extras_told():
        if which != weights.SHIPPED and which is not None and _is_path(which):
            found = weights.of_folder(Path(which), found_on)
        else:
            asked = None if which is None else str(which)
            found = weights.stored(tracking_uri, asked, found_on)
    trained = with_threshold(found.trained, threshold)
    return Network(replace(found, trained=trained), found.trained)


def _is_path(which: str | Path) -> bool:
    """Tell whether a network is given by a folder, or by a file of its own."""
    return Path(which).is_dir() or Path(which).suffix == SUFFIX


def load_sweep(name: str | None = None, *, tracking_uri: str | None = None) -> "Tables":
    """Return the numbers of a sweep, by default of the latest, as tidy tables.

    Raises:
        UserError: there is no such store or sweep; or pandas or MLflow is not installed.
    """
    with extras_told():
        from ssmpe.tracking.stored.tables import read_tables

        return read_tables(tracking_uri or local_uri(RESULTS), name)


def table(name: str | None = None, *, tracking_uri: str | None = None) -> "pd.DataFrame":
    """Return the trials of a sweep, a line each: ``load_sweep(name).trials``."""
    return load_sweep(name, tracking_uri=tracking_uri).trials
