"""Answers of sweeps of which the general one would mislead, told by what their rows vary."""

from collections.abc import Callable

import numpy as np

from analysis.answers.facts import (
    WORDS,
    Facts,
    change,
    clear,
    counted,
    listed,
    minus,
    rows_of,
    sentence,
)
from analysis.numbers.counts import SEVERITY, SampleCount
from analysis.numbers.plane import BLANK, Plane
from analysis.numbers.search import StoredSearch, number_of
from analysis.numbers.statistics import Spread
from ssmpe.errors import UserError
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.stored.records import REFERENCE_ROW, WEIGHTS, StoredSweep, StoredTrial

Two = tuple[str, str]
NOTICEABLE = 0.05
"""Change of a mean blank rate below which it is not said to rise or fall"""
BARELY_BLANK = 0.5
"""Value of what a search minimises, a blank rate as a rule, below which trials are counted"""
MOST_CONTINUED = 3
"""Number of rows with added music that continue others which are told one by one"""
_PARENT = "training.parent"


def search(facts: Facts) -> Two | None:
    """Say which trial of a search weighs its two goals best, and with which settings."""
    try:
        found = StoredSearch.of(facts.sweep)
    except UserError:
        return None

    def scored(trial: StoredTrial) -> str:
        pairs = zip(found.goals, found.values(trial), strict=True)
        return " and ".join(f"{value:.2f} ({goal.label})" for goal, value in pairs)

    trials, results = found.trials, found.results
    best, first = max(results, key=found.score), min(trials, key=number_of)
    pruned = sum(t.end_reason is EndReason.PRUNED for t in trials)
    begun = ""
    if first is not best:
        end = f"has {scored(first)}" if first in results else f"ended as {first.end_reason}"
        begun = f"{first.row}, which the search began with, {end}"
    of_all = f"Of {counted(len(trials), 'trial')}, {pruned} of them pruned"
    settings = found.suggested(best).items()
    said = [f"{k} {v:.2g}" if isinstance(v, float) else f"{k} {v}" for k, v in sorted(settings)]
    goal = found.goals[1]
    alive = [t for t in results if found.values(t)[1] < BARELY_BLANK]
    below = f"{counted(len(alive), 'result')} of {len(results)} came below {BARELY_BLANK:g}"
    return (
        sentence(f"{of_all}, {best.row} weighs both goals best, with {scored(best)}", begun),
        sentence(
            f"Its settings are {listed(said)}",
            "" if goal.maximise else f"{below} ({goal.label})",
        ),
    )


def stages(facts: Facts) -> Two | None:
    """Say whether rows that continue others keep what these had learnt, once music is added."""
    later = [r for r in facts.rows if facts.of_row(r)[0].params.get(_PARENT)]
    added = [r for r in later if facts.kind(r)]
    if not 0 < len(added) <= MOST_CONTINUED:
        return None
    kinds = list(dict.fromkeys(k for r in added if (k := facts.kind(r))))
    controls = [r for r in later if not facts.added(r)]
    moves = []
    for kind in kinds:
        said = [_moves(facts, r, kind) for r in added if facts.kind(r) == kind]
        said += [f"with nothing added, {_moves(facts, r, kind)}" for r in controls]
        moves.append(f"on {kind}, {'; '.join(said)}")
    fresh = [
        f"{r} ends on {k} at {facts.f1} {facts.value(r, k)} and a blank rate of "
        f"{facts.value(r, k, SEVERITY)} at 0.5"
        for k in kinds
        for r in facts.adding(k)
        if r not in later
    ]
    runs, collapsed = facts.counted(added), facts.collapsed(added, kinds)
    end = f"{len(collapsed) or 'none'} of {len(runs)} runs in which it joins collapsed at 0.5"
    if len(runs) == 1:
        end = f"the run in which it joins {'collapsed' if collapsed else 'did not collapse'} at 0.5"
    start = f"added from the start, {listed(fresh)}" if fresh else ""
    return sentence(*moves), sentence(start, end, facts.lost(added, kinds))


def _moves(facts: Facts, row: str, where: str) -> str:
    """Say how scores go from the parent's weights, scored at batch 0, to the end."""

    def from_to(measure: str) -> str:
        curves = [c for t in facts.of_row(row) if (c := t.curve(where, measure))]
        begin = Spread.of(float(c.values[0]) for c in curves).mean_text(2)
        return f"from {begin} to {facts.value(row, where, measure)}"

    scores = _scores(facts.sweep, "", from_to)
    return f"{row} goes in {scores} and {WORDS[SEVERITY]} {from_to(SEVERITY)}"


