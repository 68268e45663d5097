"""What would other settings for stopping have saved, and which runs would they have cost?

python -m analysis.replay --sweep NAME
"""

from matplotlib.figure import Figure
from rich.table import Table

from analysis.drawing import tables
from analysis.drawing.style import MEASURE_LABELS
from analysis.figure import SweepFigure
from analysis.numbers.statistics import Spread
from analysis.reading.records import REFERENCE_ROW
from analysis.replaying import effects
from analysis.replaying.asha import Asha, at_a_time
from analysis.replaying.collapse import DEFAULT, Recorded, Verdict
from analysis.replaying.drawing import draw_settings, draw_stops
from analysis.replaying.replayed import Replay


def draw(replay: Replay) -> dict[str, Figure]:
    """Draw what each setting saves at what price, and which runs it stops."""
    return {
        "replay": draw_settings(replay.sweep, replay.verdicts),
        "replay_stops": draw_stops(replay.sweep, replay.rules),
    }


def numbers(replay: Replay) -> dict[str, tables.Frame]:
    """Return a table of the settings, and one of the runs."""
    return {"replay": _settings(replay), "replay_stops": _stops(replay)}


def _settings(replay: Replay) -> tables.Frame:
    """Return a line per setting of the collapse rule."""
    lines = []
    for v in replay.verdicts:
        shifts = effects.shifts(replay.sweep, v.stops)
        lines.append(
            {
                **vars(v.setting),
                "default": int(v.setting == DEFAULT),
                "stopped": len(v.stops),
                "wrongly_stopped": len(v.wrong),
                "stopped_early": len(v.early),
                "unknown": len(v.unknown),
                "collapsed": v.collapsed,
                "saved_batches": v.saved,
                "saved_share": v.share,
                "largest_shift": max((abs(s.change) for s in shifts), default=0.0),
                "swaps": len(effects.swaps(replay.sweep, v.stops)),
            }
        )
    return tables.frame(lines)


def _stops(replay: Replay) -> tables.Frame:
    """Return where each run ended, and where each rule would have ended it, if it would."""
    blank_from = {r.trial.run_id: r.blank_from for r in replay.runs if r.complete}
    rules = {" ".join(rule.title.split()): rule.stops for rule in replay.rules}
    return tables.frame(
        {
            "row": trial.row,
            "seed": trial.seed,
            "run": trial.run_id,
            "end_reason": trial.end_reason or "running",
            "last_batch": trial.last_step,
            "blank_from": _or_nothing(blank_from.get(trial.run_id)),
            **{name: _or_nothing(stops.get(trial.run_id)) for name, stops in rules.items()},
        }
        for trial in replay.sweep.trials
    )


def _or_nothing(batch: int | None) -> int | str:
    return "" if batch is None else batch


def table(replay: Replay) -> Table:
    """Return the default and the settings that save most, for the terminal."""
    best = replay.best if replay.default in replay.best else (replay.default, *replay.best)
    lines = [
        [
            *(f"{value:g}" for value in vars(v.setting).values()),
            f"{v.share:.0%}",
            str(len(v.wrong)),
            str(len(v.early)),
            "default" if v.setting == DEFAULT else "",
        ]
        for v in best
    ]
    headings = (*vars(DEFAULT), "saved", "wrongly stopped", "early")
    columns = {**{h: {"justify": "right"} for h in headings}, "": {}}
    title = f"{replay.sweep.name}: {len(replay.verdicts)} settings, the best and the default"
    return tables.terminal(title, columns, [lines])


def findings(replay: Replay) -> list[str]:
    """Say what the default and others would have saved, and what that would have changed."""
    lines = [_default(replay), _others(replay), _conclusions(replay)]
    lines += [_asha(replay, asha, cuts) for asha, cuts in replay.cuts.items()]
    return list(filter(None, [*lines, _unknown(replay)]))


