"""Checks of sets: all that is wrong is found at once, before anything is computed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ssmpe.console import printable
from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Track
from ssmpe.data.files.annotation import Annotation, FrameAnnotation, check_scorable
from ssmpe.data.inspection import Inspection, inspect, same_files
from ssmpe.data.store.annotations import Annotations
from ssmpe.errors import DataError, UserError

SHOWN_LINES = 5
"""Problems of a set that are printed"""
Progress = Callable[[str, int, int], None]
"""Function that is called with what is being done, tracks done and tracks in all"""


class State(StrEnum):
    """How much of a set is there."""

    FOUND = "found"
    INCOMPLETE = "incomplete"
    """Files are missing, unreadable or damaged"""
    MISSING = "missing"


@dataclass(frozen=True)
class SetReport:
    """Findings of the check of a set.

    Attributes:
        name: of the set, or of a dataset with all of its sets.
        state: see ``State``.
        n_tracks: tracks that can be used.
        hours: of audio in them.
        sample_rates: in Hz -> number of files.
        problems: a line for everything that makes it missing or incomplete.
        notes: a line for everything else that one should know.
        inspection: of the audio of ``tracks``.
        annotations: of ``tracks``, None also for those whose annotation cannot be used.
    """

    name: str
    state: State
    n_tracks: int = 0
    hours: float = 0.0
    sample_rates: Mapping[int, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tracks: tuple[Track, ...] = ()
    inspection: Inspection | None = None
    annotations: Annotations | None = None

    @property
    def whole(self) -> bool:
        """Tell whether nothing of it is missing or damaged."""
        return self.state is State.FOUND

    @property
    def usable(self) -> bool:
        """Tell whether it has any track that can be used."""
        return self.n_tracks > 0


def missing(name: str, error: UserError) -> SetReport:
    """Return the report of a set that could not even be listed."""
    state = State.INCOMPLETE if isinstance(error, DataError) else State.MISSING
    return SetReport(name, state, problems=(str(error),))


def check_tracks(
    name: str,
    dataset: Dataset,
    tracks: Sequence[Track],
    cache: Path,
    f0_range: tuple[float, float],
    *,
    annotated: bool,
    scored: bool = False,
    annotations: Annotations | None = None,
    progress: Progress | None = None,
) -> SetReport:
    """Check the files of listed tracks: presence, headers, annotations.

    Args:
        name: what the report is to call the set.
        f0_range: lowest and highest F0 that a model can give, in Hz.
        annotated: whether tracks need annotations, as those that are learnt from do.
        scored: whether estimates are compared with the annotations, which limits their pitches.
        annotations: if they have been read before.
        progress: called after every track.
    """
    files = {i: dataset.files(t) if annotated else [*t.sources] for i, t in enumerate(tracks)}
    absent = listing.missing_files([path for some in files.values() for path in some])
    problems = [f"{path} is missing" for path in absent]
    gone = set(absent)
    # what is missing has been told; what a link leads to is for the inspection
    shown = None if progress is None else lambda done, n: progress(f"inspecting {name}", done, n)
    seen = inspect(tracks, dataset.folder, cache, shown)
    problems += [text for i, text in seen.errors.items() if not gone & {*tracks[i].sources}]
    bad = set(seen.errors)
    notes: list[str] = []
    if absent_pieces := dataset.absent(tracks, name.partition("/")[2] or "all"):
        # a choice of the user's, but scores on fewer pieces are other scores
        notes.append(f"without {', '.join(absent_pieces)}: scores are of the others alone")
    if annotated and annotations is None:
        annotations, damaged = _read_annotations(name, dataset, tracks, bad, progress)
        problems += [t for i, t in damaged.items() if not gone & set(files[i])]
        bad |= set(damaged)
    if annotations is not None:
        if scored:
            unscorable = _unscorable(tracks, annotations)
            problems += unscorable.values()
            bad |= set(unscorable)
        notes += _beyond(annotations, seen, f0_range)
        silent = sum(a is None for i, a in enumerate(annotations) if i not in bad)
        if silent:
            notes.append(f"{silent} of {len(tracks) - len(bad)} tracks have no annotation")
    usable = [i for i in range(len(tracks)) if i not in bad]
    rates, counts = np.unique(seen.sample_rates[usable], return_counts=True)
    return SetReport(
        name=name,
        state=State.INCOMPLETE if problems else State.FOUND,
        n_tracks=len(usable),
        hours=float(seen.seconds[usable].sum() / 3600),
        sample_rates=dict(zip(rates.tolist(), counts.tolist(), strict=True)),
        problems=tuple(problems),
        notes=tuple(notes),
        tracks=tuple(tracks),
        inspection=seen,
        annotations=annotations,
    )


def duplicates(reports: Sequence[SetReport]) -> list[str]:
    """Return a line for every recording that is there more than once, in one set or in several."""
    seen = [(r, r.inspection.fingerprints) for r in reports if r.inspection is not None]
    values, counts = np.unique(
        np.concatenate([np.empty(0, np.uint64), *(f for _, f in seen)]), return_counts=True
    )
    repeated = values[(counts > 1) & (values != 0)]
    where: dict[Path, list[str]] = {}
    fingerprints: dict[Path, int] = {}
    for report, found in seen:
        for i in np.flatnonzero(np.isin(found, repeated)).tolist():
            path = report.tracks[i].audio
            where.setdefault(path, []).append(report.name)
            fingerprints[path] = int(found[i])
    lines = []
    for first, *others in same_files(fingerprints):
        copies = ", ".join(f"{path} ({', '.join(where[path])})" for path in others)
        lines.append(f"{first} ({', '.join(where[first])}) is the same recording as {copies}")
    return lines


def _read_annotations(
    name: str,
    dataset: Dataset,
    tracks: Sequence[Track],
    unreadable: set[int],
    progress: Progress | None,
) -> tuple[Annotations, dict[int, str]]:
    """Read all annotations; return them, and what is wrong with the unusable ones, by index."""
    annotations: list[Annotation | None] = []
    damaged: dict[int, str] = {}
    for i, track in enumerate(tracks):
        annotation = None
        if i not in unreadable:
            try:
                annotation = dataset.annotation(track)
            except DataError as error:
                damaged[i] = str(error)
        annotations.append(annotation)
        if progress:
            progress(f"reading annotations of {name}", i + 1, len(tracks))
    return tuple(annotations), damaged


def _unscorable(tracks: Sequence[Track], annotations: Annotations) -> dict[int, str]:
    """Return what is wrong with the annotations that scoring would refuse, by index."""
    wrong = {}
    for i, annotation in enumerate(annotations):
        if annotation is not None:
            try:
                check_scorable(_f0s(annotation), annotation.span[1])
            except ValueError as error:
                wrong[i] = f"{tracks[i].audio}: its annotation cannot be scored: {error}"
    return wrong


def _beyond(annotations: Annotations, seen: Inspection, f0_range: tuple[float, float]) -> list[str]:
    """Return notes on F0s that no model of this range can give, and on ends that are late."""
    f0s = [_f0s(a) for a in annotations if a is not None]
    n_f0s = sum(map(len, f0s))
    low, high = f0_range
    n_outside = sum(int(np.sum((f < low) | (f > high))) for f in f0s)
    notes = []
    if n_outside:
        share = 100 * n_outside / n_f0s
        notes.append(
            f"{share:.2g} % of annotated F0s lie outside {low:.1f} to {high:.1f} Hz and are dropped"
        )
    late = [
        i for i, a in enumerate(annotations) if a is not None and a.span[1] > seen.seconds[i] + 0.05
    ]
    if late:
        notes.append(f"{len(late)} annotations end after their audio, by up to a second")
    return notes


def _f0s(annotation: Annotation) -> np.ndarray:
    if isinstance(annotation, FrameAnnotation):
        return np.concatenate(annotation.observed.f0s)
    return annotation.f0s


def print_reports(console: Console, reports: Iterable[SetReport]) -> None:
    """Print a table of sets, then what is wrong with each of them."""
    reports = list(reports)
    table = Table(box=None, pad_edge=False)
    table.add_column("set", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for heading in ("tracks", "hours"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("sample rates (Hz)")
    for report in reports:
        rates = ", ".join(f"{rate}" for rate in report.sample_rates)
        counts = [str(report.n_tracks), f"{report.hours:.2f}"] if report.n_tracks else ["", ""]
        table.add_row(printable(report.name), str(report.state), *counts, rates)
    console.print(table)
    for report in reports:
        for line in _shortened([*report.problems, *report.notes]):
            console.print(printable(f"{report.name}: {line}"), soft_wrap=True)


def _shortened(lines: list[str]) -> list[str]:
    """Return the first lines, and one that says how many more there are."""
    if len(lines) <= SHOWN_LINES:
        return lines
    return [*lines[:SHOWN_LINES], f"… and {len(lines) - SHOWN_LINES} more"]