def _scores(sweep: StoredSweep, goes: str, from_to: Callable[[str], str]) -> str:
    """Say how the scores that stand for a row go, and beside them F1 at one half."""
    if not sweep.tuned:
        return f"{WORDS['f1']} {goes}{from_to('f1')}"
    half, precision = from_to("f1"), from_to("average_precision")
    tuned = f"{WORDS['f1_tuned']} {goes}{from_to('f1_tuned')} (at 0.5 {half})"
    return f"{tuned}, {WORDS['average_precision']} {precision}"


def effects(facts: Facts) -> Two | None:
    """Say what each objective brings, where rows differ in these alone and nothing is added."""
    alone = [r for r in facts.rows if facts.of_row(r)[0].supervised_only]
    if not alone or facts.baseline not in facts.rows or facts.baseline != REFERENCE_ROW:
        return None
    where, pairs = facts.validation, _pairs(facts, facts.validation)
    if not pairs or facts.sweep.added_sets:
        return None
    each = [
        f"{minus(f'{np.mean(found):+.2f}')} with {name} ({counted(len(found), 'pair')})"
        for name, found in pairs.items()
    ]
    first = (
        f"Averaged over the pairs of rows that differ in it alone, {facts.f1} on {where} "
        f"changes by {listed(each)}"
    )
    gains = {s: -d for s in facts.sweep.sets if (d := facts.difference(alone[0], s))}
    half = {s: -d for s in gains if (d := facts.difference(alone[0], s, "f1"))}
    seen = {s: f" ({change(half[s], False)} at 0.5)" if facts.sweep.tuned else "" for s in gains}
    of_sets = listed([f"{change(d)} on {s}{seen[s]}" for s, d in gains.items()])
    second = (
        f"all together ({REFERENCE_ROW}) change {facts.f1} against {alone[0]} alone by {of_sets}"
    )
    beyond = ""
    if facts.comparison.has_intervals:
        better, worse = ([s for s, d in gains.items() if clear(d) == sign] for sign in (1, -1))
        beyond = (
            f"surely (Holm's correction), they help on {listed(better)} and cost on {listed(worse)}"
        )
    return sentence(first), sentence(second, beyond)


def _pairs(facts: Facts, where: str) -> dict[str, list[float]]:
    """Return objective -> F1 with it minus without it, of pairs of rows that differ in it alone."""
    means = {
        frozenset(
            p.removeprefix(WEIGHTS) for p in facts.of_row(r)[0].params if p.startswith(WEIGHTS)
        ): facts.spread(r, where).mean
        for r in facts.ranked(where)
    }
    found = {
        name: [
            f1 - means[has - {name}]
            for has, f1 in means.items()
            if name in has and has - {name} in means
        ]
        for name in sorted(set().union(*means))
    }
    return {name: differences for name, differences in found.items() if differences}


def border(facts: Facts) -> Two | None:
    """Say from how many added excerpts on runs collapse, weight by weight."""
    try:
        plane = Plane.of(facts.sweep)
    except UserError:
        return None
    where, begins = plane.own_set, []
    for factor in plane.factors:
        counts = [c for c in plane.counts if c and plane.collapsed((factor, c))]
        begin = f"from {counts[0]} excerpts on" if counts else "nowhere"
        begins.append(f"{begin} at {factor:g}")
    unit = "times the self-supervised weights of Ref." if plane.relative else "mean weight"
    ranked = facts.ranked(where, SEVERITY, facts.adding(where))
    least, most = (f"{r} ({facts.value(r, where, SEVERITY)})" for r in (ranked[0], ranked[-1]))
    best = facts.ranked(facts.validation)[-1]
    return (
        sentence(
            f"On {where}, of the added kind, runs collapse (at 0.5) {listed(begins)} ({unit})",
            facts.lost(facts.adding(where), [where]),
        ),
        sentence(
            f"The blank rate at 0.5 there is lowest with {least} and highest with {most}",
            f"the best {facts.f1} on {facts.validation} is that of {best} "
            f"({facts.value(best, facts.validation)})",
        ),
    )


