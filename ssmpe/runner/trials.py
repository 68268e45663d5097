"""Runs the trials of a plan: a sweep's, generation by generation, or a search's."""

from collections.abc import Mapping, Sequence

from ssmpe.runner import engine, parents
from ssmpe.runner.callbacks import SweepCallback
from ssmpe.runner.plan import Plan
from ssmpe.runner.provision import Prepared
from ssmpe.runner.suggestions import Suggestions
from ssmpe.sweep import Trial
from ssmpe.tracking import schema
from ssmpe.tracking.tracker import Tracker


def run_trials(
    plan: Plan, ended: Mapping[str, str], tracker: Tracker, data: Prepared
) -> tuple[str, dict[str, str]]:
    """Run what has not ended, parents before what continues them: the state, and what failed."""
    waiting = [trial for trial in plan.trials if trial.identity not in ended]
    completed = {key for key, reason in ended.items() if reason == schema.EndReason.COMPLETED}
    failed: dict[str, str] = {}
    while waiting:
        trials, waiting = parents.first_generation(waiting)
        orphans = parents.orphans(plan, trials, completed)
        for trial in trials:
            if trial.identity in orphans:
                failed[trial.name] = orphans[trial.identity]
                SweepCallback().fail(trial, orphans[trial.identity])
        trials = [trial for trial in trials if trial.identity not in orphans]
        if not trials:
            continue
        grid = engine.run(plan, trials, data)
        failed |= engine.failures(grid, trials)
        completed |= engine.completed(grid, trials)
        unfinished = engine.unfinished(grid, trials)
        _mark_interrupted(unfinished, tracker)
        if unfinished:
            return "interrupted", failed
    return "failed" if failed else "finished", failed


def run_search(
    plan: Plan, suggestions: Suggestions, tracker: Tracker, data: Prepared
) -> tuple[str, dict[str, str]]:
    """Run what is left of a search: its state, and why trials failed, in earlier attempts too."""
    if suggestions.n_left:
        engine.run(plan, (), data, suggestions)
    _mark_interrupted(suggestions.running, tracker)
    failed = suggestions.failed
    interrupted = suggestions.running or (suggestions.n_left and not suggestions.exhausted)
    return "interrupted" if interrupted else "failed" if failed else "finished", failed


def _mark_interrupted(trials: Sequence[Trial], tracker: Tracker) -> None:
    for trial in trials:
        if trial.identity in SweepCallback.started:
            tags = {schema.END_REASON: str(schema.EndReason.INTERRUPTED)}
            tracker.end_trial(trial.identity, "KILLED", tags)
