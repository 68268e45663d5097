"""Trials that are taken from the store instead of being trained once more.

A trial is a function of its configuration, seed and code, so one that any sweep has trained to its
end need not be trained again: its run is copied into the new sweep, where it stands in every table
like the others. So it is with parents, the trials whose best weights others continue, and with all
trials if the user wants it, as to add seeds to a sweep that has ended.
"""

import tempfile
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from ssmpe.errors import UserError
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.cluster.release import code_here, decisive
from ssmpe.runner.plan import Plan
from ssmpe.runner.planning.make import versions
from ssmpe.runner.planning.presentation import Presentation
from ssmpe.runner.trial.checkpoints import Checkpoints, Stage
from ssmpe.tracking import schema
from ssmpe.tracking.reading import CompletedRun, completed_runs, fetch_best, fetch_record
from ssmpe.tracking.schema import EndReason
from ssmpe.tracking.tracker import Tracker

DECISIVE = "version.ssmpe"
"""Version by which trials are told apart: with another, a configuration may mean another trial. So
it may with other code of the same version, of the package or of the user's own objectives."""
TOLD = ("version.torch", "version.nnAudio", "version.mir_eval")
"""Versions that are told where they differ. They change a result no more than another machine does:
in its last digits, from which trials drift apart as from another seed."""


@dataclass(frozen=True)
class Origin:
    """Where a trial comes from.

    Attributes:
        run: of the store; None: it is trained.
        text: the same in words, and why; "" of a trial that is trained as a matter of course.
        accepted: other code that it was made with, as tags of the sweep.
    """

    run: str | None
    text: str
    accepted: Mapping[str, str] = field(default_factory=dict)


def parents(trials: Sequence[Trial]) -> list[Trial]:
    """Return those of the trials that others of them continue."""
    continued = _continued(trials)
    return [trial for trial in trials if trial.identity in continued]


def _continued(trials: Sequence[Trial]) -> Set[str]:
    return {trial.config.training.parent for trial in trials}


def origins(
    trials: Sequence[Trial], uri: str, data: str, *, every: bool = False, accept: bool = False
) -> dict[str, Origin]:
    """Return where trials come from, by identity, as far as it is to be told.

    Args:
        uri: the tracking store, which may not be there yet.
        data: what the trials are trained on, in words.
        every: take every trial that the store has; else parents alone.
        accept: take those, too, that were made with other code.

    Raises:
        UserError: the store cannot be read.
    """
    code = {f"{schema.CODE}{name}": digest for name, digest in code_here().items()}
    here, continued = {**versions(), **code}, _continued(trials)
    found = {
        trial.identity: _origin(
            completed_runs(uri, trial.identity, data),
            here,
            [f"{schema.CODE}{name}" for name in decisive(trial.config)],
            parent=trial.identity in continued,
            accept=accept,
        )
        for trial in (trials if every else parents(trials))
    }
    return {identity: origin for identity, origin in found.items() if origin.text}


def _origin(
    runs: Sequence[CompletedRun],
    here: Mapping[str, str],
    code: Sequence[str],
    *,
    parent: bool,
    accept: bool,
) -> Origin:
    """Return where a trial comes from.

    Args:
        code: names of the digests that have to be the same.
        parent: others continue it.
        accept: it may have been made with other code.
    """
    refusal, accepted = "", {}
    for found in runs:
        there = found.made_with
        if parent and not found.has_best:
            refusal = refusal or f", for run {found.run} in the store has no checkpoint"
            continue
        if there.get(DECISIVE) != here[DECISIVE]:
            differences = _differences(there, here, (DECISIVE,))
            refusal = refusal or f", for run {found.run} in the store was {differences}"
            continue
        if other := _other_code(there, here, code):
            if not accept:
                refusal = refusal or f", for run {found.run} in the store was {other}"
                continue
            accepted = {
                f"{schema.ACCEPTED_CODE}{there.get(key)}": key.removeprefix(schema.CODE)
                for key in code
                if there.get(key) != here[key]
            }
        told = ", ".join(filter(None, [other, _differences(there, here, TOLD)]))
        made = f", {told}" if told else ""
        text = f"taken from run {found.run} of sweep {found.sweep}{made}"
        return Origin(found.run, text, accepted)
    if parent:
        return Origin(None, f"trained first{refusal}")
    return Origin(None, f"trained{refusal}" if refusal else "")


