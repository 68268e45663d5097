"""The answer of a sweep to its question: two sentences with numbers, and what they rest on."""

from collections.abc import Callable
from dataclasses import dataclass

from analysis.answers import added as answers_added
from analysis.answers import objectives as answers_objectives
from analysis.answers import remedies as answers_remedies
from analysis.answers import search as answers_search
from analysis.answers import stages as answers_stages
from analysis.answers.facts import Facts, counted, listed, sentence
from analysis.numbers.comparison import Comparison

Two = tuple[str, str]
Answer = Callable[[Facts], Two | None]
"""Two sentences; None where the rows that they are about have no result"""

ANSWERS: dict[str, Answer] = {
    "sample_count": answers_added.sample_count,
    "additional_data": answers_added.additional_data,
    "distribution": answers_added.distribution,
    "loss_weights": answers_added.loss_weights,
    "objectives": answers_objectives.objectives,
    "energy": answers_remedies.of_rows("with energy or sparsity objectives"),
    "content": answers_remedies.of_rows("with a remedy"),
    "monophonic": answers_remedies.of_rows("with monophonic objectives"),
    "supervision": answers_remedies.of_rows("with other labels"),
    "hyperparameters": answers_search.hyperparameters,
    "two_stage": answers_stages.two_stage,
}
"""by sweep file; others, and those that lack the rows they are about, have the general answer"""


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
    """What a sweep says to its question."""
    facts = Facts(comparison)
    own = ANSWERS.get(facts.sweep.script)
    return Answered((own and own(facts)) or general(facts), tuple(_basis(facts)))


def general(facts: Facts) -> Two:
    """Of any sweep: the best and the worst row, and how many collapsed."""
    return _extremes(facts), _collapses(facts)


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
    if facts.baseline in ranked and facts.baseline not in (best, worst):
        text += f"; {facts.baseline} itself has {facts.value(facts.baseline, where)}"
    return sentence(text)


def _collapses(facts: Facts) -> str:
    runs = facts.counted(facts.rows)
    scores = [_on_added_kind(facts, kind) for kind in facts.added_kinds]
    where = f"on {listed(facts.added_kinds)}, of the added kind" if scores else "on any set"
    collapsed = {
        t.run_id: t
        for kind in facts.added_kinds or (None,)
        for t in facts.collapsed(facts.rows, kind)
    }
    if not collapsed:
        which = (
            "The only run did not collapse"
            if len(runs) == 1
            else f"None of {len(runs)} runs collapsed"
        )
        said = f"{which} {where}"
    else:
        rows = listed(list(dict.fromkeys(t.row for t in collapsed.values())))
        said = f"{len(collapsed)} of {counted(len(runs), 'run')} collapsed {where} ({rows})"
    return sentence("; ".join([said, *filter(None, scores)]))


def _on_added_kind(facts: Facts, kind: str) -> str:
    rows = [r for r in facts.rows if facts.added_kind(r) == kind]
    ranked = facts.ranked(kind, rows=rows)
    if not ranked:
        return ""
    best, worst = ranked[-1], ranked[0]
    text = f"with excerpts of it added, F1 on {kind} is at best that of {best} "
    text += f"({facts.scored(best, kind)})"
    return (
        text if worst == best else f"{text}, at worst that of {worst} ({facts.value(worst, kind)})"
    )


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
