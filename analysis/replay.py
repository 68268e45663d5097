"""What would other rules for stopping, and for the best checkpoint, have saved and cost?

python -m analysis.replay --sweep NAME
"""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from rich.table import Table

from analysis.answers.facts import WORDS, counted, listed, minus
from analysis.drawing import tables
from analysis.figure import SweepFigure
from analysis.numbers.statistics import Spread
from analysis.replaying import effects
from analysis.replaying.asha import Asha, at_a_time
from analysis.replaying.checkpoints import CHOICES, SCORED
from analysis.replaying.collapse import DEFAULT, Recorded, Verdict
from analysis.replaying.drawing import draw_checkpoints, draw_settings, draw_stops
from analysis.replaying.effects import FREE_MEASURES, Swap
from analysis.replaying.replayed import Replay
from ssmpe.tracking.stored.records import REFERENCE_ROW, StoredTrial


def draw(replay: Replay) -> dict[str, Figure]:
    """Draw what each setting saves at what price, which runs are stopped, and what is chosen."""
    figures = {
        "replay": draw_settings(replay.sweep, replay.verdicts),
        "replay_stops": draw_stops(replay.sweep, replay.rules),
    }
    if len(replay.choices.by) == len(CHOICES):
        figures["replay_checkpoints"] = draw_checkpoints(replay.choices)
    return figures


def numbers(replay: Replay) -> dict[str, tables.Frame]:
    """Return tables of the settings, of the signs, of the runs and of the best checkpoints."""
    return {
        "replay": _settings(replay),
        "replay_signs": _signs(replay),
        "replay_stops": _stops(replay),
        "replay_checkpoints": _checkpoints(replay),
    }


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


def _signs(replay: Replay) -> tables.Frame:
    """Return a line per sign by which the rule could stop a run."""
    return tables.frame(
        {
            "sign": str(v.sign),
            "stopped": len(v.stops),
            "wrongly_stopped": len(v.wrong),
            "stopped_early": len(v.early),
            "content_left": len(v.kept),
            "unknown": len(v.unknown),
            "so_at_the_end": v.collapsed,
            "spared_batches": v.spared,
            "spared_share": v.spared_share,
            "swaps": len(effects.swaps(replay.sweep, v.stops, FREE_MEASURES)),
        }
        for v in replay.signs
    )


def _checkpoints(replay: Replay) -> tables.Frame:
    """Return what every set scores at the best checkpoint of each run, by each choice."""
    return tables.frame(
        {
            "row": c.trial.row,
            "seed": c.trial.seed,
            "run": c.trial.run_id,
            "chosen_by": measure,
            "batch": c.batch,
            "set": set_name,
            **{m: c.score(set_name, m) for m in SCORED},
        }
        for measure, choices in replay.choices.by.items()
        for c in choices
        for set_name in replay.sweep.sets
    )


def _stops(replay: Replay) -> tables.Frame:
    """Return where each run ended, and where each rule would have ended it, if it would."""
    blank_from = {r.trial.run_id: r.lasts_from() for r in replay.runs if r.complete}
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
    lines += [_sign(replay, v) for v in replay.signs] if len(replay.signs) > 1 else []
    lines += _chosen(replay)
    lines += [_asha(replay, asha, cuts) for asha, cuts in replay.cuts.items()]
    return list(filter(None, [*lines, _unknown(replay)]))


def _default(replay: Replay) -> str:
    own = replay.default
    most = sum(r.trial.n_batches - (r.lasts_from() or 0) for r in replay.runs if _collapsed(r))
    stopped = sum(r.trial.run_id in own.stops for r in replay.runs if r.complete)
    said = (
        f"Of the {sum(r.complete for r in replay.runs)} complete runs to which the rule applies, "
        f"{own.collapsed} end collapsed at a salience of 0.5; the default setting would have "
        f"stopped {stopped}, {len(own.wrong)} of them wrongly (they do not end collapsed) and "
        f"{len(own.early)} early (they do, but come back at a validation in between)"
    )
    if not own.configured:
        return f"{said}."
    return (
        f"{said}, and saved {own.share:.0%} of the collapsed runs' batches ({own.saved} of "
        f"{own.configured}; "
        f"{most / own.configured:.0%} had every one been stopped at the batch from which it is "
        "blank to the end)."
    )


def _collapsed(run: Recorded) -> bool:
    return run.complete and run.lasts_from() is not None


def _others(replay: Replay) -> str:
    n, own = len(replay.verdicts), replay.default
    if not own.collapsed:
        return ""
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
    return (
        "Counting the runs that the default stops in the state in which it stops them moves no "
        f"row's mean by more than {abs(shift.change):.3f} ({shift.row} on {shift.set_name}, "
        f"{WORDS[shift.measure]} {shift.change:+.3f}); rows that change places: {_named(swaps)}."
    )


def _named(swaps: Sequence[Swap]) -> str:
    named = (f"{' and '.join(s.rows)} ({s.set_name}, {WORDS[s.measure]})" for s in swaps)
    return "; ".join(named) or "none"


def _sign(replay: Replay, v: Verdict) -> str:
    """Say what the default setting would have done, had it gone by a sign."""
    known = {t.run_id for t in (*v.right, *v.wrong)}
    stopped = [t for t in replay.sweep.trials if t.run_id in known]
    if not stopped:
        return f"By the sign “{v.sign}” none of the complete runs would have been stopped."
    swaps = effects.swaps(replay.sweep, v.stops, FREE_MEASURES)
    return (
        f"By the sign “{v.sign}” {counted(len(stopped), 'complete run')} would have been stopped "
        f"({_runs(stopped, v.stops)}), which spares {v.spared} of {v.trained} batches "
        f"({v.spared_share:.0%}); wrongly, for it comes back: {_runs(v.wrong, v.stops)}; with "
        f"its content left at the end: {_runs(v.kept, v.stops)}; rows that change places in tuned "
        f"F1 or average precision: {_named(swaps)}."
    )


def _runs(trials: Sequence[StoredTrial], stops: Mapping[str, int]) -> str:
    return listed([f"{t.row} seed {t.seed} at {stops[t.run_id]}" for t in trials])


def _chosen(replay: Replay) -> list[str]:
    """Say what other choices of the best checkpoint change against that by F1 at one half."""
    choices, sweep = replay.choices, replay.sweep
    if set(choices.by) != set(CHOICES):
        return [
            "Of other choices of the best checkpoint, and other signs of a collapse, nothing is "
            "known: the store has scores at a salience of 0.5 alone."
        ] * (len(replay.signs) == 1)
    usual, lines = choices.by["f1"], []
    for measure in FREE_MEASURES:
        chosen = choices.by[measure]
        moved = [(a, b) for a, b in zip(usual, chosen, strict=True) if a.batch != b.batch]
        changes = []
        for set_name in sweep.sets:
            scores = ([c.score(set_name, "f1_tuned") for c in pair] for pair in moved)
            if (gain := Spread.of(after - before for before, after in scores)).n:
                changes.append(
                    minus(f"{gain.mean:+.3f} on {set_name} ({gain.low:+.3f} to {gain.high:+.3f})")
                )
        said = f"; there, tuned F1 changes by {listed(changes)}" if changes else ""
        lines.append(
            f"Chosen by {WORDS[measure]} on {sweep.validation} instead of {WORDS['f1']}, the best "
            f"checkpoint is that of another batch in {len(moved)} of "
            f"{counted(len(usual), 'run')}{said}."
        )
    return lines


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
