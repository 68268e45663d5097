"""Answers of the sweeps that vary objectives."""

from collections.abc import Mapping

import numpy as np

from analysis.comparison import Difference
from analysis.facts import Facts, change_text, clear, counted, listed, minus
from analysis.statistics import Interval, Spread
from analysis.sweep import REFERENCE_ROW

_WEIGHTS = "objectives.weights."
BLANK = 0.7
"""blank rate from which a set counts as collapsed, once it has been alive"""


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


def energy(facts: Facts) -> tuple[str, str] | None:
    """Do energy and sparsity keep added music from going blank, and at what precision?"""
    added = [r for r in facts.rows if facts.of_row(r)[0].added_set]
    with_content = [r for r in added if _content(facts, r)]
    plain = [r for r in added if r not in with_content]
    if not plain or not with_content or (where := facts.added_kind(plain[0])) is None:
        return None
    row = plain[0]
    rows = [r for r in with_content if facts.added_kind(r) == where]
    if not rows:
        return None
    blank = [r for r in rows if facts.mean(r, where, "blank_rate") >= BLANK]
    least = facts.ranked(where, "blank_rate", rows)[0]
    first = (
        f"On {where}, of the added kind, the blank rate is {facts.value(row, where, 'blank_rate')} "
        f"with {row} and {facts.value(least, where, 'blank_rate')} with {least}, the lowest of "
        f"{counted(len(rows), 'row')} with energy or sparsity objectives; "
        f"{len(blank) or 'none'} of them ended at {BLANK:g} or more."
    )
    ranked = facts.ranked(where, rows=rows)
    if not ranked:
        return None
    best = ranked[-1]
    second = (
        f"The best F1 there among these is {facts.value(best, where)} ({best}, precision "
        f"{facts.value(best, where, 'precision')}, recall {facts.value(best, where, 'recall')}), "
        f"against {facts.value(row, where)} of {row} (precision "
        f"{facts.value(row, where, 'precision')}, recall {facts.value(row, where, 'recall')})"
    )
    if facts.baseline in facts.rows and facts.baseline != row:
        second += (
            f" and {facts.value(facts.baseline, where)} of {facts.baseline}, which adds nothing"
        )
    return first, f"{second}."


def _content(facts: Facts, row: str) -> bool:
    params = facts.of_row(row)[0].params
    return any(f"{_WEIGHTS}{name}" in params for name in ("energy", "sparsity"))
