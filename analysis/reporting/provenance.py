"""Where the numbers of a sweep come from: configurations, machine, versions, command, time."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from ssmpe.tracking import schema
from ssmpe.tracking.stored.records import StoredSweep

UNSET = "–"
"""Value of a setting that a configuration does not have"""
_SEED = "training.seed"


@dataclass(frozen=True)
class Change:
    """A setting in which a row differs from the baseline, both as text."""

    path: str
    before: str
    after: str


def changes(sweep: StoredSweep, row: str, baseline: str) -> list[Change]:
    """Return settings in which a row differs from the baseline, seeds apart.

    A setting that one of the two lacks is "–". Of a row whose trials differ among themselves, all
    values.
    """
    before, after = _values(sweep, baseline), _values(sweep, row)
    paths = [*after, *(p for p in before if p not in after)]
    pairs = [Change(p, before.get(p, UNSET), after.get(p, UNSET)) for p in paths]
    return [c for c in pairs if c.before != c.after]


def configuration(sweep: StoredSweep, row: str) -> Mapping[str, str]:
    """Return all settings of a row, the seed apart."""
    return _values(sweep, row)


def _values(sweep: StoredSweep, row: str) -> dict[str, str]:
    """Return path -> the values that the row's trials have."""
    trials = sweep.of_row(row)
    paths = dict.fromkeys(p for t in trials for p in t.params if p != _SEED)
    each = {p: dict.fromkeys(t.params.get(p, UNSET) for t in trials) for p in paths}
    return {p: " / ".join(values) for p, values in each.items()}


def command(sweep: StoredSweep) -> str:
    """Return what was typed; for sweeps of early versions, what would be, without settings."""
    if given := sweep.params.get("command"):
        return given
    seeds = ",".join(map(str, sweep.seeds))
    parts = ["python", f"sweeps/{sweep.script}.py", "--preset", sweep.preset, "--seeds", seeds]
    parts += ["--rows", ",".join(sweep.rows)]
    if sweep.params.get("early_stop") == "False":
        parts.append("--no-early-stop")
    return shlex.join(parts)


def has_command(sweep: StoredSweep) -> bool:
    """Tell whether the sweep's run says what was typed."""
    return bool(sweep.params.get("command"))


def machine(sweep: StoredSweep) -> dict[str, str]:
    """Return versions, code and hardware, as the sweep's run has them, and what was accepted."""
    kinds = ("version.", "hardware.", schema.CODE)
    found = {k: v for k, v in sweep.params.items() if k.startswith(kinds)}
    shown = {k.removeprefix("version.").replace("hardware.", ""): v for k, v in found.items()}
    accepted = [t for t in sweep.tags.items() if t[0].startswith(schema.ACCEPTED_CODE)]
    other = {f"other code, {tag.removeprefix(schema.ACCEPTED_CODE)}": v for tag, v in accepted}
    return {**shown, **other}


def time_spent(sweep: StoredSweep) -> str:
    """Say how long its own trials took together, and the sweep from its begin to its end."""
    own = [t for t in sweep.trials if not t.copied]
    train, evaluate = (
        sum(float(t.curves[m].values.sum()) for t in own if m in t.curves)
        for m in (schema.TRAIN_SECONDS, schema.EVALUATION_SECONDS)
    )
    texts = [
        f"{duration(train)} of training and {duration(evaluate)} of evaluation over "
        f"{len(own)} trials"
    ]
    if copied := len(sweep.trials) - len(own):
        texts.append(f"{copied} more were taken from earlier sweeps")
    if not math.isnan(sweep.seconds):
        texts.append(f"{duration(sweep.seconds)} from the sweep's begin to its end")
    return "; ".join(texts)


def duration(seconds: float) -> str:
    """Return "41 s", "8.5 min" or "3.2 h"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
