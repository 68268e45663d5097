"""Answers of the sweeps that add unlabelled excerpts."""

from collections import defaultdict

from analysis.answers.facts import Facts, clear, counted, listed, sentence
from analysis.numbers.counts import SEVERITY, SampleCount
from analysis.numbers.statistics import Spread
from analysis.reading.records import StoredTrial
from ssmpe.errors import UserError

NOTICEABLE = 0.05
"""change of a mean blank rate below which it is not said to rise or fall"""
_WEIGHTS = "objectives.weights."


def sample_count(facts: Facts) -> tuple[str, str] | None:
    """More added excerpts, more blank output?"""
    try:
        series = SampleCount.of(facts.sweep)
    except UserError:
        return None
    degeneration = "; ".join(_degeneration(series, added) for added in series.added)
    runs = [t for trials in series.added.values() for t in trials if t.has_result]
    rows = list(dict.fromkeys(t.row for t in runs))
    collapsed = [t for t in runs if t.collapsed_at.get(series.own_set(t.added_set)) is not None]
    most = max(t.added_excerpts for t in runs)
    said = f"{len(collapsed)} of {counted(len(runs), 'run')} with added excerpts collapsed there"
    if collapsed:
        said += f" ({listed(list(dict.fromkeys(t.row for t in collapsed)))})"
    where = facts.validation
    last = [r for r in rows if facts.of_row(r)[0].added_excerpts == most]
    scores = listed([f"{facts.value(r, where)} ({r})" for r in last])
    closed = [t for t in series.closed if t.has_result]
    before = f"{_mean(closed, where, 'f1')} without them" if closed else "not known without them"
    return f"{degeneration}.", (
        f"{said}; on {where}, of the labelled kind, F1 is {before} and {scores} with the most."
    )


def _degeneration(series: SampleCount, added: str) -> str:
    where = series.own_set(added)
    trials = [t for t in series.series(added) if t.has_result]
    counts = sorted({t.added_excerpts for t in trials})
    low, high = ([t for t in trials if t.added_excerpts == c] for c in (counts[0], counts[-1]))
    blank = [Spread.of(t.final(where, SEVERITY) for t in end).mean for end in (low, high)]
    f1 = " to ".join(_mean(end, where, "f1") for end in (low, high))
    correlation = series.correlation(added, where)
    return (
        f"From {counts[0]} to {counts[-1]} excerpts of {added} added to a batch, the blank rate on "
        f"{where} {_moves(*blank)} from {blank[0]:.2f} to {blank[1]:.2f} and F1 goes from {f1} "
        f"(rank correlation of blank rate and count over {correlation.n} runs: {correlation})"
    )


def additional_data(facts: Facts) -> tuple[str, str] | None:
    """Does music of another kind help?"""
    rows = [r for r in facts.rows if facts.of_row(r)[0].added_set]
    where, base = facts.validation, facts.baseline
    compared = [(r, d) for r in rows if (d := facts.difference(r, where))]
    if not compared:
        return None
    better = [r for r, d in compared if d.spread.mean > 0]
    changes = listed([f"{r} {facts.change(r, where)}" for r, _ in compared])
    sure = [r for r, d in compared if d.spread.mean > 0 and clear(d) > 0]
    beyond = (
        f", beyond its interval {listed(sure)}" if better and facts.comparison.has_intervals else ""
    )
    first = (
        f"{len(better) or 'None'} of {counted(len(compared), 'row')} with added music "
        f"{'has' if len(better) == 1 else 'have'} a higher F1 on {where} than {base} "
        f"({facts.value(base, where)}){beyond}: {changes}."
    )
    return first, _own_kinds(facts, rows)


