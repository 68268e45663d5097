"""Where lies the border of the collapse between self-supervised weights and added excerpts?

python -m analysis.border --sweep NAME
"""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis import border_figure
from analysis import figure as command
from analysis.drawing import style
from analysis.figure import Drawing
from analysis.numbers.plane import BLANK, Plane
from analysis.reading.store import read_sweep


def render(uri: str, name: str, out: Path, partial: bool = False) -> Drawing:
    """Draw the border of a sweep's collapse into a folder.

    Arguments and errors as ``degeneration.render``; besides UserError: the rows do not vary both
    weights and count.
    """
    plane = Plane.of(read_sweep(uri, name, partial))
    out = style.output_folder(out)
    with style.look():
        figures = style.save(border_figure.draw(plane), out, "border")
    table = out / "border.csv"
    table.write_text(comma_separated(plane), encoding="utf-8")
    return Drawing(plane.sweep.run_id, (*figures, table), summary(plane))


def summary(plane: Plane) -> str:
    """Per factor, the least count at which the mean is beyond the border; one per line."""
    lines = []
    for factor in plane.factors:
        counts = [c for c in plane.counts if (factor, c) in plane.cells]
        blank = {c: plane.spread((factor, c), plane.own_set, "blank_rate") for c in counts}
        known = {c: s for c, s in blank.items() if s.n}
        if not known:
            continue
        beyond = [c for c, s in known.items() if s.mean >= BLANK]
        name = f"{'Factor' if plane.relative else 'Weight'} {factor:g}"
        lowest, highest = (f"{c} added {known[c].text()}" for c in (min(known), max(known)))
        said = f"collapse from {min(beyond)} added on" if beyond else "no collapse"
        lines.append(f"{name}: {said} (blank rate on {plane.own_set}: {lowest}, {highest}).")
    if plane.left_out:
        lines.append(f"Not on the plane: {', '.join(plane.left_out)}.")
    return "\n".join(lines)


def comma_separated(plane: Plane) -> str:
    """A line per cell, set and measure drawn."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        ("factor", "added_set", "added_excerpts", "rows", "set", "measure", "n", "mean", "std",
         "low", "high", "stopped", "collapsed")
    )  # fmt: skip
    for place, trials in plane.cells.items():
        rows = " ".join(dict.fromkeys(t.row for t in trials))
        ends = (plane.stopped(place), plane.collapsed(place))
        for set_name, measure in plane.shown:
            s = plane.spread(place, set_name, measure)
            values = (s.n, s.mean, s.std, s.low, s.high)
            where = (place[0], plane.added_set, place[1], rows, set_name, measure)
            writer.writerow((*where, *values, *ends))
    return buffer.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    assert __doc__
    return command.run("border", __doc__.partition("\n")[0], render, arguments)


if __name__ == "__main__":
    sys.exit(main())
