"""Numbers of a comparison, as words of a sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.numbers.comparison import Comparison, Difference, Result
from analysis.numbers.statistics import Spread
from analysis.reading.records import StoredSweep, StoredTrial, dataset_of


@dataclass(frozen=True)
class Facts:
    """What can be said of the rows of a comparison that have a result.

    Attributes:
        comparison: the sweep's rows, with their differences to its baseline.
    """

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

    def of_row(self, row: str) -> tuple[StoredTrial, ...]:
        return self.sweep.of_row(row)

    def added_kind(self, row: str) -> str | None:
        """The scored set of the kind that a row adds; None if it adds none, or it is not scored."""
        dataset = dataset_of(self.of_row(row)[0].added_set)
        return next((s for s in self.sweep.sets if dataset_of(s) == dataset), None)

    @property
    def added_kinds(self) -> tuple[str, ...]:
        """Scored sets of the kinds that rows add."""
        kinds = (self.added_kind(row) for row in self.rows)
        return tuple(dict.fromkeys(k for k in kinds if k is not None))

    def result(self, row: str, set_name: str) -> Result:
        return next(r for r in self.comparison.on(set_name) if r.row == row)

    def spread(self, row: str, set_name: str, measure: str = "f1") -> Spread:
        return self.result(row, set_name).spreads[measure]

    def mean(self, row: str, set_name: str, measure: str = "f1") -> float:
        return self.spread(row, set_name, measure).mean

    def value(self, row: str, set_name: str, measure: str = "f1") -> str:
        """ "0.81", "–" where the set is not annotated."""
        return self.spread(row, set_name, measure).mean_text(2)

    def difference(self, row: str, set_name: str, measure: str = "f1") -> Difference | None:
        """To the baseline; None for the baseline itself, or where nothing can be compared."""
        found = self.result(row, set_name).differences.get(measure)
        return found if found and found.spread.n else None

    def change(self, row: str, set_name: str, measure: str = "f1") -> str:
        """ "−0.43 [−0.50, −0.36]": the difference to the baseline; "" where there is none."""
        difference = self.difference(row, set_name, measure)
        return change_text(difference) if difference else ""

    def scored(self, row: str, set_name: str) -> str:
        """ "F1 0.31, −0.43 [−0.50, −0.36] against Ref."."""
        value, change = f"F1 {self.value(row, set_name)}", self.change(row, set_name)
        return f"{value}, {change} against {self.baseline}" if change else value

    def ranked(
        self, set_name: str, measure: str = "f1", rows: Iterable[str] | None = None
    ) -> list[str]:
        """Rows from the lowest mean to the highest; without those that have none there."""
        given = self.rows if rows is None else rows
        known = [r for r in given if self.spread(r, set_name, measure).n]
        return sorted(known, key=lambda r: self.mean(r, set_name, measure))

    def collapsed(self, rows: Iterable[str], set_name: str | None = None) -> list[StoredTrial]:
        """Trials that collapsed on a set, or, without one, on any."""
        return [
            t
            for t in self.counted(rows)
            for at in [[t.collapsed_at.get(set_name)] if set_name else t.collapsed_at.values()]
            if any(batch is not None for batch in at)
        ]

    def counted(self, rows: Iterable[str]) -> list[StoredTrial]:
        """Trials of the rows that count."""
        return [t for row in rows for t in self.of_row(row) if t.has_result]


def change_text(difference: Difference) -> str:
    """ "−0.43 [−0.50, −0.36]", without the interval where there is none."""
    interval = f" {difference.interval.text(2)}" if difference.interval else ""
    return minus(f"{difference.spread.mean_text(2, signed=True)}{interval}")


def clear(difference: Difference | None) -> int:
    """Sign of a difference whose interval leaves out zero; 0 of any other."""
    interval = difference.interval if difference else None
    if interval is None:
        return 0
    return 1 if interval.low > 0 else -1 if interval.high < 0 else 0


def minus(text: str) -> str:
    """With the sign that is as wide as a plus."""
    return text.replace("-", "−")


def listed(texts: Sequence[str], last: str = "and") -> str:
    """ "a, b and c"; "none" of nothing."""
    if not texts:
        return "none"
    return f" {last} ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def counted(n: int, what: str) -> str:
    """ "1 run", "3 runs"."""
    return f"{n} {what}{'s' * (n != 1)}"


def sentence(text: str) -> str:
    """With a full stop, where the name at its end (Ref.) does not bring one."""
    return text if text.endswith(".") else f"{text}."
