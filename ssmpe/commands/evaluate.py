"""``python -m ssmpe evaluate``: scores of a trained network on any sets."""

import argparse
import csv
import errno
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ssmpe.commands import weights
from ssmpe.console import TaskBar, check_output, printable, written
from ssmpe.data.datasets.registry import Locations, parse
from ssmpe.data.sets import LoadedSet, load_use, use_of
from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.evaluation.scores import ALL_MEASURES, Observed, SetScores, TrackScores
from ssmpe.evaluation.scoring import EvaluationSet, by_mir_eval_itself, check, set_scores
from ssmpe.experiments.options import data_root_of, folders_of
from ssmpe.runner.planning.provision import embedded_root
from ssmpe.signal.salience import THRESHOLD
from ssmpe.transcription.trained import Trained

COLUMNS = {
    "F1 tuned": "f1_tuned",
    "blank tuned": "blank_rate_tuned",
    "AP": "average_precision",
    "P": "precision",
    "R": "recall",
    "F1": "f1",
    "blank": "blank_rate",
}
"""Heading of the table -> measure"""
EMBEDDED = "embedded-"
"""What stands before the size in ``DataConfig.source``"""
EMBEDDED_WORLD = "embedded world"
"""What stands before the size for people"""


@dataclass(frozen=True)
class Data:
    """The places where sets are looked for.

    Attributes:
        world: size of the embedded world if the published sets are of that, else None.
    """

    where: Locations
    world: str | None

    def of(self, name: str) -> str:
        """Return in words what a set consists of."""
        dataset = name.split("/")[0]
        if dataset in self.where.folders:
            return str(self.where.folders[dataset])
        return f"{EMBEDDED_WORLD} ({self.world})" if self.world else str(self.where.root)


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("evaluate", help="score a trained network on any sets")
    parser.add_argument(
        "sets", nargs="*", metavar="SET", help="as Bach10/all (default: those the trial scored)"
    )
    weights.add_options(parser)
    parser.add_argument(
        "--data-root",
        metavar="DIR",
        help="folder of the datasets (default: the embedded world, if the trial was trained on it)",
    )
    parser.add_argument(
        "--folder",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="folder of your own audio, then to be scored as NAME/annotated; may be repeated",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a row per track")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace, console: Console) -> int:
    """Score sets, print a table of means, and write the scores of all tracks.

    Raises:
        ScoringError: they are not those that mir_eval gives.
        UserError: no such set, network or folder, or data that cannot be used.
    """
    folders = folders_of(given.folder)
    for name in given.sets:
        parse(name, folders)
    if given.csv is not None:
        check_output("--csv", given.csv)
    trained = weights.load(given)
    names = tuple(dict.fromkeys(given.sets)) or trained.config.data.evaluated_sets
    data = _data(given.data_root, folders, names, trained, console)
    with TaskBar(console) as bar:
        # a mistake shows before anything is scored
        loaded = [_loaded(name, data, trained, bar) for name in names]
        scores = [_scored(one, trained, bar) for one in loaded]
    _print(console, scores, data, weights.threshold_of(given, trained))
    if given.csv is not None:
        _write(given.csv, scores, data)
    return 0


def accuracy(scores: TrackScores) -> float:
    """Return mir_eval's accuracy TP / (TP + FP + FN) of a track, which follows from P and R."""
    p, r = scores.precision, scores.recall
    if math.isnan(p + r):
        return math.nan
    return 1 / (1 / p + 1 / r - 1) if p > 0 and r > 0 else 0.0


def _data(
    root: str | None,
    folders: dict[str, Path],
    names: Sequence[str],
    trained: Trained,
    console: Console,
) -> Data:
    """Return where the sets are; render the embedded world only if one of them is of it."""
    if root is not None:
        return Data(Locations(data_root_of(root), folders), None)
    published = [name for name in names if name.split("/")[0] not in folders]
    if not published:
        return Data(Locations(Path(), folders), None)
    source = trained.config.data.source
    if not source.startswith(EMBEDDED):
        raise UserError(f"{published[0]}: the trial was trained on datasets: give --data-root DIR")
    size = source.removeprefix(EMBEDDED)
    return Data(Locations(embedded_root(cache_dir(), size, console), folders), size)


def _loaded(name: str, data: Data, trained: Trained, bar: TaskBar) -> LoadedSet:
    config = trained.config
    use = use_of(name, config.data, config.geometry.sample_rate, annotated=True)

    def show(of: str, done: int, total: int) -> None:
        bar.show(f"decoding {of}", done, total)

    return load_use(use, data.where, cache_dir(), progress=show)


def _scored(loaded: LoadedSet, trained: Trained, bar: TaskBar) -> SetScores:
    evaluated = EvaluationSet(loaded, trained.hcqt, trained.device, cache_bytes=0)
    g, threshold = trained.config.geometry, trained.least_salience
    observed, theirs = {}, {}
    for i, estimate in evaluated.saliences(trained.network):
        packed = Observed.packed(estimate, evaluated.halves(i))
        observed[i] = evaluated.observed(i, packed.cpu().numpy())
        theirs[i] = by_mir_eval_itself(evaluated.reference(i), estimate, g, threshold)
        bar.show(f"scoring {loaded.name}", len(observed), len(evaluated))
    scores = set_scores(evaluated, [observed[i] for i in sorted(observed)], threshold)
    for i, found in theirs.items():
        check(scores, evaluated.track_name(i), found)
    return scores


def _print(console: Console, scores: Sequence[SetScores], data: Data, threshold: str) -> None:
    """Print means over the tracks of sets; ``threshold``: of the measures that are tuned."""
    caption = f"tuned: at a salience of {threshold}; others, but average precision: at {THRESHOLD}"
    table = Table(box=None, pad_edge=False, caption=printable(caption), caption_justify="left")
    table.add_column("set", no_wrap=True)
    for heading in ("tracks", *COLUMNS):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in scores:
        values = [getattr(one.means, measure) for measure in COLUMNS.values()]
        texts = ("–" if math.isnan(value) else f"{value:.3f}" for value in values)
        table.add_row(printable(one.name), str(len(one.tracks)), *texts)
    console.print(table)
    for kind, names in _by_kind(scores, data).items():
        console.print(printable(f"{', '.join(names)}: {kind}"), soft_wrap=True)


def _by_kind(scores: Iterable[SetScores], data: Data) -> dict[str, list[str]]:
    """Return the names of sets by what these consist of, in words."""
    kinds: dict[str, list[str]] = {}
    for one in scores:
        kind = data.of(one.name)
        if kind.startswith(EMBEDDED_WORLD):
            kind += "; its scores compare with each other, not with published ones"
        kinds.setdefault(kind, []).append(one.name)
    return kinds


def _write(path: Path, scores: Iterable[SetScores], data: Data) -> None:
    """Write a row per track; what is undefined is left empty."""
    try:
        with written(path) as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["set", "track", "data", *ALL_MEASURES, "accuracy"])
            for one in scores:
                for track, measures in one.tracks.items():
                    values = (*(getattr(measures, m) for m in ALL_MEASURES), accuracy(measures))
                    texts = ("" if math.isnan(v) else f"{v:.6f}" for v in values)
                    names = map(printable, (one.name, track, data.of(one.name)))
                    table.writerow([*names, *texts])
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise UserError(f"--csv {path}: cannot be written ({error.strerror})") from None
