"""A sweep's recorded curves under every setting, sign and choice that is tried."""

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.replaying import asha
from analysis.replaying.asha import Asha
from analysis.replaying.checkpoints import Choices
from analysis.replaying.collapse import (
    DEFAULT,
    GRID,
    Recorded,
    Setting,
    Sign,
    Verdict,
    recorded,
    verdict,
)
from ssmpe.tracking.stored.records import StoredSweep

TITLES = {
    Sign.HALF: "by default",
    Sign.TUNED: "blank, tuned",
    Sign.CONTENT: "content lost",
    Sign.BOTH: "blank and lost",
}
"""Signs, as short as a panel's title"""


@dataclass(frozen=True)
class Rule:
    """A rule's name over its panel, and the runs it ends.

    Attributes:
        stops: run -> batch.
        verdict: on the stops; None of a rule that does not ask for a collapse.
    """

    title: str
    stops: Mapping[str, int]
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Replay:
    """A sweep's recorded curves under every setting.

    Attributes:
        verdicts: on settings of the collapse rule, in the order of ``GRID``.
        signs: on the signs of which there are curves, each with the default setting.
        cuts: by plain ASHA: setting -> run -> batch.
        choices: of the best checkpoint.
    """

    sweep: StoredSweep
    runs: tuple[Recorded, ...]
    verdicts: tuple[Verdict, ...]
    signs: tuple[Verdict, ...]
    cuts: dict[Asha, dict[str, int]]
    choices: Choices

    @classmethod
    def of(cls, sweep: StoredSweep) -> "Replay":
        """Try all settings on a sweep; UserError as ``recorded``."""
        runs = recorded(sweep)
        longest = max(t.n_batches for t in sweep.trials)

        def judged(setting: Setting, sign: Sign = Sign.HALF) -> Verdict:
            return verdict(runs, setting, longest, sign)

        return cls(
            sweep=sweep,
            runs=runs,
            verdicts=tuple(map(judged, GRID)),
            signs=tuple(judged(DEFAULT, s) for s in Sign if any(s in r.signs for r in runs)),
            cuts={setting: asha.cuts(sweep, setting) for setting in asha.SETTINGS},
            choices=Choices.of(sweep),
        )

    @property
    def default(self) -> Verdict:
        """The verdict on the runner's own setting."""
        return next(v for v in self.verdicts if v.setting == DEFAULT)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The runner's rule, the same by other signs, and plain ASHA's, to be drawn together."""
        signs = [Rule(f"collapse rule,\n{TITLES[v.sign]}", v.stops, v) for v in self.signs]
        ashas = [
            Rule(f"ASHA {a.reduction_factor:g}, from {a.grace:.0%}", cuts)
            for a, cuts in self.cuts.items()
        ]
        return (*signs, *ashas)

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
