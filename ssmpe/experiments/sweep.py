"""Sweeps: a question, a table of rows, and the trials that follow from them."""

import difflib
import fnmatch
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ssmpe.config import TrialConfig
from ssmpe.errors import UserError


@dataclass(frozen=True)
class Delta:
    """A named change of a configuration: dotted path -> new value.

    Attributes:
        relative: whether the new values are made of the base's own there, as half of its batches:
            what is ``--set`` there has gone into them already, and does not replace them.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    relative: bool = False


@dataclass(frozen=True)
class Row:
    """A row of an experiment table: deltas applied one after the other to a configuration.

    Attributes:
        continues: the row from whose best weights, seed by seed, it starts; None: random ones.
    """

    name: str
    deltas: tuple[Delta, ...]
    continues: "Row | None" = None

    def apply(self, base: TrialConfig) -> TrialConfig:
        for delta in self.deltas:
            base = base.replace(delta.changes)
        return base

    def trial(self, base: TrialConfig, changes: Mapping[str, Any]) -> TrialConfig:
        """Return the configuration of a trial: that of the row, changed, with its parent.

        Args:
            base: of which the row was made; it has the changes already.
            changes: what is ``--set``; wins over all that the row sets but for what is relative.

        Raises:
            UserError: the weights of the row that it continues do not fit, or it continues none and
                has a teacher that stays as it is.
        """
        relative = [path for d in self.deltas if d.relative for path in d.changes]
        again = {k: v for k, v in changes.items() if not any(_meet(k, path) for path in relative)}
        config = self.apply(base).replace(again)
        if self.continues is None:
            if config.objectives.teacher_decay == 1:
                raise UserError(
                    f"row {self.name!r}: objectives.teacher_decay = 1 is for rows that continue "
                    "another, whose weights the teacher keeps"
                )
            return config
        parent = self.continues.trial(base, changes)
        if (config.geometry, config.model) != (parent.geometry, parent.model):
            raise UserError(
                f"row {self.name!r} cannot continue {self.continues.name!r}: geometry and model "
                "must be the same"
            )
        return config.replace({"training.parent": parent.identity})


def _meet(one: str, other: str) -> bool:
    """Tell whether two dotted paths are the same, or one a group that the other is in."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def row(*deltas: Delta, continues: Row | None = None) -> Row:
    """Return a row named after its deltas, as "+MN-16+EG"; some have no name."""
    return Row("".join(delta.name for delta in deltas), deltas, continues)


@dataclass(frozen=True)
class Trial:
    """One run of a sweep: a row with a seed."""

    row: str
    config: TrialConfig

    @property
    def seed(self) -> int:
        return self.config.training.seed

    @property
    def identity(self) -> str:
        return self.config.identity

    @property
    def name(self) -> str:
        """What is shown of it: "+MN-4 seed 0"."""
        return f"{self.row} seed {self.seed}"


