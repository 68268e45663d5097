"""The options that say which trained network a command is to use, and on which device."""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from ssmpe.errors import UserError
from ssmpe.experiments.options import RESULTS
from ssmpe.tracking.reading import fetch_best, runs_with_weights
from ssmpe.tracking.tracker import local_uri
from ssmpe.transcription.trained import Trained, load_trained, with_threshold


@dataclass(frozen=True)
class Named:
    """A network of a sweep: its run in MLflow, its row and its seed; "" where it stands alone."""

    trained: Trained
    run: str = ""
    row: str = ""
    seed: str = ""


def add_options(parser: argparse.ArgumentParser, *, sweeps: bool = False) -> None:
    """Add ``--run``, ``--checkpoint``, ``--tracking-uri``, ``--device`` and ``--threshold``.

    Args:
        sweeps: add ``--sweep``, too, which stands for many networks.
    """
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--run", dest="run_id", metavar="RUN_ID", help="MLflow run of a trial")
    which.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="checkpoint of a trial")
    if sweeps:
        which.add_argument("--sweep", metavar="NAME", help="all trials of a sweep with weights")
    parser.add_argument(
        "--tracking-uri", metavar="URI", help="MLflow store of runs (default: below ./results)"
    )
    parser.add_argument("--device", metavar="DEVICE", help="as cpu or cuda (default: a GPU if any)")
    parser.add_argument(
        "--threshold",
        metavar="VALUE",
        help="least salience of a pitch, from 0 to 1 (default: that which was best on the trial's "
        "validation set, stored with the weights)",
    )


def load(given: argparse.Namespace) -> Trained:
    """Load the network that was asked for.

    Raises:
        UserError: there is none, it is damaged, or there is no such device or threshold.
    """
    return with_threshold(_loaded(given, _device(given.device)), given.threshold)


def load_all(given: argparse.Namespace) -> list[Named]:
    """Load the network that was asked for, or those of all trials of a sweep.

    Raises:
        UserError: as ``load`` does, or there is no such sweep.
    """
    if given.sweep is None:
        return [Named(load(given))]
    device, uri = _device(given.device), given.tracking_uri or local_uri(RESULTS)
    networks = []
    for run, row, seed in runs_with_weights(uri, given.sweep):
        trained = with_threshold(_of_run(uri, run, device), given.threshold)
        networks.append(Named(trained, run, row, seed))
    return networks


def threshold_of(given: argparse.Namespace, trained: Trained) -> str:
    """Return in words which threshold is in use, and where it comes from."""
    if given.threshold is not None:
        return f"{trained.least_salience:.3g} (--threshold)"
    if trained.threshold is None:
        return f"{trained.least_salience:.3g}, as none is stored with these weights"
    return f"{trained.least_salience:.3g}, tuned on {trained.config.data.validation}"


def _loaded(given: argparse.Namespace, device: str) -> Trained:
    if given.checkpoint is not None:
        if given.tracking_uri is not None:
            raise UserError("--tracking-uri goes with --run, not with --checkpoint")
        return load_trained(given.checkpoint, device)
    return _of_run(given.tracking_uri or local_uri(RESULTS), given.run_id, device)


def _of_run(uri: str, run: str, device: str) -> Trained:
    with tempfile.TemporaryDirectory() as scratch:
        return load_trained(fetch_best(uri, run, Path(scratch)), device)


def _device(name: str | None) -> str:
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:  # the latter of builds without CUDA
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name}: cannot be used ({reason})") from None
    return name
