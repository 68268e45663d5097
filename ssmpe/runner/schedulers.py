"""ASHA for sweeps, where it stops what collapses, and for searches, where it compares trials."""

import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from ssmpe.experiments.search import Objective, Point
from ssmpe.runner.trial import reports
from ssmpe.runner.trial.reports import trial_of

GRACE_SHARE = 0.4
"""Share of a trial's batches at which the first rung is. Trials come alive after a fifth to seven
tenths of the preset tiny's batches, and their scores say little before."""
REDUCTION = 1.5
"""Ratio of one rung to the next; a trial goes on if it is among the best 1 / 1.5 of those there."""


class CollapseASHA(AsyncHyperBandScheduler):
    """Stops a trial only if its own curve says that it is collapsing.

    Plain ASHA ruins an ablation: it compares rows that are meant to differ, and what it keeps
    depends on the order of arrival. Here every report from the first rung on is a rung, and the
    decision rests on that report alone: it is the same in every run of a sweep, and after a
    resume.

    Args:
        n_batches: length of a trial.
        grace_batches: first rung.
        spared: identities of trials that run to their end, whatever becomes of them.
    """

    def __init__(self, n_batches: int, grace_batches: int, spared: Collection[str] = ()) -> None:
        super().__init__(
            time_attr=reports.BATCH,
            metric=reports.OBJECTIVE,
            mode="max",
            max_t=n_batches,
            grace_period=grace_batches,
        )
        self._grace_batches, self._spared = grace_batches, spared

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """STOP from the first rung on if the trial is collapsing, else CONTINUE."""
        # the parent's verdict is discarded, its book-keeping is not
        super().on_trial_result(tune_controller, trial, result)
        judged = result[reports.BATCH] >= self._grace_batches and result[reports.COLLAPSING]
        spared = self._spared and trial_of(trial).identity in self._spared
        if judged and not spared:
            return str(TrialScheduler.STOP)
        return str(TrialScheduler.CONTINUE)


class SearchASHA(AsyncHyperBandScheduler):
    """Stops a trial whose score is behind at a rung, or which is collapsing.

    Every run starts blank. One whose labelled set is still blank at the first rung has no score
    yet: it is neither judged nor counted there. At later rungs it is.

    The score is that of ``ssmpe.experiments.search.score``, also where the search looks for a
    front: what is maximised minus what is minimised.

    Args:
        n_batches: length of a trial.
        objectives: of the search.
        past: identity -> validations of earlier attempts, by which the rungs are filled again.
        running: identities among them that have not ended.
    """

    def __init__(
        self,
        n_batches: int,
        objectives: Sequence[Objective],
        past: Mapping[str, Sequence[Point]],
        running: Collection[str],
    ) -> None:
        self._objectives = tuple(objectives)
        self._first_rung = max(1, round(GRACE_SHARE * n_batches))
        super().__init__(
            time_attr=reports.BATCH,
            metric=reports.OBJECTIVE,  # in every report; what is judged is put in its place
            mode="max",
            max_t=n_batches,
            grace_period=self._first_rung,
            reduction_factor=REDUCTION,
            # with True, a resumed trial would be compared at rungs that it passed long ago
            stop_last_trials=False,
        )
        self._past = dict(past)
        for identity in past:
            super().on_trial_add(None, SimpleNamespace(trial_id=identity))
            if identity not in running:
                self._replay(identity, n_batches + 1)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Add a trial by its identity, which it keeps from attempt to attempt."""
        super().on_trial_add(tune_controller, _by_identity(trial))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """STOP a trial that is behind, or that is collapsing, else CONTINUE."""
        known = _by_identity(trial)
        self._replay(known.trial_id, result[reports.BATCH])
        prefix = f"{reports.METRICS}/"
        metrics = {k.removeprefix(prefix): v for k, v in result.items() if k.startswith(prefix)}
        planned = trial_of(trial)
        point = Point.of(planned.config, self._objectives, result[reports.BATCH], metrics)
        if point is None:
            return str(TrialScheduler.CONTINUE)
        if point.batch >= self._first_rung and result.get(reports.COLLAPSING):
            return str(TrialScheduler.STOP)
        return self._judge(known, point)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Nothing: its last report has been judged."""

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Nothing: what it has reported stays in the rungs."""

    def _replay(self, identity: str, stop: int) -> None:
        """Fill the rungs with a trial's validations before batch ``stop``; once."""
        for point in self._past.pop(identity, ()):
            if point.batch < stop:
                self._judge(SimpleNamespace(trial_id=identity), point)

    def _judge(self, known: SimpleNamespace, point: Point) -> str:
        early = point.batch < self._first_rung * REDUCTION
        # NaN is behind nobody, and left out of what others are compared with
        score = math.nan if early and not point.started else point.score
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # nobody has started yet
            result = {reports.BATCH: point.batch, reports.OBJECTIVE: score}
            return str(super().on_trial_result(None, known, result))


def _by_identity(trial: Any) -> SimpleNamespace:
    return SimpleNamespace(trial_id=trial_of(trial).identity)
