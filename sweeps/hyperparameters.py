"""Which weights, rates and counts keep added music from going blank without losing score?

Optuna's TPE looks for a high F1 on the labelled kind's validation set, at the threshold that is
best there, and a low blank rate at that threshold on the added training set itself, for which no
annotation is needed: the front of both, or (``--objective score``) their difference, by which ASHA
prunes. +MN-16 comes first. Test sets choose nothing, and are not even scored.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ssmpe.cli import search
from ssmpe.config import TrialConfig
from ssmpe.experiments.deltas import added, energy, self_supervised_scaled, sparsity
from ssmpe.experiments.search import maximise, minimise, watched
from ssmpe.experiments.sweep import Delta

if TYPE_CHECKING:
    import optuna

FACTORS = [0.0, 0.1, 0.3, 1.0]
START = {"self_supervised": 1.0, "added_ratio": 2.0, "energy": 0.0, "sparsity": 0.0}
START |= {"stop_gradient": False, "learning_rate": 1.0, "decoder_lr_factor": 0.5}


def space(trial: "optuna.Trial", base: TrialConfig) -> Iterable[Delta]:
    """Suggest changes; weights and rates are factors on those of the preset."""
    yield self_supervised_scaled(base, trial.suggest_float("self_supervised", 0.1, 2.0, log=True))
    yield added(base, watched(base), trial.suggest_float("added_ratio", 0.5, 2.0, step=0.25))
    yield energy(base, trial.suggest_categorical("energy", FACTORS))
    yield sparsity(base, trial.suggest_categorical("sparsity", FACTORS))
    rate = trial.suggest_float("learning_rate", 0.3, 3.0, log=True) * base.training.learning_rate
    decoder = trial.suggest_float("decoder_lr_factor", 0.1, 1.0, log=True)
    yield Delta("", {"training.learning_rate": rate, "training.decoder_lr_factor": decoder})
    stop = trial.suggest_categorical("stop_gradient", [False, True])
    yield Delta("", {"objectives.stop_gradient": stop})


SWEEP = search(
    space,
    common=lambda base: [Delta("", {"data.evaluation": ["MusicNet/train"]})],
    objectives=lambda c: (
        maximise(f"{c.data.validation}/f1_tuned"),
        minimise(f"{watched(c)}/blank_rate_tuned"),
    ),
    start=START,
    n_trials=16,
    scientific=("data.added", "objectives", "training"),
)
