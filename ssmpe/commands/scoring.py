"""Scores of trained networks on any sets: what ``ssmpe evaluate`` does."""

import argparse
import csv
import errno
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ssmpe.commands import weights
from ssmpe.commands.weights import Named
from ssmpe.console import TaskBar, check_output, printable, written
from ssmpe.data.datasets.registry import Locations, parse
from ssmpe.data.sets import LoadedSet, load_use, use_of
from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.evaluation.scores import ALL_MEASURES, Observed, SetScores, TrackScores
from ssmpe.evaluation.scoring import EvaluationSet, by_mir_eval_itself, check, set_scores
from ssmpe.experiments.options import data_root_of, folders_of
from ssmpe.signal.salience import THRESHOLD
from ssmpe.transcription.trained import Trained, with_threads

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


@dataclass(frozen=True)
class Scored:
    """Scores of a network: one set after the other, and the threshold in words."""

    network: Named
    data: Data
    scores: list[SetScores]
    threshold: str


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
    networks = weights.load_all(given, console)
    scored: list[Scored] = []
    one = networks[0].trained.network
    with with_threads(one, given.threads), TaskBar(console) as bar:
        # a mistake shows before anything is scored
        ready = [(n, *_ready(n.trained, given, folders, console, bar)) for n in networks]
        for named, data, loaded in ready:
            text = weights.threshold_of(given, named.trained)
            scores = [_scored(one, named.trained, bar) for one in loaded]
            scored.append(Scored(named, data, scores, text))
    _print(console, scored)
    if given.csv is not None:
        _write(given.csv, scored)
    return 0


def _ready(
    trained: Trained,
    given: argparse.Namespace,
    folders: dict[str, Path],
    console: Console,
    bar: TaskBar,
) -> tuple[Data, list[LoadedSet]]:
    """Open the sets on which a network is scored."""
    names = tuple(dict.fromkeys(given.sets)) or trained.config.data.evaluated_sets
    data = _data(given.data_root, folders, names, trained, console)
    return data, [_loaded(name, data, trained, bar) for name in names]


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
    from ssmpe.runner.planning.provision import embedded_root  # the world is none of the core

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


def _print(console: Console, scored: Sequence[Scored]) -> None:
    """Print means over the tracks of sets; of a sweep's networks, with row, seed and threshold."""
    several = bool(scored[0].network.run)
    where = "the threshold beside it" if several else scored[0].threshold
    caption = f"tuned: at a salience of {where}; others, but average precision: at {THRESHOLD}"
    table = Table(box=None, pad_edge=False, caption=printable(caption), caption_justify="left")
    for heading in (*(("row", "seed") if several else ()), "set"):
        table.add_column(heading, no_wrap=True)
    for heading in (*(("threshold",) if several else ()), "tracks", *COLUMNS):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in scored:
        name = (one.network.row, one.network.seed) if several else ()
        least = (f"{one.network.trained.least_salience:.3g}",) if several else ()
        for found in one.scores:
            values = [getattr(found.means, measure) for measure in COLUMNS.values()]
            texts = ("–" if math.isnan(value) else f"{value:.3f}" for value in values)
            first = map(printable, (*name, found.name))
            table.add_row(*first, *least, str(len(found.tracks)), *texts)
    console.print(table)
    for kind, names in _by_kind(scored).items():
        console.print(printable(f"{', '.join(names)}: {kind}"), soft_wrap=True)


def _by_kind(scored: Sequence[Scored]) -> dict[str, list[str]]:
    """Return the names of sets, each once, by what these consist of, in words."""
    kinds: dict[str, dict[str, None]] = {}
    for of, one in ((s.data, one) for s in scored for one in s.scores):
        kind = of.of(one.name)
        if kind.startswith(EMBEDDED_WORLD):
            kind += "; its scores compare with each other, not with published ones"
        kinds.setdefault(kind, {})[one.name] = None
    return {kind: [*names] for kind, names in kinds.items()}


def _write(path: Path, scored: Sequence[Scored]) -> None:
    """Write a row per track; what is undefined is left empty."""
    several = bool(scored[0].network.run)
    try:
        with written(path) as file:
            table = csv.writer(file, lineterminator="\n")
            first = ("run", "row", "seed", "threshold") if several else ()
            table.writerow([*first, "set", "track", "data", *ALL_MEASURES, "accuracy"])
            for of, one in ((s, one) for s in scored for one in s.scores):
                n = of.network
                own = (n.run, n.row, n.seed, f"{n.trained.least_salience:g}") if several else ()
                for track, measures in one.tracks.items():
                    values = (*(getattr(measures, m) for m in ALL_MEASURES), accuracy(measures))
                    texts = ("" if math.isnan(v) else f"{v:.6f}" for v in values)
                    names = map(printable, (*own, one.name, track, of.data.of(one.name)))
                    table.writerow([*names, *texts])
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise UserError(f"--csv {path}: cannot be written ({error.strerror})") from None
