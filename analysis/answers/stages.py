"""Answers of the sweeps whose rows continue others."""

from analysis.answers.facts import Facts, listed, sentence
from analysis.numbers.counts import SEVERITY

_PARENT = "training.parent"


def two_stage(facts: Facts) -> tuple[str, str] | None:
    """Does a network keep what it has learnt when unlabelled music joins later?"""
    later = [r for r in facts.rows if _continues(facts, r)]
    added = [r for r in later if facts.added_kind(r) is not None]
    if not added:
        return None
    controls = [r for r in later if not facts.of_row(r)[0].added_set]
    moves = []
    for kind in dict.fromkeys(k for r in added if (k := facts.added_kind(r))):
        rows = [r for r in added if facts.added_kind(r) == kind]
        said = [_moves(facts, r, kind) for r in rows]
        said += [f"with nothing added, {_moves(facts, r, kind)}" for r in controls]
        moves.append(f"on {kind}, {'; '.join(said)}")
    text = "; ".join(moves)
    return sentence(text[0].upper() + text[1:]), _against_the_start(facts, later, added)


def _continues(facts: Facts, row: str) -> bool:
    return bool(facts.of_row(row)[0].params.get(_PARENT))


def _moves(facts: Facts, row: str, where: str) -> str:
    """From the parent's weights, scored at batch 0, to the end; means over seeds."""
    begins = {}
    for measure in (SEVERITY, "f1"):
        curves = [c for t in facts.of_row(row) if (c := t.curve(where, measure))]
        begins[measure] = sum(float(c.values[0]) for c in curves) / len(curves)
    return (
        f"{row} goes from a blank rate of {begins[SEVERITY]:.2f} to "
        f"{facts.value(row, where, SEVERITY)} and from F1 {begins['f1']:.2f} to "
        f"{facts.value(row, where)}"
    )


def _against_the_start(facts: Facts, later: list[str], added: list[str]) -> str:
    """Rows that add the same from the start."""
    kinds = dict.fromkeys(k for r in added if (k := facts.added_kind(r)))
    fresh = [(r, k) for k in kinds for r in facts.rows if facts.added_kind(r) == k]
    said = [
        f"{r} ends on {k} at a blank rate of {facts.value(r, k, SEVERITY)} and F1 "
        f"{facts.value(r, k)}"
        for r, k in fresh
        if r not in later
    ]
    runs = facts.counted(added)
    collapsed = [t for k in kinds for t in facts.collapsed(added, k)]
    if len(runs) == 1:
        text = f"the run in which it joins {'collapsed' if collapsed else 'did not collapse'}"
    else:
        text = f"{len(collapsed) or 'none'} of {len(runs)} runs in which it joins collapsed"
    if said:
        return sentence(f"Added from the start, {listed(said)}; {text}")
    return sentence(text[0].upper() + text[1:])