@dataclass(frozen=True)
class Overview:
    """What a dry run shows of an experiment.

    Attributes:
        columns, rows: a table.
        lines: what stands below it.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sweep:
    """An experiment.

    Attributes:
        name: of its file under ``sweeps/``.
        question: what it answers, one line.
        rows: the experiment table at a scale.
        default_rows: patterns of the rows that run unless others are asked for.
        scientific, nuisance: dotted paths that the rows vary, or that should be tuned per row;
            everything else is fixed.
    """

    name: str
    question: str
    rows: Callable[[TrialConfig], Sequence[Row]]
    default_rows: tuple[str, ...] = ("*",)
    scientific: tuple[str, ...] = ()
    nuisance: tuple[str, ...] = ()

    def select(self, base: TrialConfig, patterns: Sequence[str] = ()) -> list[Row]:
        """Return rows whose names match one of a shell's patterns, in the table's order.

        Raises:
            UserError: a pattern matches none; names the rows there are.
        """
        rows = list(self.rows(base))
        for one in rows:
            if not isinstance(one, Row):
                raise UserError(f"sweep {self.name!r}: its rows have {one!r:.80}, which is no Row")
        if not rows:
            raise UserError(f"sweep {self.name!r}: its table has no rows")
        names = [r.name for r in rows]
        patterns = tuple(patterns) or self.default_rows
        for pattern in patterns:
            if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
                close = difflib.get_close_matches(pattern, names, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise UserError(f"no row {pattern!r}{hint} (rows: {', '.join(names)})")
        return [r for r in rows if any(fnmatch.fnmatchcase(r.name, p) for p in patterns)]

    def trials(
        self,
        base: TrialConfig,
        seeds: Iterable[int],
        patterns: Sequence[str] = (),
        overrides: Mapping[str, Any] | None = None,
    ) -> list[Trial]:
        """Return one trial for every seed and row.

        Seeds are outermost, so that an early end leaves whole tables. Rows are made of the base
        with the overrides, which also win over what a row sets (but see ``Delta``).

        Rows that a selected one continues come along: it cannot start without them.
        """
        changes = dict(overrides or {})
        if "training.seed" in changes:
            raise UserError("training.seed cannot be --set: give --seeds")
        if "training.parent" in changes:
            raise UserError("training.parent cannot be --set: a row says which row it continues")
        base = base.replace(changes)
        rows = _with_continued(self.select(base, patterns))
        trials = [
            Trial(r.name, r.trial(base, {**changes, "training.seed": seed}))
            for seed in seeds
            for r in rows
        ]
        self._require_distinct(trials)
        return trials

    @property
    def search(self) -> None:
        """No search: the trials are known before they run."""

    def add_options(self, parser: ArgumentParser) -> None:
        """Add options to those of all sweeps: none."""

    def plan(
        self,
        preset: TrialConfig,
        seeds: Iterable[int],
        overrides: Mapping[str, Any],
        n_trials: int | None,
        objective: str,
    ) -> None:
        """Return what a search's trials follow from: nothing, for a sweep lists them."""

    def overview(self, trials: Sequence[Trial], preset: TrialConfig, plan: Any) -> Overview:
        """Return how the rows of trials differ from the preset; what they share is told once."""
        names = {trial.identity: trial.row for trial in trials}
        found: dict[str, dict[str, Any]] = {}
        for trial in {t.row: t for t in trials}.values():
            changes = found[trial.row] = differences(trial.config, preset)
            changes.pop("training.seed", None)
            if parent := changes.pop("training.parent", None):
                found[trial.row] = {"continues": names[parent], **changes}
        first, *others = found.values()
        shared = [
            k for k, v in first.items() if others and all(k in o and o[k] == v for o in others)
        ]
        table = [
            (name, _told({k: v for k, v in changes.items() if k not in shared}))
            for name, changes in found.items()
        ]
        lines = (f"all of them: {_told({k: first[k] for k in shared})}",) if shared else ()
        return Overview(("row", "differs from the preset in"), tuple(table), lines)

    @staticmethod
    def _require_distinct(trials: Sequence[Trial]) -> None:
        """Refuse trials that are the same, and those that tables could not tell apart."""
        seen: dict[str, Trial] = {}
        for trial in trials:
            other = seen.setdefault(trial.identity, trial)
            if other is not trial:
                raise UserError(
                    f"rows {other.name!r} and {trial.name!r} are the same trial; a --set or a "
                    "repeated seed made them equal"
                )
        for name, n in Counter(trial.name for trial in trials).items():
            if n > 1:
                raise UserError(f"{n} trials are called {name!r}: give each row a name of its own")


def _with_continued(rows: Sequence[Row]) -> list[Row]:
    """Return the rows, each behind the one that it continues."""
    ordered: list[Row] = []
    for r in rows:
        line = [r]
        while line[0].continues is not None:
            line.insert(0, line[0].continues)
        ordered += [one for one in line if one not in ordered]
    return ordered


def differences(config: TrialConfig, base: TrialConfig) -> dict[str, Any]:
    """Return settings in which a configuration differs; None where it lacks one."""
    own, others = config.flat(), base.flat()
    keys = [*own, *(k for k in others if k not in own)]
    return {k: own.get(k) for k in keys if own.get(k) != others.get(k)}


def _told(changes: Mapping[str, Any]) -> str:
    parts = (f"{k} {v}" if k == "continues" else f"{k} = {said(v)}" for k, v in changes.items())
    return ", ".join(parts) or "nothing"


def said(value: Any) -> str:
    """Return a setting as a dry run shows it."""
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
