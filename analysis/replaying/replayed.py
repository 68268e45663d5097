"""A sweep's recorded curves under every setting that is tried."""

from dataclasses import dataclass

from analysis.reading.records import StoredSweep
from analysis.replaying import asha as replay_asha
from analysis.replaying.asha import Asha
from analysis.replaying.collapse import DEFAULT, GRID, Recorded, Verdict, outcome, recorded


@dataclass(frozen=True)
class Replay:
    """A sweep's recorded curves under every setting.

    Attributes:
        outcomes: of the collapse rule, in the order of ``GRID``.
        cuts: by plain ASHA: setting -> run -> batch.
    """

    sweep: StoredSweep
    runs: tuple[Recorded, ...]
    outcomes: tuple[Verdict, ...]
    cuts: dict[Asha, dict[str, int]]

    @classmethod
    def of(cls, sweep: StoredSweep) -> "Replay":
        """UserError as ``replay_collapse.recorded``."""
        runs = recorded(sweep)
        longest = max(t.n_batches for t in sweep.trials)
        outcomes = tuple(outcome(runs, setting, longest) for setting in GRID)
        cuts = {asha: replay_asha.cuts(sweep, asha) for asha in replay_asha.SETTINGS}
        return cls(sweep, runs, outcomes, cuts)

    @property
    def default(self) -> Verdict:
        """That of the runner's own setting."""
        return next(o for o in self.outcomes if o.setting == DEFAULT)

    @property
    def best(self) -> tuple[Verdict, ...]:
        """Of each number of wrongly stopped runs, the most saved with no more of them; fewest
        wrong ones first. Where the default does as well as others, it stands for them."""
        order = sorted(self.outcomes, key=lambda o: (len(o.wrong), -o.saved, o.setting != DEFAULT))
        found: list[Verdict] = []
        for candidate in order:
            if not found or candidate.saved > found[-1].saved:
                found.append(candidate)
        return tuple(found)
