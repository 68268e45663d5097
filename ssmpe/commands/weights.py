"""The options that say which trained network a command is to use, on which device and threads."""

import argparse
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ssmpe.console import printable
from ssmpe.errors import UserError, first_line
from ssmpe.experiments.options import RESULTS
from ssmpe.tracking.sqlite import local_uri, sqlite_path

if TYPE_CHECKING:
    from torch import nn

    from ssmpe.transcription.trained import Trained

LOADED_BYTES = 2**29
"""Bytes of weights that ``load_all`` loads together, or one network"""
SHIPPED = "shipped"
"""Name of the network that comes with the package"""
MAX_THREADS = 1024
"""Most threads that may be asked for"""
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Named:
    """A network, its name in words, and, if it is one of a sweep's, its run, row and seed.

    Attributes:
        chosen: whether it was chosen among several, and the user is to hear which it is.
    """

    trained: "Trained"
    name: str = ""
    run: str = ""
    row: str = ""
    seed: str = ""
    chosen: bool = False


def add_options(parser: argparse.ArgumentParser, *, sweeps: bool = False) -> None:
    """Add the options that say which network, and how it is applied.

    Args:
        sweeps: add ``--sweep``, too, which stands for many networks.
    """
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--run",
        dest="run_id",
        metavar="RUN",
        help="trial, as SWEEP/ROW/SEED, or its MLflow run id; SWEEP/ROW or SWEEP: the best of them "
        f"on its validation set; {SHIPPED}: the network that comes with the package (default: the "
        "best of the latest sweep in ./results; where there is no store, that of the package)",
    )
    which.add_argument(
        "--checkpoint",
        type=Path,
        metavar="PATH",
        help="checkpoint of a trial; a folder above: the best below it; or a network's own file",
    )
    if sweeps:
        which.add_argument("--sweep", metavar="NAME", help="all trials of a sweep with weights")
    parser.add_argument(
        "--tracking-uri", metavar="URI", help="MLflow store of runs (default: below ./results)"
    )
    parser.add_argument("--device", metavar="DEVICE", help="as cpu or cuda (default: a GPU if any)")
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="CPU threads (default: one for a small network, else all)",
    )
    parser.add_argument(
        "--threshold",
        metavar="VALUE",
        help="least salience of a pitch, from 0 to 1 (default: that which was best on the trial's "
        "validation set, stored with the weights)",
    )


def load(given: argparse.Namespace, console: Console) -> "Trained":
    """Load the network that was asked for; print which it is if it was chosen among several.

    Raises:
        UserError: there is none, it is damaged, or there is no such device, threshold or number of
            threads.
    """
    from ssmpe.transcription.trained import with_threshold

    device = _device(given)
    if given.checkpoint is None:
        found = stored(given.tracking_uri, given.run_id, device)
    elif given.tracking_uri is not None:
        raise UserError("--tracking-uri goes with --run, not with --checkpoint")
    else:
        found = of_folder(given.checkpoint, device)
    if found.chosen:
        console.print(printable(f"network: {found.name}"), soft_wrap=True)
    return with_threshold(found.trained, given.threshold)


def load_all(given: argparse.Namespace, console: Console) -> Iterator[list[Named]]:
    """Load the network that was asked for, or those of all trials of a sweep.

    Yields:
        as many at a time as there is room for: all of most sweeps.

    Raises:
        UserError: as ``load`` does, or there is no such sweep.
    """
    from ssmpe.tracking.reading import runs_with_weights
    from ssmpe.transcription.trained import with_threshold

    if given.sweep is None:
        yield [Named(load(given, console))]
        return
    device, uri = _device(given), given.tracking_uri or local_uri(RESULTS)
    networks: list[Named] = []
    room = LOADED_BYTES
    for one in runs_with_weights(uri, given.sweep):
        trained = with_threshold(_of_run(uri, one.run, device, signal=True), given.threshold)
        size = n_bytes(trained.network)
        if networks and size > room:
            yield networks
            networks, room = [], LOADED_BYTES
        room -= size
        networks.append(Named(trained, one.name, one.run, one.row, one.seed))
    yield networks