def _other_code(there: Mapping[str, str], here: Mapping[str, str], code: Sequence[str]) -> str:
    """Return in words that a run was made with other code than is here; "": with the same."""
    changed = [key.removeprefix(schema.CODE) for key in code if there.get(key) != here[key]]
    if changed:
        return f"made with other code of {' and '.join(changed)}"
    mixed = any(key.startswith(schema.ACCEPTED_CODE) for key in there)
    return "resumed with other code" if mixed else ""


def _differences(there: Mapping[str, str], here: Mapping[str, str], keys: Sequence[str]) -> str:
    told = [
        f"{key.removeprefix('version.')} {there.get(key, 'unknown')} (here {here[key]})"
        for key in keys
        if there.get(key) != here[key]
    ]
    return f"made with {', '.join(told)}" if told else ""


def tags(plan: Plan) -> dict[str, dict[str, str]]:
    """Return tags of the trials that continue another, by identity: which, and its origin."""
    named = {trial.identity: trial.name for trial in plan.trials}
    found = {}
    for trial in plan.trials:
        parent = trial.config.training.parent
        if parent:
            found[trial.identity] = {schema.CONTINUES: named[parent]}
            if parent in plan.taken:
                found[trial.identity][schema.CONTINUED_RUN] = plan.taken[parent]
    return found


def provide(
    plan: Plan,
    ended: Mapping[str, str],
    tracker: Tracker,
    shown: Presentation,
    console: Console,
) -> dict[str, str]:
    """Bring what is taken from the store to where trials find it; those ended now, and before.

    Args:
        ended: identity of a trial -> why it ended in an earlier attempt.
    """
    ended = dict(ended)
    kept, continued = checkpointed(plan), _continued(plan.trials)
    for trial in plan.trials:
        run, parent = plan.taken.get(trial.identity), trial.identity in continued
        try:
            if run and trial.identity not in ended:
                _take(plan, trial, run, tracker, shown, parent)
                ended[trial.identity] = EndReason.COMPLETED
            elif (
                parent
                and ended.get(trial.identity) == EndReason.COMPLETED
                and trial.identity not in kept
            ):
                _restore(plan, trial)
        except UserError as error:
            console.print(
                f"{trial.name}: not to be had from the store: {error}",
                highlight=False,
                soft_wrap=True,
                markup=False,
            )
    return ended


def has_checkpoint(plan: Plan, identity: str) -> bool:
    """Tell whether other trials find a checkpoint of a trial."""
    return bool(Checkpoints(plan.storage, plan.name).stages(identity))


def checkpointed(plan: Plan) -> Set[str]:
    """Return identities of the trials of which other trials find a checkpoint."""
    return set(Checkpoints(plan.storage, plan.name).trials())


def _take(
    plan: Plan, trial: Trial, run: str, tracker: Tracker, shown: Presentation, parent: bool
) -> None:
    """Copy a trial's run into this sweep; UserError if it is a parent and cannot be continued."""
    with tempfile.TemporaryDirectory() as scratch:
        record = fetch_record(plan.tracking_uri, run, Path(scratch))
        if parent:
            _keep_best(plan, trial, record.folder / schema.BEST_CHECKPOINT_ARTIFACT)
        shown.start(trial, tracker, {schema.COPIED_FROM: run})
        for batch, metrics in record.metrics.items():
            tracker.log(trial.identity, batch, metrics)
        for file, folder in record.files():
            tracker.log_file(trial.identity, file, folder)
    end = {schema.END_REASON: str(EndReason.COMPLETED)}
    for tag in (schema.COLLAPSED_AT, schema.COLLAPSE_KIND):
        if tag in record.tags:
            end[tag] = record.tags[tag]
    tracker.end_trial(trial.identity, "FINISHED", end)


def _restore(plan: Plan, trial: Trial) -> None:
    """Fetch a checkpoint that has gone from the storage since the trial ended."""
    runs = completed_runs(plan.tracking_uri, trial.identity, plan.data)
    run = plan.taken.get(trial.identity) or next((found.run for found in runs), None)
    if run is None:
        raise UserError(f"{plan.tracking_uri}: no completed run of it")
    with tempfile.TemporaryDirectory() as scratch:
        _keep_best(plan, trial, fetch_best(plan.tracking_uri, run, Path(scratch)))


def _keep_best(plan: Plan, trial: Trial, folder: Path) -> None:
    from ssmpe.transcription.trained import load_trained  # PyTorch with it: a second

    if load_trained(folder, "cpu").config != trial.config:
        raise UserError(f"{folder}: a checkpoint of another trial")
    # as if from its beginning: older than any that the sweep makes itself
    Checkpoints(plan.storage, plan.name).put(trial.identity, Stage(0), folder)
