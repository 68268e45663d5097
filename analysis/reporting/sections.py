"""The figures of a report: which there are, and to which sweeps each applies."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from analysis import (
    border,
    curves,
    degeneration,
    gallery,
    gradients,
    hyperparameters,
    precision_recall,
    replay,
    spending,
)
from analysis.figure import Drawn
from analysis.numbers.counts import SampleCount
from analysis.numbers.diagnosed import Measured
from analysis.numbers.plane import Plane
from analysis.reading.records import StoredSweep
from analysis.replaying.collapse import recorded
from ssmpe.errors import UserError
from ssmpe.tracking import schema


@dataclass(frozen=True)
class Section:
    """A figure.

    Attributes:
        module: has ``render`` (``command.Render``); the first line of its docstring is the
            question that the figure answers.
        applies: whether a sweep has what the figure shows.
    """

    module: ModuleType
    applies: Callable[[StoredSweep], bool] = lambda sweep: True

    @property
    def question(self) -> str:
        return (inspect.getdoc(self.module) or "").partition("\n")[0]


def _compares_counts(sweep: StoredSweep) -> bool:
    """Several counts of a set, or none against one where rows differ in nothing else."""
    if _is_search(sweep):
        return False  # it varies everything at once
    added = {(t.added_set, t.added_excerpts) for t in sweep.trials if t.added_set}
    if len(added) > len(sweep.added_sets):
        return True
    try:
        comparison = SampleCount.of(sweep)
    except UserError:
        return False
    return not comparison.left_out and len(comparison.counts) > 1


def _has_content_objectives(sweep: StoredSweep) -> bool:
    return any("objectives.weights.energy" in t.params for t in sweep.trials)


def _is_search(sweep: StoredSweep) -> bool:
    return any(p.startswith(schema.SUGGESTED) for t in sweep.trials for p in t.params)


def _allows(reading: Callable[[StoredSweep], object]) -> Callable[[StoredSweep], bool]:
    """Whether a figure's own reading of a sweep finds what it needs there."""

    def allowed(sweep: StoredSweep) -> bool:
        try:
            reading(sweep)
        except UserError:
            return False
        return True

    return allowed


SECTIONS = (
    Section(hyperparameters, _is_search),
    Section(curves),
    Section(degeneration, _compares_counts),
    Section(border, _allows(Plane.of)),
    Section(precision_recall, _has_content_objectives),
    Section(gallery),
    Section(gradients, _allows(Measured.of)),
    Section(spending),
    Section(replay, _allows(recorded)),
)
"""in the order of a report"""


@dataclass(frozen=True)
class Figure:
    """A section that was drawn."""

    question: str
    drawn: Drawn

    @property
    def images(self) -> tuple[Path, ...]:
        """The smaller of PNG and SVG, of every picture: drawings as lines, spectrograms as dots."""
        stems = dict.fromkeys(f.with_suffix("") for f in self.drawn.files if f.suffix == ".png")
        both = [[s.with_suffix(".png"), s.with_suffix(".svg")] for s in stems]
        there = [[f for f in pair if f in self.drawn.files] for pair in both]
        return tuple(min(pair, key=lambda f: f.stat().st_size) for pair in there)

    @property
    def tables(self) -> tuple[Path, ...]:
        """Files with the numbers that are drawn."""
        return tuple(f for f in self.drawn.files if f.suffix == ".csv")


@dataclass(frozen=True)
class Omitted:
    """A section that could not be drawn."""

    question: str
    reason: str


def draw(
    uri: str, sweep: StoredSweep, out: Path, partial: bool
) -> tuple[list[Figure], list[Omitted]]:
    """Draw all sections that apply into a folder."""
    figures, omitted = [], []
    for section in SECTIONS:
        if not section.applies(sweep):
            continue
        try:
            drawn = section.module.render(uri, sweep.name, out, partial)
        except UserError as error:
            omitted.append(Omitted(section.question, str(error)))
        else:
            figures.append(Figure(section.question, drawn))
    return figures, omitted
