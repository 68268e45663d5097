"""Answers of the sweeps that look for what keeps the output on added music alive."""

from collections.abc import Callable, Sequence

from analysis.answers.facts import Facts, sentence
from analysis.numbers.counts import SEVERITY

BLANK = 0.7
"""blank rate from which a set counts as collapsed, once it has been alive"""
_FREE = ("data.added.", "training.seed")
"""settings that a row may change and still do nothing but add"""


def of_rows(what: str) -> Callable[[Facts], tuple[str, str] | None]:
    """The answer of a sweep whose rows add music and do something about it.

    Args:
        what: they do, after "rows": "with energy or sparsity objectives".
    """

    def answer(facts: Facts) -> tuple[str, str] | None:
        plain = _plain(facts)
        where = facts.added_kind(plain) if plain else None
        if plain is None or where is None:
            return None
        rows = [r for r in facts.rows if facts.added_kind(r) == where and r != plain]
        if not facts.ranked(where, rows=rows):
            return None
        return _blank(facts, plain, rows, where, what), _f1(facts, plain, rows, where)

    return answer


def _plain(facts: Facts) -> str | None:
    """The row that differs from the baseline in what it adds alone; the first, of several.

    What it adds must be of a kind that is scored.
    """
    held = _held(facts, facts.baseline)
    added = [r for r in facts.rows if facts.added_kind(r) is not None]
    return next((r for r in added if _held(facts, r) == held), None)


def _alone(facts: Facts, row: str) -> str | None:
    """The row that does what this one does but add music; the first, of several."""
    held = _held(facts, row)
    nothing = [r for r in facts.rows if not facts.of_row(r)[0].added_set]
    return next((r for r in nothing if r != facts.baseline and _held(facts, r) == held), None)


def _held(facts: Facts, row: str) -> dict[str, str]:
    params = facts.of_row(row)[0].params
    return {path: value for path, value in params.items() if not path.startswith(_FREE)}


def _blank(facts: Facts, plain: str, rows: Sequence[str], where: str, what: str) -> str:
    least = facts.ranked(where, SEVERITY, rows)[0]
    said = (
        f"On {where}, of the added kind, the blank rate is {facts.value(plain, where, SEVERITY)} "
        f"with {plain} and {facts.value(least, where, SEVERITY)} with {least}, "
    )
    blank = [r for r in rows if facts.mean(r, where, SEVERITY) >= BLANK]
    if len(rows) == 1:
        return f"{said}the only row {what}."
    how_many = "all" if len(blank) == len(rows) else len(blank) or "none"
    return (
        f"{said}the lowest of {len(rows)} rows {what}, of which {how_many} ended at {BLANK:g} or "
        "more."
    )


def _f1(facts: Facts, plain: str, rows: Sequence[str], where: str) -> str:
    best, base, validation = facts.ranked(where, rows=rows)[-1], facts.baseline, facts.validation
    said = (
        f"The best F1 there among these is {_score(facts, best, where)}, against "
        f"{_score(facts, plain, where)}"
    )
    if base in facts.rows:
        said += f" and {facts.value(base, where)} of {base}, which adds nothing"
    alone = _alone(facts, best)
    if alone is not None:
        said += f"; {alone}, the same with nothing added, has {facts.value(alone, where)}"
    if validation != where:
        said += f"; on {validation}, {best} has {facts.scored(best, validation)}"
    return sentence(said)


def _score(facts: Facts, row: str, where: str) -> str:
    precision, recall = (facts.value(row, where, m) for m in ("precision", "recall"))
    return f"{facts.value(row, where)} of {row} (precision {precision}, recall {recall})"