def counts(facts: Facts) -> Two | None:
    """Say whether more added excerpts make more output blank."""
    try:
        series = SampleCount.of(facts.sweep)
    except UserError:
        return None
    if series.left_out or len(series.counts) < 3:
        return None
    runs = [t for trials in series.added.values() for t in trials if t.has_result]
    collapsed = [t for t in runs if t.collapsed_at.get(series.own_set(t.added_set)) is not None]
    of_all = f"{len(collapsed)} of {counted(len(runs), 'run')}"
    said = f"{of_all} with added excerpts collapsed there at 0.5"
    if collapsed:
        said += f" ({rows_of(collapsed)})"
    rows = tuple(dict.fromkeys(t.row for t in runs))
    lost = facts.lost(rows, map(series.own_set, series.added))
    where, most = facts.validation, max(t.added_excerpts for t in runs)
    last = dict.fromkeys(t.row for t in runs if t.added_excerpts == most)
    scores = listed([f"{facts.value(r, where)} ({r})" for r in last])
    closed = Spread.of(t.final(where, facts.sweep.f1) for t in series.closed if t.has_result)
    before = f"{closed.mean_text(2)} without them" if closed.n else "not known without them"
    labelled = (
        f"on {where}, of the labelled kind, {facts.f1} is {before} and {scores} with the most"
    )
    return sentence(*(_series(series, s) for s in series.added)), sentence(said, lost, labelled)


def _series(series: SampleCount, added: str) -> str:
    where, ((fewest, low), (most, high)) = series.own_set(added), series.ends(added)

    def ends(measure: str) -> list[Spread]:
        return [Spread.of(t.final(where, measure) for t in end) for end in (low, high)]

    blank = ends(SEVERITY)
    moves = "rises" if blank[1].mean > blank[0].mean else "falls"
    if abs(blank[1].mean - blank[0].mean) < NOTICEABLE:
        moves = "hardly moves,"
    correlation = series.correlation(added, where)
    return (
        f"from {fewest} to {most} excerpts of {added} added to a batch, on {where} "
        f"{_scores(series.sweep, 'goes ', lambda m: _from_to(ends(m)))}, and the {WORDS[SEVERITY]} "
        f"{moves} {_from_to(blank)} (rank correlation with the count over {correlation.n} runs: "
        f"{correlation})"
    )


def _from_to(ends: list[Spread]) -> str:
    return f"from {ends[0].mean_text(2)} to {ends[1].mean_text(2)}"


def remedies(facts: Facts) -> Two | None:
    """Say which of the rows that add a kind and change more keep the output on it alive."""
    scored = [r for r in facts.rows if facts.kind(r)]
    plain = facts.same_but_added(facts.baseline, scored.__contains__)
    where = facts.kind(plain) if plain else None
    if plain is None or where is None:
        return None
    rows = [r for r in facts.adding(where) if r != plain]
    if not facts.ranked(where, rows=rows):
        return None
    least, best = facts.ranked(where, SEVERITY, rows)[0], facts.ranked(where, rows=rows)[-1]
    blank = sum(facts.spread(r, where, SEVERITY).mean >= BLANK for r in rows)
    how_many = "all" if blank == len(rows) else blank or "none"
    of_all = (
        f"the lowest of {len(rows)} rows that add it and change more, of which {how_many} ended at "
        f"{BLANK:g} or more"
    )
    if len(rows) == 1:
        of_all = "the only row that adds it and changes more"
    base, validation = facts.baseline, facts.validation
    shown = [r for r in (base, plain, least) if r in facts.rows]
    rates = listed([f"{facts.value(r, where, SEVERITY)} with {r}" for r in shown])
    first = f"On {where}, of the added kind, the blank rate at 0.5 is {rates}, {of_all}"
    said = (
        f"The best {facts.f1} there among these is {_score(facts, best, where)}, against "
        f"{_score(facts, plain, where)}"
    )
    if base in facts.rows:
        said += f" and {facts.value(base, where)} of {base}, which adds nothing"
    alone = facts.same_but_added(best, lambda r: r != base and not facts.added(r))
    parts = []
    if alone:
        parts.append(f"{alone}, the same with nothing added, has {facts.value(alone, where)}")
    if validation != where:
        parts.append(f"on {validation}, {best} has {facts.scored(best, validation)}")
    return sentence(first, facts.lost((plain, *rows), [where])), sentence(said, *parts)


def _score(facts: Facts, row: str, where: str) -> str:
    precision, recall = (facts.value(row, where, m) for m in ("precision", "recall"))
    beside = (
        facts.beside(row, where)
        if facts.sweep.tuned
        else (f"precision {precision}", f"recall {recall}")
    )
    return f"{facts.value(row, where)} of {row} ({', '.join(beside)})"


OWN: tuple[Callable[[Facts], Two | None], ...] = (
    search,
    stages,
    effects,
    border,
    counts,
    remedies,
)
"""The first that fits a sweep answers it; each is None where rows do not vary what it is about"""