def n_bytes(network: "nn.Module") -> int:
    """Return the bytes of a network's weights."""
    return sum(w.numel() * w.element_size() for w in network.parameters())


def threshold_of(given: argparse.Namespace, trained: "Trained") -> str:
    """Return in words which threshold is in use, and where it comes from."""
    if given.threshold is not None:
        return f"{trained.least_salience:.3g} (--threshold)"
    if getattr(given, "tune", None) is not None:
        return f"{trained.least_salience:.3g}, tuned on {given.tune}"
    if trained.threshold is None:
        return f"{trained.least_salience:.3g}, as none is stored with these weights"
    return f"{trained.least_salience:.3g}, tuned on {trained.config.data.validation}"


def stored(uri: str | None, asked: str | None, device: str) -> Named:
    """Load a network from a store of runs, or the one that comes with the package.

    Args:
        uri: None: the store in ./results; without that, and if nothing is asked for, the network
            is the package's.
        asked: id of a run; SWEEP, SWEEP/ROW or SWEEP/ROW/SEED; ``SHIPPED``; None: the latest sweep.

    Raises:
        UserError: there is none.
    """
    if asked == SHIPPED and uri is not None:
        raise UserError(f"--tracking-uri goes with runs of a store, not with {SHIPPED!r}")
    own = local_uri(RESULTS)
    if asked == SHIPPED or (asked is None and uri is None and not _is_there(own)):
        return _of_package(device)
    from ssmpe.tracking.reading import find_weights, is_sweep

    uri = uri or own
    if asked is not None and not _RUN_ID.fullmatch(asked):
        sweep = asked.partition("/")[0]
        if not is_sweep(uri, sweep):
            raise UserError(f"{uri}: no run with the id {asked!r}, and no sweep {sweep!r}")
    elif asked is not None:
        return Named(_of_run(uri, asked, device), f"run {asked}")
    found = find_weights(uri, asked)
    return Named(
        _of_run(uri, found.run, device),
        f"{found.name} (best F1 on its validation set: {found.score:.3f})",
        chosen=asked != found.name,
    )


def of_folder(folder: Path, device: str) -> Named:
    """Load the network of a checkpoint, or the best of those below a folder.

    Raises:
        UserError: there is none.
    """
    from ssmpe.transcription.trained import best_below, load_trained

    found = best_below(folder)
    trained = load_trained(found, device)
    name = f"{found} (best F1 on its validation set: {trained.best_score:.3f})"
    return Named(trained, name, chosen=found != folder)


def _is_there(uri: str) -> bool:
    place = sqlite_path(uri)
    return place is not None and place.exists()


def _of_package(device: str) -> Named:
    from ssmpe.transcription import network_file
    from ssmpe.transcription.trained import load_trained

    trained = load_trained(network_file.SHIPPED, device)
    name = f"the one that comes with ssmpe ({trained.origin.get('sweep', 'no sweep')})"
    return Named(trained, name, chosen=True)


def _of_run(uri: str, run: str, device: str, *, signal: bool = False) -> "Trained":
    from ssmpe.tracking.reading import fetch_best
    from ssmpe.transcription.trained import load_trained

    with tempfile.TemporaryDirectory() as scratch:
        return load_trained(fetch_best(uri, run, Path(scratch)), device, signal=signal)


def _device(given: argparse.Namespace) -> str:
    """Return the device that is asked for, and check the number of threads there."""
    if given.threads is not None and not 1 <= given.threads <= MAX_THREADS:
        raise UserError(f"--threads {given.threads}: expected 1 to {MAX_THREADS}")
    return device_of(given.device)


def device_of(name: str | None) -> str:
    """Return the device that is asked for; None: a GPU, if there is any.

    Raises:
        UserError: it cannot be used.
    """
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).cpu()
    except (RuntimeError, AssertionError) as error:  # the latter of builds without CUDA
        raise UserError(f"--device {name}: cannot be used ({first_line(error)})") from None
    return name
