"""Do the self-supervised terms work against the supervised one, and what pulls the output down?

python -m analysis.gradients --sweep NAME
"""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis import figure as command
from analysis.drawing import style
from analysis.figure import Drawing
from analysis.gradient_figures import draw_conflicts, draw_output
from analysis.numbers.diagnosed import Measured
from analysis.numbers.statistics import Spread
from analysis.reading.records import MetricCurve, StoredTrial
from analysis.reading.store import read_sweep


def render(uri: str, name: str, out: Path, partial: bool = False) -> Drawing:
    """Draw what was measured in a sweep, and write the numbers; arguments as elsewhere.

    Raises:
        UserError: as ``read_sweep``; nothing was measured; the folder cannot be written.
    """
    found = Measured.of(read_sweep(uri, name, partial))
    out = style.output_folder(out)
    with style.look():
        conflicts = style.save(draw_conflicts(found), out, "gradients")
        output = style.save(draw_output(found), out, "output_movement")
    table = out / "gradients.csv"
    write_table(found, table)
    return Drawing(found.sweep.run_id, (*conflicts, *output, table), summary(found))


def write_table(found: Measured, path: Path) -> None:
    """Every number that was measured: row, seed, metric, batch, value."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["row", "seed", "metric", "batch", "value"])
        for trial in found.sweep.trials:
            for metric in found.metrics():
                curve = trial.curves.get(metric, MetricCurve(np.array([]), np.array([])))
                for step, value in zip(curve.steps, curve.values, strict=True):
                    table.writerow([trial.row, trial.seed, metric, step, value])


def summary(found: Measured) -> str:
    """Per row: agreement, pulls, and where the output ended; means over batches and seeds."""
    lines = []
    for row in found.sweep.rows:
        trials = [t for t in found.sweep.of_row(row) if t.has_result]
        if any(found.cosine(t, "encoder", term) for t in trials for term in found.terms):
            lines += [_agreement(found, row, trials), *_output(found, row, trials)]
    return "\n".join(lines)


def _agreement(found: Measured, row: str, trials: Sequence[StoredTrial]) -> str:
    parts = []
    for part in ("encoder", "decoder"):
        texts = [
            f"{term} {_mean([found.cosine(t, part, term) for t in trials])}"
            f" ({_below_zero([found.cosine(t, part, term) for t in trials])} below 0)"
            for term in found.terms
        ]
        parts.append(f"{part}: {', '.join(texts)}")
    return f"{row}, cosine with the supervised gradient, {'; '.join(parts)}."


def _output(found: Measured, row: str, trials: Sequence[StoredTrial]) -> list[str]:
    """A line per set that the row trains on."""
    lines = []
    for name in found.sets:
        salience = {
            measure: [found.salience(t, measure, name) for t in trials]
            for measure in ("entropy", "peak")
        }
        if not any(salience["entropy"]):
            continue
        pulls = {w: [found.pull(t, w, name) for t in trials] for w in ("target", "view", "output")}
        texts = [f"{where} {_mean(c)}" for where, c in pulls.items() if any(c)]
        ends = [f"{m} {_ends(c)}" for m, c in salience.items()]
        lines.append(
            f"{row} on {name}, pull per frame: {', '.join(texts)}; Y at the first and the last "
            f"validation: {', '.join(ends)}."
        )
    return lines


def _mean(curves: Sequence[MetricCurve | None]) -> str:
    """Mean over batches, then over seeds."""
    return Spread.of(float(c.values.mean()) for c in curves if c).text(signed=True)


def _below_zero(curves: Sequence[MetricCurve | None]) -> str:
    """Share of the measured intervals with a negative value."""
    values = np.concatenate([c.values for c in curves if c] or [np.array([np.nan])])
    return f"{(values < 0).mean():.0%}"


def _ends(curves: Sequence[MetricCurve | None]) -> str:
    first, last = (Spread.of(float(c.values[i]) for c in curves if c).text(2) for i in (0, -1))
    return f"{first} -> {last}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    assert __doc__
    return command.run("gradients", __doc__.partition("\n")[0], render, arguments)


if __name__ == "__main__":
    sys.exit(main())
