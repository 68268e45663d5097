"""Which hyperparameters matter, and what is there to choose from? The figure of a search.

python -m analysis.hyperparameters --sweep NAME
"""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis import figure as command
from analysis import search_figure
from analysis.drawing import style
from analysis.figure import Drawing
from analysis.numbers.front import StoredSearch
from analysis.reading.store import read_sweep


def render(uri: str, name: str, out: Path, partial: bool = False) -> Drawing:
    """Draw a search into a folder: front, history, importances, parallel coordinates.

    Raises:
        UserError: as ``read_sweep``; the sweep is no search; the folder cannot be written.
    """
    search = StoredSearch.of(read_sweep(uri, name, partial))
    out = style.output_folder(out)
    with style.look():
        files = style.save(search_figure.draw(search), out, "hyperparameters")
    table = out / "hyperparameters.csv"
    _write(search, table)
    return Drawing(search.sweep.run_id, (*files, table), summary(search))


def summary(search: StoredSearch) -> str:
    """The findings, one per line."""
    ends = [str(t.end_reason) for t in search.trials]
    counts = ", ".join(f"{ends.count(end)} {end}" for end in dict.fromkeys(ends))
    lines = [f"{len(search.trials)} trials: {counts}."]
    labels = [o.label for o in search.objectives]
    for trial in search.front:
        values = ", ".join(
            f"{label} {v:.2f}" for label, v in zip(labels, search.values(trial), strict=True)
        )
        settings = ", ".join(f"{k} {_said(v)}" for k, v in search.suggested(trial).items())
        lines.append(f"On the front: {trial.row} ({values}) with {settings}.")
    for label, found in zip(labels, search.importances(), strict=True):
        if found:
            most = ", ".join(f"{name} {share:.2f}" for name, share in list(found.items())[:3])
            lines.append(f"Most important for {label}: {most}.")
    return "\n".join(lines)


def _said(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _write(search: StoredSearch, path: Path) -> None:
    """A line per trial: how it ended, its objectives, whether on the front, what was suggested."""
    front = {t.run_id for t in search.front}
    metrics = [o.metric for o in search.objectives]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["trial", "end", "batch", *metrics, "front", *search.space])
        for trial in search.trials:
            values = search.suggested(trial)
            chosen = [values.get(name, "") for name in search.space]
            known = [trial.row, trial.end_reason or "running", trial.last_step]
            table.writerow([*known, *search.values(trial), trial.run_id in front, *chosen])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    assert __doc__
    return command.run("hyperparameters", __doc__.partition("\n")[0], render, arguments)


if __name__ == "__main__":
    sys.exit(main())
