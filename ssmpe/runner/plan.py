"""A sweep as it is run: written down at its start, so that it can be resumed from its name."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import UnionType
from typing import Any, get_origin, get_type_hints

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError
from ssmpe.experiments.options import MOST, OBJECTIVE_MODES
from ssmpe.experiments.search import Objective, SearchPlan
from ssmpe.experiments.sweep import Trial
from ssmpe.storage import is_uri
from ssmpe.tracking.sqlite import SQLITE

FORMAT = 3
FOLDER = "sweeps"
"""Folder below the results, with one for every sweep: its plan and the tracker's spool."""
EARLIER = {"storage": "checkpoints", "tracking_uri": "mlflow.db"}
"""Where a sweep of version 0.3.0, whose plan does not say it, has its places below the results."""

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
        code: digests of what its numbers depend on, by name; none of sweeps of version 0.3.0.
        made_by: "user" and "commit", as far as they are known.
        taken: identity of a trial -> run of the store that it is taken from, instead of trained.
        accepted: other code that those were made with, as tags of the sweep.
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
    accepted: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    made_by: dict[str, str] = field(default_factory=dict)
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
        values = {"format": FORMAT, "within": self._within(results), **asdict(self)}
        values["trials"] = [{"row": t.row, "config": t.config.to_dict()} for t in self.trials]
        if self.search:
            values["search"]["base"] = self.search.base.to_dict()
        partial = folder / "plan.json.partial"
        partial.write_text(json.dumps(values, indent=1))
        partial.replace(folder / "plan.json")

    def _within(self, results: Path) -> dict[str, str]:
        """Return which of its places lie below the results, and where there."""
        found = {}
        for name in EARLIER:
            path = _path_of(getattr(self, name))
            for folder in (results, results.resolve()):
                if path and path.is_relative_to(folder):
                    found[name] = path.relative_to(folder).as_posix()
        return found

    def _found(self, results: Path, within: dict[str, str] | None) -> "Plan":
        """Return the plan with the places below the results where these lie now.

        Args:
            within: of the plan that was read; None: of version 0.3.0, it has none.
        """
        if within is None:
            within = {
                name: place
                for name, place in EARLIER.items()
                if (path := _path_of(getattr(self, name)))
                and path.parts[-2:] == (results.name, place)
                and (results / place).exists()
            }
        storage, uri = self.storage, self.tracking_uri
        if "storage" in within:
            storage = str(results / within["storage"])
        if "tracking_uri" in within:
            options = "".join(uri.partition("?")[1:])
            uri = f"{SQLITE}{results.resolve() / within['tracking_uri']}{options}"
        return replace(self, storage=storage, tracking_uri=uri)

    @property
    def world(self) -> str | None:
        """Size of the embedded world that it was begun on, if it was."""
        found = re.match(r"embedded world \(([\w-]+)\)", self.data)
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
            os.fsencode(
                json.dumps(values, ensure_ascii=False)
            )  # what no file can be named is no text
            if values.pop("format") != FORMAT:
                raise ValueError("another format")
            trials = tuple(
                Trial(t["row"], TrialConfig.from_dict(t["config"])) for t in values.pop("trials")
            )
            within = values.pop("within", None)
            search = values.pop("search", None)
            if search:
                search["base"] = TrialConfig.from_dict(search["base"])
                judged = (Objective(**given) for given in search.get("objectives", ()))
                search = SearchPlan(**{**search, "objectives": tuple(judged)})
            plan = cls(**values, trials=trials, search=search)
            _check(plan)
            plan = plan._found(results, within)
            if plan.name != name:  # it leads to folders
                raise ValueError(f"that of {plan.name!r:.80}")
        except _DAMAGES as error:
            raise UserError(f"{path}: not a usable plan of a sweep ({error})") from None
        if plan.script != script:
            raise UserError(f"--resume {name}: a sweep of sweeps/{plan.script}.py, not of {script}")
        return plan


def _path_of(place: str) -> Path | None:
    """Return the absolute path of a folder or a SQLite file; None if it is neither."""
    path = Path(place.removeprefix(SQLITE).partition("?")[0])
    return path if path.is_absolute() and not is_uri(place.removeprefix(SQLITE)) else None


def _check(plan: Plan) -> None:
    """Check the fields of a plan that was read; TypeError or ValueError if one cannot be used."""
    for name, hint in get_type_hints(Plan).items():
        kind = hint if isinstance(hint, UnionType) else get_origin(hint) or hint
        if not isinstance(getattr(plan, name), kind):
            raise TypeError(f"{name} is {getattr(plan, name)!r:.80}")
    mappings = (plan.folders, plan.taken, plan.accepted, plan.code, plan.made_by)
    for text in (*(t.row for t in plan.trials), *_items(*mappings)):
        if not isinstance(text, str):
            raise TypeError(f"{text!r:.80} is no text")
    counts = {"threads": plan.threads, "concurrent": plan.concurrent, "every": plan.diagnostics}
    if plan.search:
        counts["trials"] = plan.search.n_trials
        if plan.search.objective not in OBJECTIVE_MODES:
            raise ValueError(f"objective is {plan.search.objective!r:.80}")
    for name, count in counts.items():
        if count is not None and (type(count) is not int or not 1 <= count <= MOST):
            raise ValueError(f"{name} is {count!s:.80}")
    if not 0 <= plan.gpus_per_trial <= MOST:
        raise ValueError(f"gpus_per_trial is {plan.gpus_per_trial}")
    if len({trial.identity for trial in plan.trials}) != len(plan.trials):
        raise ValueError("a trial is there twice")
    if bool(plan.trials) == bool(plan.search):
        raise ValueError("either trials or a search are needed")


def _items(*mappings: dict[str, str]) -> Iterator[str]:
    return (text for mapping in mappings for item in mapping.items() for text in item)
