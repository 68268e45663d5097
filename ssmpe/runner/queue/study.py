"""A search's study as Optuna stores it, in a SQLite file beside the MLflow store.

It is all the state that a search has: a trial belongs to the search from the moment at which its
configuration is written there, and is RUNNING until its end is written there, after MLflow has it.
A search that was killed goes on with what is RUNNING. So are trials that failed by no fault of
their own, with the reason beside them: Optuna ends a trial once and for all, and these are run
again when the search is resumed.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, OptunaError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.experiments.search import Direction
from ssmpe.experiments.sweep import Trial
from ssmpe.storage import tells_of_full_disk
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason

FILE = "optuna.db"
"""File below the results, with a study for every search."""
_DAMAGES = (
    SQLAlchemyError,
    OptunaError,
    UserError,
    ValueError,
    LookupError,
    TypeError,
    RecursionError,
)
LOCK_SECONDS = 60
"""Patience with another process that writes to the file."""

VALIDATIONS = "validations"
_CONFIG, _REPEATS = "config", "repeats"
"""Attributes of a trial in the study besides the tags of the tracking schema."""


@dataclass(frozen=True)
class Suggestion:
    """A trial of a search.

    Attributes:
        suggested: the space's parameters, by name.
        number: in the study.
    """

    trial: Trial
    suggested: Mapping[str, Any]
    number: int

    @classmethod
    def of(cls, stored: FrozenTrial) -> "Suggestion":
        config = TrialConfig.from_dict(stored.user_attrs[_CONFIG])
        return cls(Trial(f"#{stored.number}", config), stored.params, stored.number)


class Study:
    """A search's study, open; made if it is not there.

    Args:
        path: of the file.
        directions: of the objectives.
        names: of the objectives, as Optuna's dashboard shows them.
        question: of the search.
        start: parameters of the first suggestion.

    Attributes:
        left: trials that had not ended when it was opened.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        directions: Sequence[Direction],
        names: Sequence[str],
        question: str,
        start: Mapping[str, Any],
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with _damage_told(path):
            self._storage = optuna.storages.RDBStorage(
                f"sqlite:///{path}",
                engine_kwargs={"connect_args": {"timeout": LOCK_SECONDS}},
            )
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=name,
                directions=directions,
                load_if_exists=True,
            )
            if not self.all():
                self._study.set_user_attr(schema.QUESTION, question)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ExperimentalWarning)
                    self._study.set_metric_names(list(names))
                self._study.enqueue_trial(dict(start))
            self._take_up()

    def _take_up(self) -> None:
        """Find what an earlier process left, and clear what it left half done."""
        self._numbers = {Suggestion.of(t).trial.identity: t.number for t in self.own()}
        self.left = [Suggestion.of(t) for t in self.own() if t.state is TrialState.RUNNING]
        for suggestion in self.left:
            self.set(suggestion.trial, schema.END_REASON, "")
        for trial in self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            if _CONFIG not in trial.user_attrs:  # asked, and killed before it was answered
                self._study.tell(trial.number, state=TrialState.FAIL)

    def all(self) -> list[FrozenTrial]:
        """Return every trial, also those that repeat one or were cut short."""
        return self._study.get_trials(deepcopy=False)

    def own(self) -> list[FrozenTrial]:
        """Return the trials of the search."""
        return [t for t in self.all() if _CONFIG in t.user_attrs]

    def of(self, trial: Trial) -> FrozenTrial:
        return self.all()[self._numbers[trial.identity]]

    def set(self, trial: Trial, key: str, value: Any) -> None:
        """Write an attribute of a trial."""
        self._storage.set_trial_user_attr(self._id(trial), key, value)

    def set_intermediate(self, trial: Trial, batch: int, value: float) -> None:
        self._storage.set_trial_intermediate_value(self._id(trial), batch, value)

    def ask(self, sampler: optuna.samplers.BaseSampler) -> optuna.Trial:
        """Begin a new trial, which is no trial of the search until it is kept."""
        self._study.sampler = sampler
        return self._study.ask()

    def keep(self, asked: optuna.Trial, config: TrialConfig) -> Suggestion:
        """Make what was asked for a trial of the search."""
        asked.set_user_attr(_CONFIG, config.to_dict())
        self._numbers[config.identity] = asked.number
        return Suggestion.of(self._study.trials[asked.number])

    def repeat(self, asked: optuna.Trial, known: FrozenTrial) -> None:
        """Tell what was asked for the result of a trial with the same configuration."""
        asked.set_user_attr(_REPEATS, known.number)
        # what is not known yet, or has no value, is nothing to learn from
        done = known.state is TrialState.COMPLETE
        state = TrialState.COMPLETE if done else TrialState.FAIL
        self._study.tell(asked, known.values if done else None, state)

    def tell(
        self, trial: Trial, values: Sequence[float] | None = None, state: TrialState | None = None
    ) -> None:
        """End a trial of the search, once and for all."""
        self._study.tell(self._numbers[trial.identity], values, state)

    def _id(self, trial: Trial) -> int:
        study = self._storage.get_study_id_from_name(self._study.study_name)
        number = self._numbers[trial.identity]
        return self._storage.get_trial_id_from_study_id_trial_number(study, number)


def has_failed(trial: FrozenTrial) -> bool:
    """Tell whether it failed by no fault of its own: a resume runs it again."""
    reason = trial.user_attrs.get(schema.END_REASON)
    return trial.state is TrialState.RUNNING and reason == str(EndReason.FAILED)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Turn what comes of opening a file that is no study, or a damaged one, into one line."""
    try:
        yield
    except _DAMAGES as error:
        if tells_of_full_disk(error) or "database is locked" in str(error):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{path}: not a usable study of searches ({reason:.120}); move it away to begin anew"
        ) from error
