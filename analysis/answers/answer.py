"""The answer of a sweep to its question: two sentences with numbers, and what they rest on."""

from dataclasses import dataclass

from analysis.answers.facts import Facts, change, clear, counted, listed, rows_of, sentence
from analysis.answers.own import OWN, Two
from analysis.numbers.comparison import Comparison
from analysis.numbers.counts import SEVERITY


@dataclass(frozen=True)
class Answered:
    """An answer.

    Attributes:
        sentences: two, with numbers.
        basis: what they rest on, and do not: seeds, intervals, rows that are missing.
    """

    sentences: Two
    basis: tuple[str, ...]


def answer(comparison: Comparison) -> Answered:
    """Return what a sweep says to its question."""
    facts = Facts(comparison)
    own = (found for fits in OWN if (found := fits(facts)))
    return Answered(next(own, None) or general(facts), tuple(_basis(facts)))


def general(facts: Facts) -> Two:
    """Say of any sweep which row is the best and which the worst, and what collapsed."""
    kinds = [_on_kind(facts, kind) for kind in facts.kinds]
    return _extremes(facts), sentence(_collapses(facts), *kinds, _unscored(facts))


def _extremes(facts: Facts) -> str:
    where = facts.validation
    ranked = facts.ranked(where)
    if not ranked:
        return f"No row has a score on {where}, on which rows are validated."
    worst, best = ranked[0], ranked[-1]
    if worst == best:
        return f"{best} has {facts.scored(best, where)} on {where}; no other row has a result."
    text = (
        f"Of {counted(len(ranked), 'row')}, {best} is the best on {where} "
        f"({facts.scored(best, where)}) and {worst} the worst ({facts.scored(worst, where)})"
    )
    parts = [text]
    if facts.baseline in ranked and facts.baseline not in (best, worst):
        parts.append(f"{facts.baseline} itself has {facts.value(facts.baseline, where)}")
    if facts.comparison.has_intervals:
        compared = {r: d for r in facts.rows if (d := facts.difference(r, where))}
        better, worse = (
            listed(
                [f"{r} {change(d, interval=False)}" for r, d in compared.items() if clear(d) == s]
            )
            for s in (1, -1)
        )
        parts.append(
            f"beyond their intervals, better than {facts.baseline}: {better}; worse: {worse}"
        )
    return sentence(*parts)


def _collapses(facts: Facts) -> str:
    runs, sets = facts.counted(facts.rows), facts.kinds or facts.sweep.sets
    where = f"on {listed(facts.kinds)}, of the added kind" if facts.kinds else "on any set"
    collapsed = facts.collapsed(facts.rows, sets)
    if collapsed:
        n = f"{len(collapsed)} of {counted(len(runs), 'run')}"
        said = f"{n} collapsed {where} ({rows_of(collapsed)})"
    elif len(runs) == 1:
        said = f"the only run did not collapse {where}"
    else:
        said = f"none of {len(runs)} runs collapsed {where}"
    others = {s: facts.collapsed(facts.rows, [s]) for s in facts.sweep.sets if s not in sets}
    return ", ".join([said, *(f"and {rows_of(ts)} on {s}" for s, ts in others.items() if ts)])


def _on_kind(facts: Facts, kind: str) -> str:
    """Say how blank rows are, and how they score, on the kind that they add."""
    rows = facts.adding(kind)
    blank, f1 = facts.ranked(kind, SEVERITY, rows), facts.ranked(kind, rows=rows)
    base = facts.value(facts.baseline, kind, SEVERITY)
    said = f"with excerpts of it added, the blank rate on {kind} is"
    if len(blank) == 1:
        said += f" {facts.value(blank[0], kind, SEVERITY)} with {blank[0]}"
    elif blank:
        least, most = (f"{r} ({facts.value(r, kind, SEVERITY)})" for r in (blank[0], blank[-1]))
        said += f" lowest with {least} and highest with {most}"
    if facts.baseline not in rows:
        said += f", against {base} of {facts.baseline}"
    if len(f1) == 1:
        said += f"; it has {facts.scored(f1[0], kind)} there"
    elif f1:
        said += f"; F1 there is at best that of {f1[-1]} ({facts.scored(f1[-1], kind)})"
        said += f", at worst that of {f1[0]} ({facts.value(f1[0], kind)})"
    return said


def _unscored(facts: Facts) -> str:
    rows = [r for r in facts.rows if facts.added(r) and facts.kind(r) is None]
    return f"not scored on the kind that is added: {listed(rows)}" if rows else ""


def _basis(facts: Facts) -> list[str]:
    sweep, n = facts.sweep, len(facts.sweep.seeds)
    lines = []
    if n == 1:
        lines.append("One seed: with another, any of these numbers may come out differently.")
    else:
        lines.append(f"Means over {n} seeds.")
    if facts.comparison.has_intervals:
        lines.append("Intervals are over tracks (95 %), not over seeds.")
    else:
        lines.append("No intervals: the store has no scores by track.")
    lines.append("Scores are those of the last validation.")
    stopped = sum(t.stopped for t in sweep.trials)
    if stopped:
        lines.append(f"{counted(stopped, 'run')} stopped as collapsed, counted as stopped.")
    missing = [row for row in sweep.rows if row not in facts.rows]
    if missing:
        lines.append(f"Without a result, and left out: {listed(missing)}.")
    if not sweep.finished:
        left = counted(sweep.unfinished, "trial")
        lines.append(f"Not finished ({sweep.state}): {left} still to end.")
    return lines
