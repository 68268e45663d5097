"""What is told of scores: a line for every network, one for every row, and a file of all tracks."""

import csv
import errno
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ssmpe import bundled
from ssmpe.commands.weights import Named
from ssmpe.console import print_table, printable, written
from ssmpe.data.datasets.registry import Locations
from ssmpe.errors import UserError
from ssmpe.evaluation.notes import NOTE_MEASURES
from ssmpe.evaluation.scores import ALL_MEASURES, SetScores, TrackScores
from ssmpe.experiments.deltas import REFERENCE
from ssmpe.signal.salience import THRESHOLD

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
COMPARED = {"F1 tuned": "f1_tuned", "AP": "average_precision"}
"""Heading of the table of rows -> measure that they are compared on"""
OF_NUMBERS, OF_INTERVALS = 5, 24
"""Least widths of columns: of "0.123", and of "+0.123 [-0.123, +0.123]*"."""
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
    """Scores of a network, which is in memory no longer.

    Attributes:
        run, row, seed: of a sweep's network, else "".
        learnt: whether it is a network; else it is the signal itself.
        threshold: least salience of a pitch, and ``told``: where it comes from.
        scores: one set after the other.
        decomposition: weight of the harmonic decomposition beside it.
    """

    run: str
    row: str
    seed: str
    learnt: bool
    threshold: float
    told: str
    data: Data
    scores: list[SetScores]
    decomposition: float = 0.0

    @classmethod
    def of(cls, network: Named, told: str, data: Data, scores: list[SetScores]) -> "Scored":
        """Keep of a network what is told of it."""
        trained = network.trained
        model, threshold = trained.config.model, trained.least_salience
        whose = network.run, network.row, network.seed
        return cls(*whose, model.learns, threshold, told, data, scores, model.decomposition)


def accuracy(scores: TrackScores) -> float:
    """Return mir_eval's accuracy TP / (TP + FP + FN) of a track, which follows from P and R."""
    p, r = scores.precision, scores.recall
    if math.isnan(p + r):
        return math.nan
    return 1 / (1 / p + 1 / r - 1) if p > 0 and r > 0 else 0.0


def tell(console: Console, scored: Sequence[Scored]) -> None:
    """Print means over the tracks of sets; of a sweep's networks, with row, seed and threshold."""
    several = bool(scored[0].run)
    where = "the threshold beside it" if several else scored[0].told
    caption = f"tuned: at a salience of {where}; others, but average precision: at {THRESHOLD}"
    if any(0 < _annotated(s) < len(s.tracks) for one in scored for s in one.scores):
        caption += "; 1 of 2 tracks: so many are annotated; blank rates are of all"
    numbers = (*(("threshold",) if several else ()), "tracks", *COLUMNS)
    table = _table(caption, (*(("row", "seed") if several else ()), "set"), numbers)
    for one in scored:
        name = (one.row, one.seed) if several else ()
        least = (f"{one.threshold:.3g}",) if several else ()
        for found in one.scores:
            values = [getattr(found.means, measure) for measure in COLUMNS.values()]
            first = map(printable, (*name, found.name))
            table.add_row(*first, *least, _counted(found), *map(_text, values))
    print_table(console, table)
    _tell_notes(console, scored)
    if len({one.row for one in scored}) > 1:
        _compare(console, scored)
    for kind, names in _by_kind(scored).items():
        console.print(printable(f"{', '.join(names)}: {kind}"), soft_wrap=True)


def _counted(found: SetScores) -> str:
    """Return how many tracks there are, and, if not all of them, how many can be scored."""
    known, n = _annotated(found), len(found.tracks)
    return f"{known} of {n}" if 0 < known < n else str(n)


def _annotated(found: SetScores) -> int:
    return sum(not math.isnan(track.average_precision) for track in found.tracks.values())


