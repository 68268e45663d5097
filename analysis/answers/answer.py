"""The answer of a sweep to its question: sentences with numbers, and what they rest on."""

from dataclasses import dataclass

from analysis.answers.climb import climb
from analysis.answers.facts import WORDS, Facts, change, clear, counted, listed, rows_of, sentence
from analysis.answers.own import OWN, Two
from analysis.numbers import ladder
from analysis.numbers.comparison import Comparison
from analysis.numbers.counts import SEVERITY

TINY_ALIVE = (200, 500)
"""Batches after which rows of the preset tiny come alive, in the embedded world."""


@dataclass(frozen=True)
class Answered:
    """An answer.

    Attributes:
        sentences: two, with numbers; a third where rows without a network are a line for them.
        basis: what they rest on, and do not: seeds, intervals, rows that are missing.
    """

    sentences: tuple[str, ...]
    basis: tuple[str, ...]


def answer(comparison: Comparison) -> Answered:
    """Return what a sweep says to its question."""
    facts = Facts(comparison)
    own = (found for fits in (asleep, climb, *OWN) if (found := fits(facts)))
    said = next(own, None) or general(facts)
    return Answered((*said, *_against_the_signal(facts)), tuple(_basis(facts)))


def _against_the_signal(facts: Facts) -> list[str]:
    """Say which rows score less than is known without a network; [] where that is not known."""
    sets = dict.fromkeys((facts.validation, *facts.kinds))
    said = []
    for name in sets:
        lines = {m: f for m in ladder.MEASURES if (f := ladder.foot(facts.sweep, name, m))}
        if not lines or set(facts.rows) <= set(facts.sweep.signal_rows):
            continue
        known = listed([f"{WORDS[m]} {f.score:.2f}" for m, f in lines.items()])
        under = [f"{_under(facts, name, m)} in {WORDS[m]}" for m in lines]
        said.append(f"{known} on {name} (below that line: {listed(under)})")
    return [sentence(f"Without a network, peaks of the signal have {'; '.join(said)}")] * bool(said)


def _under(facts: Facts, set_name: str, measure: str) -> str:
    """Return "a and b", "none" or "all 5 rows", of those below the line."""
    ranked = facts.ranked(set_name, measure)
    found = [r for r in facts.rows if ladder.below(facts.sweep, r, set_name, measure)]
    if len(found) == len(ranked) > 1:
        return f"all {len(found)} rows"
    return listed(found)


def general(facts: Facts) -> Two:
    """Say of any sweep which row is the best and which the worst, and what collapsed."""
    kinds = [_on_kind(facts, kind) for kind in facts.kinds]
    return _extremes(facts), sentence(_collapses(facts), *kinds, _unscored(facts))


def asleep(facts: Facts) -> Two | None:
    """Say that no row has come alive yet: of rows that are all blank, none is the best."""
    where = facts.validation
    ranked = facts.ranked(where, SEVERITY)
    if not ranked or set(facts.asleep) != set(facts.rows):
        return None
    batches = max(t.last_step for t in facts.counted(facts.rows))
    least = facts.value(ranked[0], where, SEVERITY)
    first = (
        f"No row has come alive yet after {batches} batches: on {where}, the blank rate at 0.5 is "
        f"{least} at best"
    )
    longer = "train longer before rows are compared"
    if facts.sweep.preset == "tiny" and batches < TINY_ALIVE[1]:
        longer += "; the preset tiny takes {} to {} batches".format(*TINY_ALIVE)
    if not facts.sweep.tuned or not facts.ranked(where):
        return sentence(first), sentence(longer)
    free = listed([_range(facts, m) for m in (facts.sweep.f1, "average_precision")])
    return sentence(first), sentence(f"below that threshold there are {free}", longer)


def _range(facts: Facts, measure: str) -> str:
    """Return "tuned F1 0.14 to 0.22", over rows on the validation set."""
    ranked = facts.ranked(facts.validation, measure)
    ends = dict.fromkeys(facts.value(ranked[i], facts.validation, measure) for i in (0, -1))
    return f"{WORDS[measure]} {' to '.join(ends)}"


