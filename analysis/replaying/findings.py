"""What a replay says, in sentences with numbers."""

from analysis.drawing.style import MEASURE_LABELS
from analysis.numbers.statistics import Spread
from analysis.reading.records import REFERENCE_ROW
from analysis.replaying import effects as replay_effects
from analysis.replaying.asha import Asha, at_a_time
from analysis.replaying.collapse import Recorded, Verdict
from analysis.replaying.replayed import Replay


def summary(replay: Replay) -> str:
    """The findings, one per line."""
    lines = [_default(replay), _others(replay), _conclusions(replay)]
    lines += [_asha(replay, asha, cuts) for asha, cuts in replay.cuts.items()]
    lines.append(_unknown(replay))
    return "\n".join(line for line in lines if line)


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
    n, own = len(replay.outcomes), replay.default
    better = [o for o in replay.outcomes if _beats(o, own)]
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
    """Whether a setting is no worse than another in what it saves, stops wrongly and stops early,
    and better in one of them."""
    ones, others = ((-o.saved, len(o.wrong), len(o.early)) for o in (one, other))
    return ones != others and all(a <= b for a, b in zip(ones, others, strict=True))


def _conclusions(replay: Replay) -> str:
    sweep, stops = replay.sweep, replay.default.stops
    if not any(r.complete and r.trial.run_id in stops for r in replay.runs):
        return ""
    shift = replay_effects.shifts(sweep, stops)[0]
    swaps = replay_effects.swaps(sweep, stops)
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
    lost = replay_effects.lost_rows(sweep, cuts)
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