def _own_kinds(facts: Facts, rows: list[str]) -> str:
    """How blank each row is on music of the kind that it adds."""
    said = []
    for row in rows:
        kind = facts.added_kind(row)
        if kind is not None:
            now, before = (facts.value(r, kind, SEVERITY) for r in (row, facts.baseline))
            end = " (collapsed)" if facts.collapsed([row], kind) else ""
            said.append(f"{now} with {row} on {kind}{end}, against {before} of {facts.baseline}")
    unknown = [r for r in rows if facts.added_kind(r) is None]
    texts = [f"On music of the added kind, the blank rate is {listed(said)}"] if said else []
    if unknown:
        those = "is not scored on the kind it adds"
        if len(unknown) > 1:
            those = "are not scored on the kinds they add"
        texts.append(f"{listed(unknown)} {those}")
    return sentence("; ".join(texts))


def distribution(facts: Facts) -> tuple[str, str] | None:
    """Does output degenerate on unlabelled music of the labelled kind?"""
    where, base = facts.validation, facts.baseline
    rows = [r for r in facts.rows if r != base and facts.difference(r, where)]
    if not rows:
        return None
    first, *others = [
        f"{r} has a blank rate of {facts.value(r, where, SEVERITY)} and {facts.scored(r, where)}"
        for r in rows
    ]
    collapsed = facts.collapsed(rows, where)
    ends = "collapses" if collapsed else "does not collapse"
    one = sentence(
        f"On {where}, of the kind of both the labelled and the added music, the output {ends}: "
        f"{base} has a blank rate of {facts.value(base, where, SEVERITY)} and F1 "
        f"{facts.value(base, where)}, {first}"
    )
    elsewhere = [s for s in facts.sweep.sets if s != where]
    hit = [f"{t.row} collapsed on {s}" for s in elsewhere for t in facts.collapsed(facts.rows, s)]
    beside = listed(list(dict.fromkeys(hit))) if hit else ("on other kinds, no run collapsed")
    two = "; ".join([*others, beside])
    return one, sentence(two[0].upper() + two[1:])


def loss_weights(facts: Facts) -> tuple[str, str] | None:
    """Where lies the border of the collapse?"""
    kinds = facts.added_kinds
    rows = [r for r in facts.rows if facts.of_row(r)[0].added_set]
    if len(kinds) != 1 or not rows:
        return None
    (where,) = kinds
    by_weight: dict[float, list[str]] = defaultdict(list)
    for row in rows:
        by_weight[_self_supervised_weight(facts.of_row(row)[0])].append(row)
    borders = []
    for weight, of_weight in sorted(by_weight.items()):
        counts = sorted({t.added_excerpts for t in facts.collapsed(of_weight, where)})
        begins = f"from {counts[0]} excerpts on" if counts else "nowhere"
        borders.append(f"{begins} at weights of {weight:g}")
    first = f"On {where}, of the added kind, runs collapse {listed(borders)}."
    ranked = facts.ranked(where, SEVERITY, rows)
    least, most = ranked[0], ranked[-1]
    best = facts.ranked(facts.validation)[-1]
    if len(rows) == 1:
        return first, f"The blank rate there is {facts.value(least, where, SEVERITY)} ({least})."
    return first, (
        f"The blank rate there is lowest with {least} ({facts.value(least, where, SEVERITY)}) and "
        f"highest with {most} ({facts.value(most, where, SEVERITY)}); the best F1 on "
        f"{facts.validation} is that of {best} ({facts.value(best, facts.validation)})."
    )


def _self_supervised_weight(trial: StoredTrial) -> float:
    """Mean weight of the self-supervised objectives."""
    weights = [
        float(value)
        for path, value in trial.params.items()
        if path.startswith(_WEIGHTS) and path != f"{_WEIGHTS}supervised"
    ]
    return round(sum(weights) / len(weights), 6) if weights else 0.0


def _mean(trials: list[StoredTrial], set_name: str, measure: str) -> str:
    return Spread.of(t.final(set_name, measure) for t in trials).mean_text(2)


def _moves(before: float, after: float) -> str:
    if abs(after - before) < NOTICEABLE:
        return "hardly moves,"
    return "rises" if after > before else "falls"
