"""The answer of a sweep that has a ceiling: how far up unlabelled music leads, by which row."""

from analysis.answers.facts import WORDS, Facts, change, clear, listed, sentence
from analysis.answers.own import Two
from analysis.numbers.ladder import Gap, gaps
from ssmpe.tracking.stored.records import CEILING_ROW


def climb(facts: Facts) -> Two | None:
    """Say which row without labels gains most on the added kind, and of how much.

    The best is the one with the highest mean of the F1 that stands for a row and average precision.
    """
    known = gaps(facts.comparison)
    sets = [s for s in dict.fromkeys(g.set_name for g in known) if facts.adding(s)]
    if not sets or facts.baseline not in facts.rows:
        return None
    where = sets[0]
    rows, found = facts.adding(where), [g for g in known if g.set_name == where]
    best = max(rows, key=lambda r: sum(facts.spread(r, where, g.measure).mean for g in found))
    of_all = f"the best of {len(rows)} rows that add it without labels"
    if len(rows) == 1:
        of_all = "the only row that adds it without labels"
    gains = [f"{WORDS[g.measure]} {_gain(facts, best, where, g.measure)}" for g in found]
    first = f"On {where}, of the added kind, {of_all} is {best}: {listed(gains)}"
    closed = [f"{_closed(g, best)} in {WORDS[g.measure]}" for g in found]
    ceiling = f"of the gap between {facts.baseline} and the same with all labels ({CEILING_ROW})"
    count = facts.of_row(best)[0].added_excerpts
    as_many = [r for r in rows if facts.of_row(r)[0].added_excerpts == count]
    plain = facts.same_but_added(facts.baseline, as_many.__contains__)
    published = ""
    if plain and plain != best:
        scores = [f"{WORDS[g.measure]} {facts.value(plain, where, g.measure)}" for g in found]
        published = f"{plain}, which changes nothing but what is added, has {listed(scores)}"
    second = f"{ceiling}, it closes {listed(closed)}"
    return sentence(first, published), sentence(second, _elsewhere(facts, best, where))


def _gain(facts: Facts, row: str, where: str, measure: str) -> str:
    """Return "0.53, +0.07 [+0.04, +0.10] against Ref.", and whether that is sure."""
    value, difference = facts.value(row, where, measure), facts.difference(row, where, measure)
    if difference is None:
        return value
    sure = " (not sure)" if difference.effect and not clear(difference) else ""
    return f"{value}, {change(difference)} against {facts.baseline}{sure}"


def _closed(gap: Gap, row: str) -> str:
    share = gap.shares.get(row)
    return share.text() if share else f"no share (the gap is {gap.width:+.2f})"


def _elsewhere(facts: Facts, row: str, where: str) -> str:
    """Say what the row costs on other sets."""
    others = {s: d for s in facts.sweep.sets if s != where and (d := facts.difference(row, s))}
    if not others:
        return ""
    said = [f"{change(d, interval=False)} on {s}" for s, d in others.items()]
    lost = [s for s, d in others.items() if clear(d) < 0]
    return f"{facts.f1} elsewhere changes by {listed(said)}; surely lost on {listed(lost)}"
