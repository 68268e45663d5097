"""Numbers of a comparison, as words of a sentence."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from analysis.numbers import kinds
from analysis.numbers.comparison import Comparison, Difference
from analysis.numbers.statistics import Spread
from ssmpe.evaluation import collapse
from ssmpe.evaluation.collapse import Kind
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial

WORDS = {
    "f1": "F1 at 0.5",
    "f1_tuned": "tuned F1",
    "average_precision": "average precision",
    "blank_rate": "blank rate at 0.5",
}
"""Measures as sentences name them"""
LOST = {
    Kind.LEVEL_SUNK: "the level alone has sunk with",
    Kind.CONTENT_LOST: "content is lost with",
    Kind.CONSTANT_PATTERN: "the output is a constant pattern with",
    Kind.ALL_ON: "all is on with",
}
"""Kinds of collapse, as sentences name them"""
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
        """Rows with a trial that counts, in the table's order; lines to compare them with aside.

        These are the rows without a network, unless a sweep has no others.
        """
        known = [r for r in self.sweep.rows if any(t.has_result for t in self.of_row(r))]
        networks = [r for r in known if r not in self.sweep.signal_rows]
        return tuple(networks or known)

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

    @property
    def f1(self) -> str:
        """The F1 that stands for a row, in words."""
        return WORDS[self.sweep.f1]

    def spread(self, row: str, set_name: str, measure: str = "") -> Spread:
        """Return the means of a row's trials; without a measure, of the F1 that stands for it."""
        return self.comparison.result(row, set_name).spreads[measure or self.sweep.f1]

    def value(self, row: str, set_name: str, measure: str = "") -> str:
        """Return a mean as "0.81", or "–" where the set is not annotated."""
        return self.spread(row, set_name, measure).mean_text(2)

    def difference(self, row: str, set_name: str, measure: str = "") -> Difference | None:
        """Return that to the baseline; None where nothing can be compared."""
        found = self.comparison.result(row, set_name).differences.get(measure or self.sweep.f1)
        return found if found and found.spread.n else None

    def scored(self, row: str, set_name: str) -> str:
        """Return "tuned F1 0.31 (0.09 at 0.5), −0.43 [−0.50, −0.36] against Ref., average …"."""
        return f"{'tuned ' if self.sweep.tuned else ''}F1 {self.number(row, set_name)}"

    def number(self, row: str, set_name: str) -> str:
        """Return what ``scored`` does, without the name of the measure."""
        half, precision = self.beside(row, set_name)
        difference = self.difference(row, set_name)
        against = f", {change(difference)} against {self.baseline}" if difference else ""
        half = f" ({half})" if half else " at 0.5"
        return f"{self.value(row, set_name)}{half}{against}{precision and f', {precision}'}"

    def beside(self, row: str, set_name: str) -> tuple[str, str]:
        """Return what stands beside a tuned F1: "0.09 at 0.5", "average precision 0.28"."""
        if not self.sweep.tuned:
            return "", ""
        half, precision = (self.value(row, set_name, m) for m in ("f1", "average_precision"))
        return f"{half} at 0.5", f"{WORDS['average_precision']} {precision}"

    def ranked(
        self, set_name: str, measure: str = "", rows: Iterable[str] | None = None
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

    def lost(self, rows: Iterable[str], given: Iterable[str]) -> str:
        """Say how rows have degenerated on one of the sets; "" if none has, or it is not known."""
        if not self.sweep.tuned:
            return ""
        sets = tuple(given)
        found: dict[str, list[StoredTrial]] = {}
        for trial in self.counted(rows):
            for word in dict.fromkeys(kinds.kind(self.sweep, trial, s) for s in sets):
                found.setdefault(word, []).append(trial)
        return ", ".join(
            f"{said} {self._rows(found[word])}" for word, said in LOST.items() if word in found
        )

    def _rows(self, trials: Sequence[StoredTrial]) -> str:
        """List the rows of trials; of one of which there are more, say how many they are."""
        some = Counter(t.row for t in trials)
        of = {row: len(self.counted([row])) for row in some}
        return listed([r if n == of[r] else f"{r} ({n} of {of[r]})" for r, n in some.items()])

    @property
    def asleep(self) -> list[str]:
        """Rows that have never come alive at a salience of one half, on any set."""
        return [r for r in self.rows if not any(map(self._woke, self.counted([r])))]

    def _woke(self, trial: StoredTrial) -> bool:
        curves = (trial.curve(s, "blank_rate") for s in self.sweep.sets)
        return any((c.values <= collapse.DEFAULT.alive).any() for c in curves if c)


def change(difference: Difference, interval: bool = True) -> str:
    """Return "−0.43 [−0.50, −0.36]", without the interval where there is or shall be none."""
    shown = f" {difference.effect.interval(2)}" if difference.effect and interval else ""
    return minus(f"{difference.spread.mean_text(2, signed=True)}{shown}")


def clear(difference: Difference | None) -> int:
    """Return the sign of a difference that is sure among all of the sweep; 0 of any other."""
    if difference is None or not difference.survives:
        return 0
    return 1 if difference.spread.mean > 0 else -1


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
