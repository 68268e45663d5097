"""A sweep as it is run: written down at its start, so that it can be resumed from its name."""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, get_origin, get_type_hints

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.experiments.search import SearchPlan
from ssmpe.experiments.sweep import Trial

FORMAT = 3
FOLDER = "sweeps"
"""Folder below the results, with one for every sweep: its plan and the tracker's spool."""

_DAMAGES = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, UserError)
"""Errors that reading a plan may raise that is none."""


@dataclass(frozen=True)
class Plan:
    """Everything a resume needs.

    Attributes:
        name: of this sweep, unique among the results.
        script, question, preset: what it is a run of.
        data: the data in words.
        data_root: folder of the datasets, or URI of one.
        folders: the user's own, by name.
        storage: where checkpoints go.
        tracking_uri: the MLflow store.
        early_stop: whether collapsed trials are stopped.
        threads: CPU threads of a trial; part of what makes a resume exact.
        gpus_per_trial, concurrent: None: no limit of concurrency.
        trials: of a sweep; none of a search, whose trials follow from each other.
        search: None: of a sweep.
        diagnostics: batches from one measurement to the next; None: nothing is measured.
        command: with which it was begun; "" of sweeps of early versions.
        taken: identity of a trial -> run of the store that it is taken from, instead of trained.
    """

    name: str
    script: str
    question: str
    preset: str
    data: str
    data_root: str
    folders: dict[str, str]
    storage: str
    tracking_uri: str
    early_stop: bool
    threads: int
    gpus_per_trial: float
    concurrent: int | None
    trials: tuple[Trial, ...]
    command: str = ""
    taken: dict[str, str] = field(default_factory=dict)
    search: SearchPlan | None = None
    diagnostics: int | None = None

    @property
    def n_trials(self) -> int:
        return self.search.n_trials if self.search else len(self.trials)

    def save(self, results: Path) -> None:
        """Write the plan; refuses a name that is taken (UserError)."""
        folder = results / FOLDER / self.name
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise UserError(f"{folder}: a sweep of this name exists already") from None
        values = {"format": FORMAT, **asdict(self)}
        values["trials"] = [{"row": t.row, "config": t.config.to_dict()} for t in self.trials]
        if self.search:
            values["search"]["base"] = self.search.base.to_dict()
        partial = folder / "plan.json.partial"
        partial.write_text(json.dumps(values, indent=1))
        partial.replace(folder / "plan.json")

    @property
    def world(self) -> str | None:
        """Size of the embedded world that it was begun on, if it was."""
        found = re.match(r"embedded world \((\w+)\)", self.data)
        return found[1] if found else None

    def spool(self, results: Path) -> Path:
        """Return the folder of what has not yet reached the tracking server."""
        return results / FOLDER / self.name / "spool"

    def scratch(self, results: Path) -> Path:
        """Return the folder of Ray Tune's own files; errors are written there in full."""
        return results / FOLDER / self.name / "tune"

    @classmethod
    def load(cls, results: Path, name: str, script: str) -> "Plan":
        """Read the plan of a sweep of this script; UserError if there is none."""
        if not re.fullmatch(r"\w[\w.+-]*", name):
            raise UserError(f"--resume {name!r}: not a name of a sweep")
        path = results / FOLDER / name / "plan.json"
        if not path.is_file():
            known = sorted(p.parent.name for p in (results / FOLDER).glob("*/plan.json"))
            there = f"there are: {', '.join(known)}" if known else "there are none yet"
            raise UserError(f"--resume {name}: no such sweep below {results}; {there}")
        try:
            values: dict[str, Any] = json.loads(path.read_text())
            if values.pop("format") != FORMAT:
                raise ValueError("another format")
            trials = tuple(
                Trial(t["row"], TrialConfig.from_dict(t["config"])) for t in values.pop("trials")
            )
            search = values.pop("search", None)
            if search:
                search = SearchPlan(**{**search, "base": TrialConfig.from_dict(search["base"])})
            plan = cls(**values, trials=trials, search=search)
            _check_types(plan)
            if plan.name != name:  # it leads to folders
                raise ValueError(f"that of {plan.name!r:.80}")
        except _DAMAGES as error:
            raise UserError(f"{path}: not a usable plan of a sweep ({error})") from None
        if plan.script != script:
            raise UserError(f"--resume {name}: a sweep of sweeps/{plan.script}.py, not of {script}")
        return plan


def _check_types(plan: Plan) -> None:
    """Check the fields of a plan that was read; TypeError if one is of another type."""
    for name, hint in get_type_hints(Plan).items():
        kind = hint if isinstance(hint, UnionType) else get_origin(hint) or hint
        if not isinstance(getattr(plan, name), kind):
            raise TypeError(f"{name} is {getattr(plan, name)!r:.80}")