def _extremes(facts: Facts) -> str:
    where = facts.validation
    ranked = facts.ranked(where)
    if not ranked:
        return f"No row has a score on {where}, on which rows are validated."
    worst, best = ranked[0], ranked[-1]
    if worst == best:
        return f"{best} has {facts.scored(best, where)} on {where}; no other row has a result."
    text = (
        f"Of {counted(len(ranked), 'row')}, the best on {where} is {best} with "
        f"{facts.scored(best, where)}, and the worst {worst} with {facts.scored(worst, where)}"
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
            f"surely (Holm's correction) better than {facts.baseline}: {better}; worse: {worse}"
        )
    return sentence(*parts)


def _collapses(facts: Facts) -> str:
    runs, sets = facts.counted(facts.rows), facts.kinds or facts.sweep.sets
    where = f"on {listed(facts.kinds)}, of the added kind" if facts.kinds else "on any set"
    collapsed = facts.collapsed(facts.rows, sets)
    if collapsed:
        n = f"{len(collapsed)} of {counted(len(runs), 'run')}"
        said = f"{n} collapsed at 0.5 {where} ({rows_of(collapsed)})"
    elif len(runs) == 1:
        said = f"the only run did not collapse at 0.5 {where}"
    else:
        said = f"none of {len(runs)} runs collapsed at 0.5 {where}"
    others = {s: facts.collapsed(facts.rows, [s]) for s in facts.sweep.sets if s not in sets}
    said = ", ".join([said, *(f"and {rows_of(ts)} on {s}" for s, ts in others.items() if ts)])
    lost = facts.lost(facts.rows, sets)
    return f"{said}; {lost}" if lost else said


def _on_kind(facts: Facts, kind: str) -> str:
    """Say how rows score, and how blank they are at one half, on the kind that they add."""
    rows = facts.adding(kind)
    blank, f1 = facts.ranked(kind, SEVERITY, rows), facts.ranked(kind, rows=rows)
    where = "there" if facts.kinds == (kind,) else f"on {kind}"
    said = f"with excerpts of it added, the {WORDS[SEVERITY]} {where} is"
    if len(blank) == 1:
        said += f" {facts.value(blank[0], kind, SEVERITY)} with {blank[0]}"
    elif blank:
        least, most = (f"{r} ({facts.value(r, kind, SEVERITY)})" for r in (blank[0], blank[-1]))
        said += f" lowest with {least} and highest with {most}"
    if facts.baseline not in rows:
        base = facts.value(facts.baseline, kind, SEVERITY)
        said += f", against {base} of {facts.baseline}"
    if len(f1) == 1:
        said += f"; it has {facts.scored(f1[0], kind)} there"
    elif f1:
        best = f"{facts.number(f1[-1], kind)} ({f1[-1]})"
        said += f"; {'tuned ' if facts.sweep.tuned else ''}F1 there is at best {best}"
        said += f", at worst {facts.value(f1[0], kind)} ({f1[0]})"
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
        over = "over seeds and tracks" if n > 1 else "over tracks, not over seeds"
        lines.append(f"Intervals (95 %) are {over}.")
    else:
        lines.append("No intervals: nothing to compare, or no scores by track in the store.")
    lines.append("Scores are those of the last validation.")
    if not sweep.tuned:
        lines.append(
            "They are at a salience of 0.5 alone, which cannot tell a sunk level from lost content."
        )
    stopped = sum(t.stopped for t in sweep.trials)
    if stopped:
        lines.append(f"{counted(stopped, 'run')} stopped as collapsed, counted as stopped.")
    if facts.asleep and facts.asleep != list(facts.rows):
        rows = listed(facts.asleep)
        lines.append(
            sentence(f"Not alive yet at 0.5, so that nothing there could collapse: {rows}")
        )
    known = {t.row for t in sweep.trials if t.has_result}
    missing = [row for row in sweep.rows if row not in known]
    if missing:
        lines.append(f"Without a result, and left out: {listed(missing)}.")
    if not sweep.finished:
        left = counted(sweep.unfinished, "trial")
        lines.append(f"Not finished ({sweep.state}): {left} still to end.")
    return lines
