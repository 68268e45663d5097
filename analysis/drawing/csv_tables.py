"""The table of final scores: one line per row and set, as Markdown, CSV and for the terminal."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich import box
from rich.table import Table

from analysis.numbers.statistics import Spread
from analysis.reading.records import StoredSweep, StoredTrial

MEASURES = ("f1", "recall", "precision", "blank_rate")
HEADINGS = ("row", "set", "F1", "recall", "precision", "blank rate", "ended", "collapsed at")


@dataclass(frozen=True)
class Line:
    """Scores of a row on a set at its trials' last validations.

    Attributes:
        spreads: by measure, over the trials that count.
        ended: how many trials ended for which reason.
        collapsed_at: seed -> batch from which the set was blank to the end, or None.
    """

    row: str
    added_set: str
    added_excerpts: int
    set_name: str
    spreads: dict[str, Spread]
    ended: dict[str, int]
    collapsed_at: dict[int, int | None]

    @classmethod
    def of(cls, trials: Sequence[StoredTrial], set_name: str) -> "Line":
        counted = [t for t in trials if t.has_result]
        reasons = Counter(str(t.end_reason or "running") for t in trials)
        return cls(
            row=trials[0].row,
            added_set=trials[0].added_set,
            added_excerpts=trials[0].added_excerpts,
            set_name=set_name,
            spreads={m: Spread.of(t.final(set_name, m) for t in counted) for m in MEASURES},
            ended=dict(sorted(reasons.items())),
            collapsed_at={t.seed: t.collapsed_at.get(set_name) for t in counted},
        )

    @property
    def ended_text(self) -> str:
        return ", ".join(f"{n} {reason}" for reason, n in self.ended.items())

    @property
    def collapse_text(self) -> str:
        """Batches in the order of the seeds, "–" for those that did not collapse."""
        batches = list(self.collapsed_at.values())
        if not any(batches):
            return "–"
        return ", ".join("–" if b is None else str(b) for b in batches)

    def cells(self) -> list[str]:
        """Texts under ``HEADINGS``."""
        scores = [self.spreads[m].text() for m in MEASURES]
        return [self.row, self.set_name, *scores, self.ended_text, self.collapse_text]


def score_lines(sweep: StoredSweep) -> list[Line]:
    """One line per row and set, in the order of the table."""
    return [Line.of(sweep.of_row(row), s) for row in sweep.rows for s in sweep.sets]


def markdown(lines: Sequence[Line]) -> str:
    """A table in GitHub's Markdown."""
    rows = [list(HEADINGS), ["---"] * 2 + ["--:"] * len(MEASURES) + ["---"] * 2]
    rows += [line.cells() for line in lines]
    return "\n".join(f"| {' | '.join(_escaped(c) for c in row)} |" for row in rows)


def comma_separated(lines: Sequence[Line]) -> str:
    """Every number in full: per measure n, mean, std, low and high over seeds."""
    statistics = ("n", "mean", "std", "low", "high")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    header = [f"{m}_{s}" for m in MEASURES for s in statistics]
    identity = ["row", "added_set", "added_excerpts", "set"]
    writer.writerow([*identity, *header, "ended", "collapsed_at"])
    for line in lines:
        numbers = [getattr(line.spreads[m], s) for m in MEASURES for s in statistics]
        at = "; ".join(f"seed {s}: {b}" for s, b in line.collapsed_at.items() if b is not None)
        where = [line.row, line.added_set, line.added_excerpts, line.set_name]
        writer.writerow([*where, *numbers, line.ended_text, at])
    return buffer.getvalue()


def terminal(lines: Sequence[Line], title: str) -> Table:
    """For rich's console, in 80 columns: why trials ended stands under the name of their row."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("row", max_width=12)
    table.add_column("set", no_wrap=True)
    for heading in ("F1", "recall", "blank"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("blank from batch")
    for row, group in groupby(lines, key=lambda line: line.row):
        of_row = list(group)
        names = [row, of_row[0].ended_text] + [""] * len(of_row)
        if len(of_row) == 1:
            names = ["\n".join(names[:2])]
        for name, line in zip(names, of_row, strict=False):
            spreads = (line.spreads[m] for m in ("f1", "recall", "blank_rate"))
            scores = [s.text(decimals=2).replace(" ", "") for s in spreads]
            last = line is of_row[-1]
            table.add_row(name, line.set_name, *scores, line.collapse_text, end_section=last)
    return table


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
