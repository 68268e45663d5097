"""What does a collapse look like? Salience-grams of one excerpt: truth, Ref., degenerating rows.

python -m analysis.gallery --sweep NAME [--rows ROW,ROW]
"""

import csv
import io
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis import figure as command
from analysis import gallery_figure
from analysis.drawing import style
from analysis.figure import Drawing
from analysis.numbers.statistics import Spread
from analysis.reading.connection import opened
from analysis.reading.pictures import Pictures, read_pictures
from analysis.reading.records import REFERENCE_ROW, StoredSweep, StoredTrial, dataset_of
from analysis.reading.store import read_sweep
from ssmpe.errors import UserError
from ssmpe.tracking import schema

MAX_COLUMNS = 5


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


def render(
    uri: str, name: str, out: Path, partial: bool = False, rows: str | None = None
) -> Drawing:
    """Draw a sweep's salience-grams into a folder, a figure per evaluated set.

    Args:
        uri: tracking URI of the MLflow store.
        name: the sweep.
        out: folder, made if missing.
        partial: draw a sweep that has not finished as it stands; the figures say so.
        rows: names separated by commas; None: Ref. (if there) and the row with the highest blank
            rate on its added kind.

    Raises:
        UserError: as ``read_sweep``; there is no such row; no run shown has pictures, or a file
            among them is none; the folder cannot be written.
    """
    sweep = read_sweep(uri, name, partial)
    trials = one_of_each(sweep, chosen(sweep, rows))
    with opened(uri) as client, tempfile.TemporaryDirectory() as scratch:
        found = {t.run_id: read_pictures(client, t, sweep.sets, Path(scratch)) for t in trials}
    gallery = Gallery(sweep, trials, found)
    if not gallery.sets:
        shown = ", ".join(t.row for t in trials)
        raise UserError(f"sweep {name!r}: no pictures of salience in the store of rows {shown}")
    out = style.output_folder(out)
    files: list[Path] = []
    with style.look():
        for set_name in gallery.sets:
            figure = gallery_figure.draw(gallery, set_name)
            files += style.save(figure, out, f"gallery_{set_name.replace('/', '-')}")
    table = out / "gallery.csv"
    table.write_text(comma_separated(gallery), encoding="utf-8")
    return Drawing(sweep.run_id, (*files, table), summary(gallery))


def chosen(sweep: StoredSweep, rows: str | None) -> tuple[str, ...]:
    """Rows to show, in the order in which they hang; UserError if one is not of the sweep."""
    if rows is not None:
        names = tuple(dict.fromkeys(r.strip() for r in rows.split(",") if r.strip()))
        for name in names:
            if name not in sweep.rows:
                listed = ", ".join(sweep.rows)
                raise UserError(f"sweep {sweep.name!r}: no row {name!r} (rows: {listed})")
        if names:
            return names
    finished = [r for r in sweep.rows if any(t.has_result for t in sweep.of_row(r))]
    blankest = max(finished, key=lambda r: _blankness(sweep, r))
    first = (REFERENCE_ROW,) if REFERENCE_ROW in sweep.rows else sweep.rows[:1]
    return tuple(dict.fromkeys((*first, blankest)))


def _blankness(sweep: StoredSweep, row: str) -> tuple[bool, float]:
    """Whether a row adds a kind that is scored, and its mean blank rate there (else on all)."""
    trials = [t for t in sweep.of_row(row) if t.has_result]
    added = {dataset_of(s) for t in trials for s in t.added_set.split(",") if s}
    own = [s for s in sweep.sets if dataset_of(s) in added]
    blank = Spread.of(t.final(s, "blank_rate") for t in trials for s in own or sweep.sets)
    return bool(own), blank.mean if blank.n else 0.0


def one_of_each(sweep: StoredSweep, rows: Sequence[str]) -> tuple[StoredTrial, ...]:
    """A trial per row: of the first seed that has a result in all of them, if there is one."""
    done = {(t.row, t.seed): t for t in sweep.trials if t.has_result}
    common = [s for s in sweep.seeds if all((r, s) in done for r in rows)]
    if common:
        return tuple(done[r, common[0]] for r in rows)
    return tuple(sweep.of_row(r)[0] for r in rows)


def summary(gallery: Gallery) -> str:
    """Which runs are shown, and how each ended."""
    lines = []
    for trial in gallery.trials:
        blank = ", ".join(f"{s} {trial.final(s, 'blank_rate'):.2f}" for s in gallery.sets)
        ended = f"{trial.end_reason or 'running'} at batch {trial.last_step}"
        lines.append(f"{trial.row} seed {trial.seed}, {ended}: blank rate {blank}.")
    return "\n".join(lines)


def comma_separated(gallery: Gallery) -> str:
    """Which run and batch every panel is; panels without a picture left out."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("set", "row", "seed", "run", "batch", "f1", "blank_rate", "artifact"))
    for set_name in gallery.sets:
        for trial in gallery.trials:
            for batch in gallery.batches:
                if (set_name, batch) in gallery.pictures[trial.run_id]:
                    scores = gallery_figure.scores(trial, set_name, batch)
                    folder = f"{schema.SALIENCE_ARTIFACTS}/{set_name.replace('/', '-')}"
                    of_run = (trial.row, trial.seed, trial.run_id, batch)
                    writer.writerow((set_name, *of_run, *scores, f"{folder}/{batch:06d}.png"))
    return buffer.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    assert __doc__
    help_text = "rows to show, separated by commas; default: Ref. and the row that is most blank"
    own = {"rows": {"metavar": "ROW,ROW", "help": help_text}}
    return command.run("gallery", __doc__.partition("\n")[0], render, arguments, own)


if __name__ == "__main__":
    sys.exit(main())
