"""Answers of the sweeps that vary objectives."""

from collections.abc import Mapping

import numpy as np

from analysis.answers.facts import Facts, change_text, clear, counted, listed, minus
from analysis.numbers.comparison import Difference
from analysis.numbers.statistics import Interval, Spread
from analysis.reading.records import REFERENCE_ROW

_WEIGHTS = "objectives.weights."


def objectives(facts: Facts) -> tuple[str, str] | None:
    """What does each objective bring?"""
    alone = [r for r in facts.rows if facts.of_row(r)[0].supervised_only]
    if not alone or facts.baseline != REFERENCE_ROW or REFERENCE_ROW not in facts.rows:
        return None
    where = facts.validation
    effects = [
        f"{minus(f'{np.mean(pairs):+.2f}')} with {name} ({counted(len(pairs), 'pair')})"
        for name, pairs in _effects(facts, where).items()
    ]
    if not effects:
        return None
    first = (
        f"Averaged over the pairs of rows that differ in it alone, F1 on {where} changes by "
        f"{listed(effects)}."
    )
    gains = {s: _reverse(d) for s in facts.sweep.sets if (d := facts.difference(alone[0], s))}
    each = listed([f"{change_text(d)} on {s}" for s, d in gains.items()])
    second = f"All together ({REFERENCE_ROW}) change F1 against {alone[0]} alone by {each}"
    if facts.comparison.has_intervals:
        better, worse = ([s for s, d in gains.items() if clear(d) == sign] for sign in (1, -1))
        second += (
            f"; beyond the interval, they help on {listed(better)} and cost on {listed(worse)}"
        )
    return first, f"{second}."


def _effects(facts: Facts, where: str) -> Mapping[str, list[float]]:
    """Objective -> F1 with it minus F1 without it, of pairs of rows that differ in it alone."""
    names = {
        frozenset(
            p.removeprefix(_WEIGHTS)
            for p in facts.of_row(r)[0].params
            if p[: len(_WEIGHTS)] == _WEIGHTS
        ): r
        for r in facts.ranked(where)
    }
    effects: dict[str, list[float]] = {}
    for objective in sorted(set().union(*names)):
        pairs = [
            (row, names.get(has - {objective})) for has, row in names.items() if objective in has
        ]
        found = [facts.mean(a, where) - facts.mean(b, where) for a, b in pairs if b]
        if found:
            effects[objective] = found
    return effects


def _reverse(difference: Difference) -> Difference:
    """Baseline minus row, of row minus baseline."""
    s, i = difference.spread, difference.interval
    return Difference(
        Spread(s.n, -s.mean, s.std, -s.high, -s.low),
        Interval(-i.high, -i.low, i.n) if i else None,
    )
