"""What would other settings for stopping have saved, and which runs would they have cost?

python -m analysis.replay --sweep NAME
"""

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.table import Table

from analysis import figure as command
from analysis.drawing import style
from analysis.figure import Drawing
from analysis.reading.store import read_sweep
from analysis.replaying import effects as replay_effects
from analysis.replaying import figure as replay_figure
from analysis.replaying.asha import Asha
from analysis.replaying.collapse import DEFAULT
from analysis.replaying.figure import Rule
from analysis.replaying.findings import summary
from analysis.replaying.replayed import Replay


def render(uri: str, name: str, out: Path, partial: bool = False) -> Drawing:
    """Replay a sweep and draw it into a folder.

    Arguments and errors as ``degeneration.render``; besides UserError: no run adds excerpts of a
    kind that is scored, or none that was trained to its end has collapsed.
    """
    replay = Replay.of(read_sweep(uri, name, partial))
    out = style.output_folder(out)
    with style.look():
        figures = [
            *style.save(replay_figure.draw_settings(replay.sweep, replay.outcomes), out, "replay"),
            *style.save(replay_figure.draw_stops(replay.sweep, rules(replay)), out, "replay_stops"),
        ]
    tables = {"replay.csv": settings_csv(replay), "replay_stops.csv": stops_csv(replay)}
    for file, text in tables.items():
        (out / file).write_text(text, encoding="utf-8")
    files = (*figures, *(out / file for file in tables))
    return Drawing(replay.sweep.run_id, files, summary(replay), _table(replay))


def rules(replay: Replay) -> tuple[Rule, ...]:
    """The runner's rule and plain ASHA's, to be drawn beside each other."""
    own = replay.default
    wrong = {t.run_id for t in own.wrong}
    judged = {r.trial.run_id: r.trial.run_id not in wrong for r in replay.runs if r.complete}
    ashas = [Rule(_title(asha), cuts) for asha, cuts in replay.cuts.items()]
    return (Rule("collapse rule,\nby default", own.stops, judged), *ashas)


def settings_csv(replay: Replay) -> str:
    """A line per setting of the collapse rule."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    head = ("default", "stopped", "wrongly_stopped", "stopped_early", "unknown", "collapsed")
    thresholds = tuple(asdict(DEFAULT))
    writer.writerow((*thresholds, *head, "saved_batches", "saved_share", "largest_shift", "swaps"))
    for o in replay.outcomes:
        shifts = replay_effects.shifts(replay.sweep, o.stops)
        counts = (len(o.stops), len(o.wrong), len(o.early), len(o.unknown))
        saved = (o.collapsed, o.saved, o.share)
        effects = (
            max((abs(s.change) for s in shifts), default=0.0),
            len(replay_effects.swaps(replay.sweep, o.stops)),
        )
        is_default = int(o.setting == DEFAULT)
        writer.writerow((*asdict(o.setting).values(), is_default, *counts, *saved, *effects))
    return buffer.getvalue()


def stops_csv(replay: Replay) -> str:
    """A line per run: where it ended, and where each rule would have ended it ("" for not)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    shown = rules(replay)
    names = [" ".join(rule.title.split()) for rule in shown]
    blank_from = {r.trial.run_id: r.blank_from for r in replay.runs if r.complete}
    writer.writerow(("row", "seed", "run", "end_reason", "last_batch", "blank_from", *names))
    for trial in replay.sweep.trials:
        ended = (trial.end_reason or "running", trial.last_step, blank_from.get(trial.run_id))
        stops = [rule.stops.get(trial.run_id) for rule in shown]
        writer.writerow((trial.row, trial.seed, trial.run_id, *ended, *stops))
    return buffer.getvalue()


def _title(asha: Asha) -> str:
    return f"ASHA, factor {asha.reduction_factor:g},\nfrom {asha.grace:.0%} on"


def _table(replay: Replay) -> Table:
    """The default and the settings that save most, for rich's console."""
    table = Table(
        title=f"{replay.sweep.name}: {len(replay.outcomes)} settings, the best and the default",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for heading in (*asdict(DEFAULT), "saved", "wrongly stopped", "early"):
        table.add_column(heading, justify="right")
    table.add_column("")
    shown = replay.best if replay.default in replay.best else (replay.default, *replay.best)
    for o in shown:
        values = [f"{v:g}" for v in asdict(o.setting).values()]
        mark = "default" if o.setting == DEFAULT else ""
        table.add_row(*values, f"{o.share:.0%}", str(len(o.wrong)), str(len(o.early)), mark)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    assert __doc__
    return command.run("replay", __doc__.partition("\n")[0], render, arguments)


if __name__ == "__main__":
    sys.exit(main())
