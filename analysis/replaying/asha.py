"""Recorded curves under plain ASHA, which compares rows with each other."""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log

import numpy as np

from ssmpe.evaluation import collapse
from ssmpe.tracking import schema
from ssmpe.tracking.stored.records import StoredSweep, StoredTrial

FIRST_RUNG = 0.3
"""Share of a trial's batches at which plain ASHA begins to judge: most are alive by then"""


@dataclass(frozen=True)
class Asha:
    """Asynchronous successive halving by F1 on the validation set.

    As Ray Tune's ``AsyncHyperBandScheduler`` with one bracket does it.

    Attributes:
        reduction_factor: of the runs that reach a rung, one in so many shall go on.
        grace: share of a trial's batches at the first rung.
    """

    reduction_factor: float
    grace: float = FIRST_RUNG

    def rungs(self, n_batches: int) -> tuple[float, ...]:
        """Return the batches of the rungs, the highest first."""
        first = collapse.grace_batches(n_batches, self.grace)
        count = int(log(n_batches / first) / log(self.reduction_factor) + 1)
        return tuple(first * self.reduction_factor**k for k in reversed(range(count)))


SETTINGS = tuple(Asha(factor, grace) for grace in (FIRST_RUNG, 0.1) for factor in (2, 4))


@dataclass
class Rungs:
    """Scores that runs had when they reached each rung."""

    asha: Asha
    n_batches: int
    scores: dict[float, dict[str, float]] = field(init=False)

    def __post_init__(self) -> None:
        self.scores = {rung: {} for rung in self.asha.rungs(self.n_batches)}

    def cuts(self, run: str, batch: int, score: float) -> bool:
        """Tell whether a run ends with this report, by scores that reached its rung before it."""
        if batch >= self.n_batches:
            return False  # it has come to its end by itself
        for rung, reached in self.scores.items():
            if batch >= rung and run not in reached:
                share = 100 * (1 - 1 / self.asha.reduction_factor)
                cut = bool(reached and score < np.nanpercentile(list(reached.values()), share))
                reached[run] = score
                return cut
        return False


def cuts(sweep: StoredSweep, asha: Asha) -> dict[str, int]:
    """Return run -> batch at which it would have been cut, for those that would.

    Simulated with the recorded times: runs start in the recorded order, as many beside each other
    as there were; each takes as long as it took; the next takes the place of one that is cut. A
    run whose curve ends early (because it was stopped) leaves at its end.
    """
    learning = [t for t in sweep.trials if t.learns]  # of the others, nothing could be spared
    waiting = deque(sorted(learning, key=lambda t: t.started))
    rungs = Rungs(asha, max(t.n_batches for t in sweep.trials))
    found: dict[str, int] = {}
    # time of the next report, number of the run (for ties), its reports to come
    agenda: list[tuple[float, int, StoredTrial, deque[tuple[float, int, float]]]] = []
    free, now, number = at_a_time(sweep.trials), 0.0, 0
    while waiting or agenda:
        while waiting and free:
            trial = waiting.popleft()
            if reports := _reports(trial, sweep.validation):
                heapq.heappush(agenda, (now + reports[0][0], number, trial, reports))
                number, free = number + 1, free - 1
        if not agenda:
            continue
        now, turn, trial, reports = heapq.heappop(agenda)
        _, batch, score = reports.popleft()
        if rungs.cuts(trial.run_id, batch, score):
            found[trial.run_id] = batch
            reports.clear()
        if reports:
            heapq.heappush(agenda, (now + reports[0][0], turn, trial, reports))
        else:
            free += 1
    return found


def at_a_time(trials: Sequence[StoredTrial]) -> int:
    """Return how many runs ran beside each other: the most under way in the middle of one."""
    spans = [(t.started, t.started + t.seconds) for t in trials if t.seconds > 0]
    middles = [(begin + end) / 2 for begin, end in spans]
    return max((sum(b <= m <= e for b, e in spans) for m in middles), default=1)


def _reports(trial: StoredTrial, validation: str) -> deque[tuple[float, int, float]]:
    """Return of every validation: seconds since the one before it (or the start), batch, F1."""
    f1 = trial.curve(validation, "f1")
    if f1 is None:
        return deque()
    times = [trial.curves.get(m) for m in (schema.TRAIN_SECONDS, schema.EVALUATION_SECONDS)]
    took = [sum(c.at(int(b)) for c in times if c) for b in f1.steps]
    if trial.seconds > sum(took):  # what is left is taken to be its start
        took[0] += trial.seconds - sum(took)
    return deque(zip(took, f1.steps.tolist(), f1.values.tolist(), strict=True))
