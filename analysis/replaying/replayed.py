"""A sweep's recorded curves under every setting that is tried."""

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.reading.records import StoredSweep
from analysis.replaying import asha
from analysis.replaying.asha import Asha
from analysis.replaying.collapse import DEFAULT, GRID, Recorded, Verdict, recorded, verdict


@dataclass(frozen=True)
class Rule:
    """A rule's name over its panel, and the runs it ends.

    Attributes:
        stops: run -> batch.
        judgement: run -> whether the stop was right; runs of which nothing can be said missing.
            None of a rule that does not ask for a collapse.
    """

    title: str
    stops: Mapping[str, int]
    judgement: Mapping[str, bool] | None = None


@dataclass(frozen=True)
class Replay:
    """A sweep's recorded curves under every setting.

    Attributes:
        verdicts: on settings of the collapse rule, in the order of ``GRID``.
        cuts: by plain ASHA: setting -> run -> batch.
    """

    sweep: StoredSweep
    runs: tuple[Recorded, ...]
    verdicts: tuple[Verdict, ...]
    cuts: dict[Asha, dict[str, int]]

    @classmethod
    def of(cls, sweep: StoredSweep) -> "Replay":
        """Try all settings on a sweep; UserError as ``recorded``."""
        runs = recorded(sweep)
        longest = max(t.n_batches for t in sweep.trials)
        verdicts = tuple(verdict(runs, setting, longest) for setting in GRID)
        cuts = {setting: asha.cuts(sweep, setting) for setting in asha.SETTINGS}
        return cls(sweep, runs, verdicts, cuts)

    @property
    def default(self) -> Verdict:
        """The verdict on the runner's own setting."""
        return next(v for v in self.verdicts if v.setting == DEFAULT)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The runner's rule and plain ASHA's, to be drawn beside each other."""
        own = self.default
        wrong = {t.run_id for t in own.wrong}
        judged = {r.trial.run_id: r.trial.run_id not in wrong for r in self.runs if r.complete}
        ashas = [
            Rule(f"ASHA, factor {a.reduction_factor:g},\nfrom {a.grace:.0%} on", cuts)
            for a, cuts in self.cuts.items()
        ]
        return (Rule("collapse rule,\nby default", own.stops, judged), *ashas)

    @property
    def best(self) -> tuple[Verdict, ...]:
        """Of each number of wrongly stopped runs, the most saved with no more of them.

        Fewest wrong ones first. Where the default does as well as others, it stands for them.
        """
        order = sorted(self.verdicts, key=lambda v: (len(v.wrong), -v.saved, v.setting != DEFAULT))
        found: list[Verdict] = []
        for candidate in order:
            if not found or candidate.saved > found[-1].saved:
                found.append(candidate)
        return tuple(found)
