"""Numbers of a comparison, as words of a sentence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from analysis.numbers.comparison import Comparison, Difference
from analysis.numbers.statistics import Spread
from analysis.reading.records import StoredSweep, StoredTrial

WORDS = {
    "f1": "F1 at 0.5",
    "f1_tuned": "tuned F1",
    "average_precision": "average precision",
    "blank_rate": "blank rate at 0.5",
}
"""Measures as sentences name them"""
_FREE = ("data.added.", "training.seed")
"""Settings that a row may change and still do nothing but add"""


@dataclass(frozen=True)
class Facts:
    """What can be said of the rows of a comparison that have a result."""

    comparison: Comparison

    @property
    def sweep(self) -> StoredSweep:
        return self.comparison.sweep

    @property
    def baseline(self) -> str:
        return self.comparison.baseline

    @property
    def validation(self) -> str:
        return self.sweep.validation

    @property
    def rows(self) -> tuple[str, ...]:
        """Rows with a trial that counts, in the table's order."""
        return tuple(r for r in self.sweep.rows if any(t.has_result for t in self.of_row(r)))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Scored sets of the kinds that rows add."""
        return tuple(dict.fromkeys(k for r in self.rows if (k := self.kind(r))))

    def of_row(self, row: str) -> tuple[StoredTrial, ...]:
        return self.sweep.of_row(row)

    def added(self, row: str) -> str:
        """Return the set that a row adds; "" if none."""
        return self.of_row(row)[0].added_set

    def kind(self, row: str) -> str | None:
        """Return the scored set of the kind that a row adds; None if it adds none, or unscored."""
        return self.sweep.kind_of(self.added(row))

    def adding(self, kind: str) -> list[str]:
        return [r for r in self.rows if self.kind(r) == kind]

    def same_but_added(self, row: str, where: Callable[[str], bool]) -> str | None:
        """Return the first other row of a kind that differs from this in what is added alone."""
        held = self._held(row)
        return next((r for r in self.rows if r != row and where(r) and self._held(r) == held), None)

    def _held(self, row: str) -> dict[str, str]:
        return {p: v for p, v in self.of_row(row)[0].params.items() if not p.startswith(_FREE)}

    def spread(self, row: str, set_name: str, measure: str = "f1") -> Spread:
        return self.comparison.result(row, set_name).spreads[measure]

    def value(self, row: str, set_name: str, measure: str = "f1") -> str:
        """Return a mean as "0.81", or "–" where the set is not annotated."""
        return self.spread(row, set_name, measure).mean_text(2)

    def difference(self, row: str, set_name: str) -> Difference | None:
        """Return that of F1 to the baseline; None where nothing can be compared."""
        found = self.comparison.result(row, set_name).differences.get("f1")
        return found if found and found.spread.n else None

    def scored(self, row: str, set_name: str) -> str:
        """Return "F1 0.31, −0.43 [−0.50, −0.36] against Ref."."""
        value, difference = f"F1 {self.value(row, set_name)}", self.difference(row, set_name)
        return f"{value}, {change(difference)} against {self.baseline}" if difference else value

    def ranked(
        self, set_name: str, measure: str = "f1", rows: Iterable[str] | None = None
    ) -> list[str]:
        """Return rows from the lowest mean to the highest, without those that have none there."""
        given = self.rows if rows is None else rows
        known = [r for r in given if self.spread(r, set_name, measure).n]
        return sorted(known, key=lambda r: self.spread(r, set_name, measure).mean)

    def counted(self, rows: Iterable[str]) -> list[StoredTrial]:
        """Return the trials of rows that count."""
        return [t for row in rows for t in self.of_row(row) if t.has_result]

    def collapsed(self, rows: Iterable[str], sets: Iterable[str]) -> list[StoredTrial]:
        """Return the trials of rows that count and collapsed on one of the sets."""
        where = tuple(sets)
        return [
            t
            for t in self.counted(rows)
            if any(t.collapsed_at.get(name) is not None for name in where)
        ]


def change(difference: Difference, interval: bool = True) -> str:
    """Return "−0.43 [−0.50, −0.36]", without the interval where there is or shall be none."""
    shown = f" {difference.effect.interval(2)}" if difference.effect and interval else ""
    return minus(f"{difference.spread.mean_text(2, signed=True)}{shown}")


def clear(difference: Difference | None) -> int:
    """Return the sign of a difference whose interval leaves out zero; 0 of any other."""
    effect = difference.effect if difference else None
    return 0 if effect is None else (effect.low > 0) - (effect.high < 0)


def minus(text: str) -> str:
    """Return a text with the sign that is as wide as a plus."""
    return text.replace("-", "−")


def rows_of(trials: Iterable[StoredTrial]) -> str:
    """List the rows of trials."""
    return listed(list(dict.fromkeys(t.row for t in trials)))


def listed(texts: Sequence[str]) -> str:
    """Return "a, b and c"; "none" of nothing."""
    if not texts:
        return "none"
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def counted(n: int, what: str) -> str:
    """Return "1 run" or "3 runs"."""
    return f"{n} {what}{'s' * (n != 1)}"


def sentence(*parts: str) -> str:
    """Join parts to a sentence; a name at its end (Ref.) may bring its full stop."""
    text = "; ".join(filter(None, parts))
    return f"{text[0].upper()}{text[1:]}" + "." * (not text.endswith("."))
