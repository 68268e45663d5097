"""Which pseudo-labels of added music harm labelled music least, and leave least of it blank?

Optuna's TPE looks among those by rank for a high average precision on the labelled kind's
validation set, and a low blank rate on the added set at the threshold tuned there, for which no
annotation is needed. Row +MN-8+truth+signal of remedies.py comes first. Test sets choose nothing,
and are not even scored.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ssmpe.cli import search
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import RANKED, SIGNAL_WEIGHT, TEACHER_MEMORY, TRUTH, added, teacher
from ssmpe.experiments.search import maximise, minimise, watched
from ssmpe.experiments.sweep import Delta

if TYPE_CHECKING:
    import optuna

START = {"ones": RANKED["objectives.pseudo_labels.ones"], "doubtful": 2.0}
START |= {"signal": SIGNAL_WEIGHT, "memory": TEACHER_MEMORY, "strength": 1.0, "added_ratio": 2.0}


def space(trial: "optuna.Trial", base: TrialConfig) -> Iterable[Delta]:
    """Suggest pseudo-labels by rank; numbers of peaks are in units of the labelled pitches."""
    ones = trial.suggest_float("ones", 0.4, 1.2, step=0.1)
    doubtful = max(ones, trial.suggest_float("doubtful", 1.0, 4.0, step=0.5))
    signal = trial.suggest_float("signal", 10.0, 160.0, log=True)
    labels = {"ones": ones, "doubtful": doubtful, "signal": signal}
    yield Delta("", {f"objectives.pseudo_labels.{name}": x for name, x in labels.items()})
    yield teacher(base, trial.suggest_float("memory", 0.01, 0.2, log=True))
    strength = {"objectives.view_strength": trial.suggest_float("strength", 0.5, 1.5, step=0.25)}
    yield Delta("", strength)
    yield added(base, watched(base), trial.suggest_float("added_ratio", 0.5, 3.0, step=0.25))


SWEEP = search(
    space,
    common=lambda base: [TRUTH, Delta("", {"data.evaluation": ["MusicNet/train"]})],
    objectives=lambda c: (
        maximise(f"{c.data.validation}/average_precision"),
        minimise(f"{watched(c)}/blank_rate_tuned"),
    ),
    start=START,
    n_trials=16,
    scientific=("data.added", "objectives"),
)