def _default(replay: Replay) -> str:
    own = replay.default
    most = sum(r.trial.n_batches - (r.blank_from or 0) for r in replay.runs if _collapsed(r))
    stopped = sum(r.trial.run_id in own.stops for r in replay.runs if r.complete)
    return (
        f"Of the {sum(r.complete for r in replay.runs)} complete runs to which the rule applies, "
        f"{own.collapsed} end collapsed; the default setting would have stopped {stopped}, "
        f"{len(own.wrong)} of them wrongly (they do not end collapsed) and {len(own.early)} early "
        "(they do, but come back at a validation in between), and saved "
        f"{own.share:.0%} of the collapsed runs' batches ({own.saved} of {own.configured}; "
        f"{most / own.configured:.0%} had every one been stopped at the batch from which it is "
        "blank to the end)."
    )


def _collapsed(run: Recorded) -> bool:
    return run.complete and run.blank_from is not None


def _others(replay: Replay) -> str:
    n, own = len(replay.verdicts), replay.default
    better = [o for o in replay.verdicts if _beats(o, own)]
    if not better:
        return (
            f"None of the other {n - 1} settings saves more without stopping more runs wrongly or "
            "early, or as much with fewer."
        )
    best = max(better, key=lambda o: (o.saved, -len(o.wrong)))
    setting = best.setting
    return (
        f"{len(better)} of the other {n - 1} settings do better; the most is saved with patience "
        f"{setting.patience}, certain {setting.certain:g}, blank {setting.blank:g}, grace share "
        f"{setting.grace:g}: {best.share:.0%}, {len(best.wrong)} wrongly stopped, "
        f"{len(best.early)} early."
    )


def _beats(one: Verdict, other: Verdict) -> bool:
    """Tell whether a setting is better than another.

    It is no worse in what it saves, stops wrongly and stops early, and better in one of them.
    """
    ones, others = ((-o.saved, len(o.wrong), len(o.early)) for o in (one, other))
    return ones != others and all(a <= b for a, b in zip(ones, others, strict=True))


def _conclusions(replay: Replay) -> str:
    sweep, stops = replay.sweep, replay.default.stops
    if not any(r.complete and r.trial.run_id in stops for r in replay.runs):
        return ""
    shift = effects.shifts(sweep, stops)[0]
    swaps = effects.swaps(sweep, stops)
    named = "; ".join(f"{' and '.join(s.rows)} ({s.set_name}, {_of(s.measure)})" for s in swaps)
    return (
        "Counting the runs that the default stops in the state in which it stops them moves no "
        f"row's mean by more than {abs(shift.change):.3f} ({shift.row} on {shift.set_name}, "
        f"{_of(shift.measure)} {shift.change:+.3f}); rows that change places: {named or 'none'}."
    )


def _of(measure: str) -> str:
    return MEASURE_LABELS[measure]


def _asha(replay: Replay, asha: Asha, cuts: dict[str, int]) -> str:
    sweep = replay.sweep
    trained = sum(t.n_batches for t in sweep.trials)
    saved = sum(t.n_batches - cuts[t.run_id] for t in sweep.trials if t.run_id in cuts)
    lost = effects.lost_rows(sweep, cuts)
    reference = [t.seed for t in sweep.of_row(REFERENCE_ROW) if t.run_id in cuts]
    rungs = ", ".join(f"{r:g}" for r in sorted(asha.rungs(max(t.n_batches for t in sweep.trials))))
    return (
        f"Plain ASHA (reduction factor {asha.reduction_factor:g}, rungs {rungs}; "
        f"{at_a_time(sweep.trials)} at a time) would have cut {len(cuts)} of {len(sweep.trials)} "
        f"runs and {saved / trained:.0%} of all batches; rows that lose every seed: "
        f"{', '.join(lost) or 'none'}; seeds of {REFERENCE_ROW} cut: "
        f"{', '.join(map(str, reference)) or 'none'}."
    )


def _unknown(replay: Replay) -> str:
    incomplete = [r.trial for r in replay.runs if not r.complete]
    if not incomplete:
        return ""
    reached = Spread.of(t.last_step / t.n_batches for t in incomplete).mean
    return (
        f"Not known: what {len(incomplete)} runs would have done after their curves end (on "
        f"average at {reached:.0%} of their batches). They count neither as collapsed nor as "
        "wrongly stopped, what settings that stop later would have done to them cannot be told, "
        "and ASHA sees them leave there. Replay a sweep that ran with --no-early-stop."
    )


FIGURE = SweepFigure("replay", __doc__, Replay.of, draw, numbers, findings, table=table)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
