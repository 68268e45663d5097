"""Runs the trials of a plan: a sweep's, generation by generation, or a search's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ray import tune
from rich.console import Console

from ssmpe.experiments.sweep import Trial
from ssmpe.runner import searching, tuner
from ssmpe.runner.callback import SweepCallback
from ssmpe.runner.cluster import excluded, nodes
from ssmpe.runner.cluster.resources import Share, Shares, memory
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning import parents
from ssmpe.runner.planning.provision import Prepared
from ssmpe.runner.queue.losses import Losses
from ssmpe.runner.queue.outcomes import Outcome, outcomes
from ssmpe.runner.queue.suggestions import Suggestions
from ssmpe.runner.trial.trainable import TrialTrainable
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.tracker import Tracker


@dataclass
class Runs:
    """Runs trials, and again those that deserve it.

    Attributes:
        folder: for Tune's own files.
        trainable: what runs a trial.
        mark: of the storage, by which nodes that join late are asked for it; "": they are not.
        asked: ids of the nodes that have been asked.
    """

    plan: Plan
    tracker: Tracker
    data: Prepared
    folder: Path
    console: Console
    trainable: type[tune.Trainable] = TrialTrainable
    mark: str = ""
    asked: tuple[str, ...] = field(default_factory=lambda: tuple(n.id for n in nodes.alive()))
    losses: Losses = field(default_factory=Losses)

    def __call__(self, trials: Sequence[Trial]) -> list[Outcome]:
        """Run trials to their ends; those that have none were interrupted.

        A trial whose process was lost, with its node say, goes on from its last checkpoint; one
        that a node could not run goes on elsewhere. One for which the memory was too small is run
        once more with a larger share.
        """
        share = self.share
        done = self._run(trials, share)
        while lost := [o for o in done.values() if self._goes_on(o)]:
            if not all(o.ended for o in done.values()):
                break
            done |= self._run([o.trial for o in lost], share)
        greedy = [o.trial for o in done.values() if o.out_of_memory]
        larger = share.larger(*memory(share, self.plan.concurrent)) if greedy else None
        if larger and all(o.ended for o in done.values()):
            self._say_once_more(greedy, larger)
            done |= self._run(greedy, larger)
        return list(done.values())

    @property
    def share(self) -> Share:
        """What a trial gets at first."""
        return Share(self.plan.threads, self.plan.gpus_per_trial)

    def search(self, suggestions: Suggestions) -> None:
        """Run what is left of a search; what was lost, or lacked memory, goes on as in a sweep."""
        usual = self.share

        def say(identity: str, larger: Share) -> None:
            trials = [t for t in suggestions.trials if t.identity == identity]
            self._say_once_more(trials, larger)

        shares = Shares(usual, lambda: usual.larger(*memory(usual, self.plan.concurrent)), say)
        searching.attach(suggestions, self.losses, shares)
        self._engine((), usual, suggestions)

    def _say_once_more(self, greedy: Sequence[Trial], larger: Share) -> None:
        names = ", ".join(trial.name for trial in greedy)
        text = f"out of memory: {names}: once more, with {larger}"
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def _run(self, trials: Sequence[Trial], share: Share) -> dict[str, Outcome]:
        grid = self._engine(trials, share)
        return {o.trial.identity: o for o in outcomes(grid, trials)}

    def _engine(
        self, trials: Sequence[Trial], share: Share, suggestions: Suggestions | None = None
    ) -> tune.ResultGrid:
        worker = tuner.worker_of(self.plan, self.data, share.gpus)
        worker = replace(worker, asked=self.asked, mark=self.mark)
        return tuner.run(self.plan, trials, worker, self.folder, share, suggestions, self.trainable)

    def _goes_on(self, outcome: Outcome) -> bool:
        elsewhere = outcome.declined and excluded.has_room(self.share)
        if not (outcome.lost or elsewhere):
            return False
        return self.losses.goes_on(outcome.trial.identity, outcome.batch)


def run_trials(runs: Runs, ended: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Run what has not ended, parents before what continues them: the state, and what failed."""
    waiting = [trial for trial in runs.plan.trials if trial.identity not in ended]
    completed = {key for key, reason in ended.items() if reason == EndReason.COMPLETED}
    failed: dict[str, str] = {}
    while waiting:
        trials, waiting = parents.first_generation(waiting)
        orphans = parents.orphans(runs.plan, trials, completed)
        for trial in trials:
            if trial.identity in orphans:
                failed[trial.name] = orphans[trial.identity]
                SweepCallback().fail(trial, orphans[trial.identity])
        trials = [trial for trial in trials if trial.identity not in orphans]
        if not trials:
            continue
        found = runs(trials)
        failed |= {o.trial.name: o.why for o in found if o.reason is EndReason.FAILED}
        completed |= {o.trial.identity for o in found if o.reason is EndReason.COMPLETED}
        unfinished = [o.trial for o in found if not o.ended]
        _mark_interrupted(unfinished, runs.tracker)
        if unfinished:
            return "interrupted", failed
    return "failed" if failed else "finished", failed


def run_search(runs: Runs, suggestions: Suggestions) -> tuple[str, dict[str, str]]:
    """Run what is left of a search: its state, and why trials failed, before a resume too."""
    if suggestions.n_left:
        runs.search(suggestions)
    _mark_interrupted(suggestions.running, runs.tracker)
    failed = suggestions.failed
    interrupted = suggestions.running or (suggestions.n_left and not suggestions.exhausted)
    return "interrupted" if interrupted else "failed" if failed else "finished", failed


def _mark_interrupted(trials: Sequence[Trial], tracker: Tracker) -> None:
    for trial in trials:
        if trial.identity in SweepCallback.started:
            tags = {schema.END_REASON: str(EndReason.INTERRUPTED)}
            tracker.end_trial(trial.identity, "KILLED", tags)
