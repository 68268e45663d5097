"""Scores of trained networks on any sets: what ``ssmpe evaluate`` does."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from ssmpe.commands import scored, sweep, weights
from ssmpe.commands.scored import Data, Scored
from ssmpe.commands.weights import Named
from ssmpe.config import GeometryConfig
from ssmpe.config.model import MOST_DECOMPOSITION
from ssmpe.console import TaskBar, check_output
from ssmpe.data.datasets.folder import AUDIO_SUFFIXES
from ssmpe.data.datasets.registry import DATASETS, Locations, parse
from ssmpe.data.sets import LoadedSet, Use, load_use, use_of
from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.evaluation.scores import SetScores
from ssmpe.evaluation.scoring import EvaluationSet, evaluate, evaluate_all, prepare
from ssmpe.experiments.options import data_root_of, folders_of
from ssmpe.transcription.trained import (
    Trained,
    with_decomposition,
    with_threads,
    with_threshold,
)

EMBEDDED = "embedded-"
"""What stands before the size in ``DataConfig.source``"""


@dataclass(frozen=True)
class _Key:
    """What networks share that are scored together: a set, and the grid of its features."""

    use: Use
    root: Path
    geometry: GeometryConfig


def run(given: argparse.Namespace, console: Console) -> int:
    """Score sets, print a table of means, and write the scores of all tracks.

    Raises:
        ScoringError: they are not those that mir_eval gives.
        UserError: no such set, network or folder, or data that cannot be used.
    """
    folders = folders_of(given.folder)
    if given.sweep_file is not None:
        sweep.read(given.sweep_file)
    for name in (*given.sets, *filter(None, [given.tune])):
        _check(name, given.sweep_file, folders)
    if given.tune is not None and given.threshold is not None:
        raise UserError("give either --tune or --threshold")
    weight = _weight(given)
    if given.csv is not None:
        if given.csv.suffix.lower() in AUDIO_SUFFIXES:
            raise UserError(f"--csv {given.csv}: named as a recording is: expected FILE.csv")
        check_output("--csv", given.csv)
    found: list[Scored] = []
    for alone in weights.load_all(given, console):
        networks = [_beside(one, weight, given) for one in alone]
        largest = max((n.trained.network for n in networks), key=weights.n_bytes)
        with with_threads(largest, given.threads), TaskBar(console) as bar:
            found += _scored(networks, given, folders, console, bar)
    scored.tell(console, found)
    if weight:
        console.print(f"beside every network: the harmonic decomposition, of weight {weight:g}")
    if given.csv is not None:
        scored.write(given.csv, found)
    return 0


def _scored(
    networks: Sequence[Named],
    given: argparse.Namespace,
    folders: dict[str, Path],
    console: Console,
    bar: TaskBar,
) -> list[Scored]:
    """Score networks, set by set: what depends on a set alone is prepared once for all of them."""
    loaded: dict[_Key, LoadedSet] = {}
    sharing: dict[_Key, list[int]] = {}
    where: list[Data] = []
    tuning: list[_Key] = []
    tune = tuple(filter(None, [given.tune]))
    # a mistake shows before anything is scored
    for i, one in enumerate(networks):
        names = tuple(dict.fromkeys(given.sets)) or one.trained.config.data.evaluated_sets
        for name in names:
            _check(name, given.sweep_file, folders)
        where.append(_data(given.data_root, folders, (*names, *tune), one.trained, console))
        for name in names:
            sharing.setdefault(_opened(name, one.trained, where[i], loaded, bar), []).append(i)
        for name in tune:
            key = _opened(name, one.trained, where[i], loaded, bar)
            if None in loaded[key].annotations:
                raise UserError(f"--tune {name}: that set has no annotations")
            tuning.append(key)
    if tuning:
        networks = _tuned(networks, tuning, loaded, bar)
    scores: list[list[SetScores]] = [[] for _ in networks]
    for key, numbers in sharing.items():
        of_each = _together([networks[i].trained for i in numbers], loaded[key], bar)
        for i, of_set in zip(numbers, of_each, strict=True):
            scores[i].append(of_set)
    texts = [weights.threshold_of(given, one.trained) for one in networks]
    return [*map(Scored.of, networks, texts, where, scores)]


def _opened(
    name: str, trained: Trained, data: Data, loaded: dict[_Key, LoadedSet], bar: TaskBar
) -> _Key:
    """Return the key of a set as a network hears it; open it if none has asked for it yet."""
    config = trained.config
    use = use_of(name, config.data, config.geometry.sample_rate, annotated=True)
    key = _Key(use, data.where.root, config.geometry)
    if key not in loaded:
        loaded[key] = _loaded(use, data, bar)
    return key


def _tuned(
    networks: Sequence[Named], keys: Sequence[_Key], loaded: dict[_Key, LoadedSet], bar: TaskBar
) -> list[Named]:
    """Return networks with the threshold of each that is best on its set of ``--tune``.

    Raises:
        UserError: nothing that an output has there is right.
    """
    prepared: dict[_Key, EvaluationSet] = {}
    tuned = []
    for done, (one, key) in enumerate(zip(networks, keys, strict=True)):
        trained, name = one.trained, key.use.name
        if key not in prepared:
            (prepared[key],) = prepare((loaded[key],), trained.hcqt, trained.device)
        bar.show(f"tuning on {name}", done, len(networks))
        scores = evaluate(trained.network, prepared[key])
        if scores.means.average_precision == 0:
            raise UserError(f"--tune {name}: no pitch of {one.name or 'the network'} is right")
        tuned.append(replace(one, trained=replace(trained, threshold=scores.threshold)))
    return tuned


def _weight(given: argparse.Namespace) -> float | None:
    """Return the weight of the decomposition beside networks; None if none is asked for.

    Raises:
        UserError: it is no such number.
    """
    if given.decomposition is None:
        return None
    try:
        weight = float(given.decomposition)
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= MOST_DECOMPOSITION:
        expected = f"a number from 0 to {MOST_DECOMPOSITION:g}"
        raise UserError(f"--decomposition {given.decomposition!s:.80}: expected {expected}")
    return weight


def _beside(one: Named, weight: float | None, given: argparse.Namespace) -> Named:
    """Return a network with the decomposition beside it that is asked for.

    Raises:
        UserError: it has no threshold that fits.
    """
    if weight is None:
        return one
    trained = with_decomposition(one.trained, weight)
    if trained is not one.trained and given.tune is None:
        if given.threshold is None:
            raise UserError(
                f"--decomposition {weight:g}: the stored threshold is that of weight "
                f"{one.trained.config.model.decomposition:g}: give --tune SET, or --threshold"
            )
        trained = with_threshold(trained, given.threshold)
    return replace(one, trained=trained)


def _together(trained: Sequence[Trained], loaded: LoadedSet, bar: TaskBar) -> list[SetScores]:
    """Score networks on a set, whose features have one grid for all of them."""
    what, n = f"scoring {loaded.name}", len(trained)
    evaluated = EvaluationSet(loaded, trained[0].hcqt, trained[0].device, cache_bytes=0)
    show = partial(bar.show, f"{what}, {n} networks" if n > 1 else what, total=n * len(evaluated))
    applied = [(t.network, t.least_salience, t.note_rule) for t in trained]
    return evaluate_all(applied, evaluated, show)


def _check(name: str, file: str | None, folders: dict[str, Path]) -> None:
    """Check that there is a set of that name.

    Raises:
        UserError: there is none; of an unknown dataset, it tells how one's own is brought.
    """
    try:
        parse(name, folders)
    except UserError as error:
        if name.partition("/")[0] in {*DATASETS, *folders}:
            raise
        how = "of your own: --sweep-file FILE or --folder NAME=DIR"
        text = how if file is None else f"--sweep-file {file} brings none of that name"
        raise UserError(f"{error}; {text}") from None


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


def _loaded(use: Use, data: Data, bar: TaskBar) -> LoadedSet:
    def show(of: str, done: int, total: int) -> None:
        bar.show(f"decoding {of}", done, total)

    return load_use(use, data.where, cache_dir(), progress=show)
