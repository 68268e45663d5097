"""What does a collapse look like? Salience-grams of one excerpt: truth, Ref., degenerating rows.

python -m analysis.gallery --sweep NAME [--rows ROW,ROW]
"""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis.drawing import labels, page, style, tables
from analysis.drawing.axes import Grid
from analysis.figure import SweepFigure
from analysis.numbers.kinds import kind
from analysis.numbers.statistics import Spread
from analysis.reading.pictures import Picture, Pictures, read_pictures
from ssmpe.errors import UserError
from ssmpe.tracking import schema
from ssmpe.tracking.stored.records import REFERENCE_ROW, StoredSweep, StoredTrial, dataset_of
from ssmpe.tracking.stored.store import opened

MAX_COLUMNS = 5
MAP = "magma"
_LEFT, _LABEL_LINE = 1.15, 0.15
"""Inches for the axis of a panel with a label of one line, and for each further one"""
_NAME = 12
"""Letters of a name that fit beside a picture in one line"""
NOTE = (
    "The same excerpt, the beginning of the set's first track, at several validations. In the "
    "corner: scores of the whole set then{}. Pitches are estimated where the salience has a peak "
    "of at least {}. "
)


@dataclass(frozen=True)
class Gallery:
    """Runs whose pictures hang under each other, and which.

    Attributes:
        trials: one of every row shown.
        pictures: run -> its pictures.
    """

    sweep: StoredSweep
    trials: tuple[StoredTrial, ...]
    pictures: dict[str, Pictures]

    @classmethod
    def of(cls, sweep: StoredSweep, rows: str | None = None) -> "Gallery":
        """Read the pictures of a trial per row.

        Args:
            rows: names separated by commas; None: Ref. (if there) and the row with the highest
                blank rate on its added kind.

        Raises:
            UserError: there is no such row; no run shown has pictures, or a file among them is
                none.
        """
        trials = one_of_each(sweep, chosen(sweep, rows))
        with opened(sweep.uri) as client, tempfile.TemporaryDirectory() as scratch:
            found = {t.run_id: read_pictures(client, t, sweep.sets, Path(scratch)) for t in trials}
        gallery = cls(sweep, trials, found)
        if not gallery.sets:
            shown = ", ".join(t.row for t in trials)
            raise UserError(
                f"sweep {sweep.name!r}: no pictures of salience in the store of rows {shown}"
            )
        return gallery

    @property
    def sets(self) -> tuple[str, ...]:
        """Those of which there are pictures."""
        there = {s for pictures in self.pictures.values() for s, _ in pictures}
        return tuple(s for s in self.sweep.sets if s in there)

    @property
    def batches(self) -> tuple[int, ...]:
        """Evenly spread over those of which all runs have pictures, and the last of any run."""
        of_runs = [{b for _, b in pictures} for pictures in self.pictures.values() if pictures]
        last = max(set.union(*of_runs))
        shared = sorted(set.intersection(*of_runs) or set.union(*of_runs))
        n = min(MAX_COLUMNS - (last not in shared), len(shared))
        places = [round(i * (len(shared) - 1) / max(n - 1, 1)) for i in range(n)]
        return tuple(dict.fromkeys((*(shared[p] for p in places), last)))


def chosen(sweep: StoredSweep, rows: str | None) -> tuple[str, ...]:
    """Choose rows, in the order in which they hang; UserError if one is not of the sweep."""
    if rows is not None:
        names = tuple(dict.fromkeys(r.strip() for r in rows.split(",") if r.strip()))
        for name in names:
            if name not in sweep.rows:
                listed = ", ".join(sweep.rows)
                raise UserError(f"sweep {sweep.name!r}: no row {name!r} (rows: {listed})")
        if names:
            return names
    networks = [r for r in sweep.rows if r not in sweep.signal_rows] or sweep.rows
    finished = [r for r in networks if any(t.has_result for t in sweep.of_row(r))] or networks
    blankest = max(finished, key=lambda r: _blankness(sweep, r))
    first = (REFERENCE_ROW,) if REFERENCE_ROW in networks else networks[:1]
    return tuple(dict.fromkeys((*first, blankest)))


def _blankness(sweep: StoredSweep, row: str) -> tuple[bool, float]:
    """Tell whether a row adds a scored kind, and its mean blank rate there (else on all)."""
    trials = [t for t in sweep.of_row(row) if t.has_result]
    added = {dataset_of(s) for t in trials for s in t.added_set.split(",") if s}
    own = [s for s in sweep.sets if dataset_of(s) in added]
    blank = Spread.of(t.final(s, "blank_rate") for t in trials for s in own or sweep.sets)
    return bool(own), blank.mean if blank.n else 0.0


def one_of_each(sweep: StoredSweep, rows: Sequence[str]) -> tuple[StoredTrial, ...]:
    """Return a trial per row: of the first seed that has a result in all, if there is one."""
    done = {(t.row, t.seed): t for t in sweep.trials if t.has_result}
    common = [s for s in sweep.seeds if all((r, s) in done for r in rows)]
    if common:
        return tuple(done[r, common[0]] for r in rows)
    return tuple(sweep.of_row(r)[0] for r in rows)


def draw(gallery: Gallery) -> dict[str, Figure]:
    """Draw a figure per set."""
    return {f"gallery_{schema.file_name(s)}": draw_set(gallery, s) for s in gallery.sets}