def _table(caption: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    """Make a table, in which names are folded before any number is cut."""
    table = Table(box=None, pad_edge=False, caption=printable(caption), caption_justify="left")
    for heading in names:
        table.add_column(heading, overflow="fold")
    for heading in map(printable, numbers):
        least = OF_INTERVALS if heading.startswith("− ") else OF_NUMBERS
        table.add_column(heading, justify="right", overflow="fold", min_width=least)
    return table


def _tell_notes(console: Console, scored: Sequence[Scored]) -> None:
    """Print means over the tracks of those sets whose notes are known."""
    caption = "notes, by mir_eval.transcription: onset (pitch and onset), note (and offset)"
    several = bool(scored[0].run)
    numbers = ("tracks", *(f"{of} {m}" for of in ("onset", "note") for m in ("P", "R", "F1")))
    table = _table(caption, (*(("row", "seed") if several else ()), "set"), numbers)
    unknown: dict[str, None] = {}
    for one in scored:
        for found in one.scores:
            if not (values := [list(of.values().values()) for of in found.notes.values()]):
                unknown[found.name] = None
                continue
            first = map(printable, (*((one.row, one.seed) if several else ()), found.name))
            table.add_row(*first, str(len(values)), *map(_text, np.mean(values, axis=0)))
    if table.rows:
        print_table(console, table)
    if unknown:
        console.print(printable(f"{', '.join(unknown)}: no notes are known"), soft_wrap=True)


def _compare(console: Console, scored: Sequence[Scored]) -> None:
    """Print means of rows over their seeds, and the differences to the baseline, set by set.

    The baseline, intervals and marks are as in ``analysis.results``; a search's start has no name
    here, so that its first trial stands for it.
    """
    statistics = bundled.analysis("numbers.intervals")
    cells: dict[tuple[str, str], dict[str, SetScores]] = {}
    for name in dict.fromkeys(found.name for one in scored for found in one.scores):
        for one in scored:
            for found in (s for s in one.scores if s.name == name):
                cells.setdefault((name, one.row), {})[one.seed] = found
    rows = dict.fromkeys(one.row for one in sorted(scored, key=lambda one: not one.learnt))
    baseline = REFERENCE.name if REFERENCE.name in rows else next(iter(rows))
    n_compared, columns = 0, []
    for measure in COMPARED.values():
        pairs = [(own, cells.get((name, baseline), {})) for (name, _), own in cells.items()]
        effects = [statistics.mean_difference(_differences(*pair, measure)) for pair in pairs]
        effects = [e if key[1] != baseline else None for key, e in zip(cells, effects, strict=True)]
        p_values = statistics.holm([e.p_value if e else math.nan for e in effects])
        n_compared = max(n_compared, sum(e is not None for e in effects))
        columns.append([_text(_mean(own, measure)) for own in cells.values()])
        columns.append(
            [
                f"{e.mean:+.3f} {e.interval()}{'*' if p <= statistics.LEVEL else ' '}" if e else ""
                for e, p in zip(effects, p_values, strict=True)
            ]
        )
    caption = (
        f"means over seeds; − {baseline}: paired by seed, with 95 % intervals over seeds "
        f"and tracks; *: survives Holm's correction for all {n_compared} of a measure"
    )
    numbers = ("seeds", *(h for m in COMPARED for h in (m, f"− {baseline}")))
    table = _table(caption, ("set", "row"), numbers)
    for key, own, *texts in zip(cells, cells.values(), *columns, strict=True):
        table.add_row(*map(printable, key), str(len(own)), *texts)
    print_table(console, table)


def _mean(own: Mapping[str, SetScores], measure: str) -> float:
    """Return the mean of a row's seeds that have a measure; NaN if none has."""
    known = [v for s in own.values() if not math.isnan(v := getattr(s.means, measure))]
    return sum(known) / len(known) if known else math.nan


def _differences(
    own: Mapping[str, SetScores], baseline: Mapping[str, SetScores], measure: str
) -> NDArray[np.float64]:
    """Return a row minus the baseline (seeds, tracks), of the seeds that both have.

    Nothing of seeds that were scored on other tracks.
    """
    pairs = [(own[seed].tracks, baseline[seed].tracks) for seed in own if seed in baseline]
    found = [
        [getattr(of[track], measure) - getattr(to[track], measure) for track in pairs[0][0]]
        for of, to in pairs
        if of.keys() == to.keys() == pairs[0][0].keys()
    ]
    return np.array(found, dtype=np.float64)


def _text(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _by_kind(scored: Sequence[Scored]) -> dict[str, list[str]]:
    """Return the names of sets, each once, by what these consist of, in words."""
    kinds: dict[str, dict[str, None]] = {}
    for of, one in ((s.data, one) for s in scored for one in s.scores):
        kind = of.of(one.name)
        if kind.startswith(EMBEDDED_WORLD):
            kind += "; its scores compare with each other, not with published ones"
        kinds.setdefault(kind, {})[one.name] = None
    return {kind: [*names] for kind, names in kinds.items()}


def write(path: Path, scored: Sequence[Scored]) -> None:
    """Write a row per track; what is undefined is left empty.

    Raises:
        UserError: the file cannot be written.
    """
    several = bool(scored[0].run)
    try:
        with written(path) as file:
            table = csv.writer(file, lineterminator="\n")
            first = ("run", "row", "seed", "threshold") if several else ()
            measured = (*ALL_MEASURES, "accuracy", *NOTE_MEASURES)
            table.writerow([*first, "set", "track", "data", "decomposition", *measured])
            for of, one in ((s, one) for s in scored for one in s.scores):
                own = (of.run, of.row, of.seed, f"{of.threshold:g}") if several else ()
                for track, measures in one.tracks.items():
                    values = [*(getattr(measures, m) for m in ALL_MEASURES), accuracy(measures)]
                    of_notes = one.notes[track].values() if track in one.notes else {}
                    values += [of_notes.get(measure, math.nan) for measure in NOTE_MEASURES]
                    texts = ("" if math.isnan(v) else f"{v:.6f}" for v in values)
                    beside = f"{of.decomposition:g}"
                    names = map(printable, (*own, one.name, track, of.data.of(one.name), beside))
                    table.writerow([*names, *texts])
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise UserError(f"--csv {path}: cannot be written ({error.strerror})") from None