def draw_set(gallery: Gallery, set_name: str) -> Figure:
    """Draw a row for the truth, if known, and one per run; columns are batches."""
    shown = {t.run_id: _of_set(gallery.pictures[t.run_id], set_name) for t in gallery.trials}
    truth = next((p.truth for of_run in shown.values() for p in of_run.values()), None)
    grid = Grid.of(
        gallery.trials[0].params, [p for of_run in shown.values() for p in of_run.values()]
    )
    names = ["truth"] * (truth is not None) + [_told(t) for t in gallery.trials]
    text = page.Page(
        title=f"Salience on {set_name} ({labels.kind(gallery.sweep, set_name)})",
        subtitle=labels.subtitle(gallery.sweep),
        x_label="seconds" if grid.seconds else "",
        legend=_legend(),
        legend_columns=3,
        note=_note(gallery.sweep),
        panel=(1.6, 1.35),
        left=_LEFT + _LABEL_LINE * max(name.count("\n") for name in names),
    )
    look: Any = {"cmap": MAP, "vmin": 0, "vmax": 1, "origin": "lower", "aspect": "auto"}
    figure, axes = page.panels(len(names), len(gallery.batches), text)
    for name, panels in zip(names, axes, strict=True):
        panels[0].set_ylabel(name)
        for ax in panels:
            grid.label(ax)
    for batch, ax in zip(gallery.batches, axes[0], strict=True):
        ax.set_title(f"batch {batch}")
    if truth is not None:
        for ax in axes[0]:
            ax.imshow(truth, extent=grid.extent, **look)
    for trial, panels in zip(gallery.trials, axes[-len(gallery.trials) :], strict=True):
        for batch, ax in zip(gallery.batches, panels, strict=True):
            if picture := shown[trial.run_id].get(batch):
                ax.imshow(picture.salience, extent=grid.extent, **look)
                _write_scores(ax, _scores(trial, set_name, batch))
            else:
                _say_why_empty(ax, trial, batch)
    return figure


def _told(trial: StoredTrial) -> str:
    """Return a row's name, in two lines where it is long, and its seed."""
    name = re.sub(r"(?<=.)\+", "\n+", trial.row, count=1) if len(trial.row) > _NAME else trial.row
    return f"{name}, seed {trial.seed}"


def _note(sweep: StoredSweep) -> str:
    tuned = (" and, in brackets, the tuned threshold", "that, or of ½")
    return NOTE.format(*(tuned if sweep.tuned else ("", "½"))) + labels.terms(sweep)


def _of_set(pictures: Pictures, set_name: str) -> dict[int, Picture]:
    return {batch: picture for (s, batch), picture in pictures.items() if s == set_name}


def _legend() -> list[Artist]:
    colours = colormaps[MAP]
    names = {0.0: "salience 0", 0.5: "0.5", 1.0: "1"}
    return [Patch(color=colours(value), label=name) for value, name in names.items()]


def _write_scores(ax: Axes, scores: dict[str, float]) -> None:
    """Write tuned F1 with its threshold, or that at one half; under it the blank rate."""
    known = {m: value for m, value in scores.items() if np.isfinite(value)}
    f1 = "f1_tuned" if "f1_tuned" in known else "f1"
    lines = [f"{style.MEASURE_LABELS[m]} {known[m]:.2f}" for m in (f1, "blank_rate") if m in known]
    if f1 == "f1_tuned" and schema.THRESHOLD in known:
        lines[0] += f" (from {known[schema.THRESHOLD]:.2g})"
    where: Any = {"transform": ax.transAxes, "ha": "right", "va": "top", "linespacing": 1.1}
    ax.text(0.98, 0.97, "\n".join(lines), color="white", size=6.5, **where)


def _say_why_empty(ax: Axes, trial: StoredTrial, batch: int) -> None:
    ended = trial.stopped and batch > trial.last_step
    why = f"stopped as collapsed\nat batch {trial.last_step}" if ended else "no picture"
    ax.text(
        0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center", color="#777777", size=8
    )


def _scores(trial: StoredTrial, set_name: str, batch: int) -> dict[str, float]:
    """Return scores of the whole set at a validation, and the threshold; NaN if not scored."""
    measures = ("f1", "blank_rate", "f1_tuned", "blank_rate_tuned", "average_precision")
    curves = {m: trial.curve(set_name, m) for m in measures}
    curves[schema.THRESHOLD] = trial.curves.get(schema.THRESHOLD)
    return {m: c.at(batch) if c else float("nan") for m, c in curves.items()}


def numbers(gallery: Gallery) -> tables.Frame:
    """Return which run and batch every panel is; panels without a picture are left out."""
    return tables.frame(
        {
            "set": set_name,
            "row": trial.row,
            "seed": trial.seed,
            "run": trial.run_id,
            "batch": batch,
            **_scores(trial, set_name, batch),
            "artifact": f"{schema.SALIENCE_ARTIFACTS}/{schema.file_name(set_name)}/{batch:06d}.png",
        }
        for set_name in gallery.sets
        for trial in gallery.trials
        for batch in gallery.batches
        if (set_name, batch) in gallery.pictures[trial.run_id]
    )


def findings(gallery: Gallery) -> list[str]:
    """Say which runs are shown, and how each ended."""
    lines = []
    for trial in gallery.trials:
        blank = ", ".join(_ends(gallery.sweep, trial, s) for s in gallery.sets)
        ended = f"{trial.end_reason or 'running'} at batch {trial.last_step}"
        lines.append(f"{trial.row} seed {trial.seed}, {ended}: blank at ½ {blank}.")
    return lines


def _ends(sweep: StoredSweep, trial: StoredTrial, set_name: str) -> str:
    """Return the blank rate on a set, and the kind of collapse if there is any."""
    found = kind(sweep, trial, set_name)
    return f"{set_name} {trial.final(set_name, 'blank_rate'):.2f}" + f" ({found})" * bool(found)


_ROWS = "rows to show, separated by commas; default: Ref. and the row that is most blank"
FIGURE = SweepFigure(
    "gallery", __doc__, Gallery.of, draw, numbers, findings, options={"rows": ("ROW,ROW", _ROWS)}
)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
