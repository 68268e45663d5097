"""Trials that are taken from the store instead of being trained once more.

A trial is a function of its configuration, seed and code, so one that any sweep has trained to its
end need not be trained again: its run is copied into the new sweep, where it stands in every table
like the others. So it is with parents, the trials whose best weights others continue, and with all
trials if the user wants it, as to add seeds to a sweep that has ended.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
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
from ssmpe.tracking.reading import EndedRun, ended_runs, fetch_best, fetch_record
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


@dataclass(frozen=True)
class Terms:
    """On which runs of the store are taken.

    Attributes:
        every: all trials may be taken, not parents alone.
        accept: with other code, too, where there is none with the same.
        early_stop: the new sweep stops collapsed trials.
        on_gpus: it trains on GPUs; None: that is not known yet.
        digests: from a trial to names and digests of its sets; None: they are not known yet.
    """

    every: bool = False
    accept: bool = False
    early_stop: bool = True
    on_gpus: bool | None = None
    digests: Callable[[Trial], Set[tuple[str, str]]] | None = None


def parents(trials: Sequence[Trial]) -> list[Trial]:
    """Return those of the trials that others of them continue."""
    continued = _continued(trials)
    return [trial for trial in trials if trial.identity in continued]


def _continued(trials: Sequence[Trial]) -> Set[str]:
    return {trial.config.training.parent for trial in trials}


def origins(trials: Sequence[Trial], uri: str, data: str, terms: Terms) -> dict[str, Origin]:
    """Return where trials come from, by identity, as far as it is to be told.

    Args:
        uri: the tracking store, which may not be there yet.
        data: what the trials are trained on, in words.

    Raises:
        UserError: the store cannot be read.
    """
    code = {f"{schema.CODE}{name}": digest for name, digest in code_here().items()}
    here, continued = {**versions(), **code}, _continued(trials)
    found = {}
    for trial in trials if terms.every else parents(trials):
        runs, parent = ended_runs(uri, trial.identity, data), trial.identity in continued
        found[trial.identity] = _origin(runs, here, trial, terms, parent=parent)
    return {identity: origin for identity, origin in found.items() if origin.text}


def _origin(
    runs: Sequence[EndedRun], here: Mapping[str, str], trial: Trial, terms: Terms, *, parent: bool
) -> Origin:
    """Return where a trial comes from.

    Args:
        runs: in which it has ended, the latest first.
        here: versions and digests of code.
        parent: others continue it.
    """
    decides = [f"{schema.CODE}{name}" for name in decisive(trial.config)]
    code = {found.run: _other_code(found.made_with, here, decides) for found in runs}
    why = {found.run: _obstacle(found, here, trial, terms, parent) for found in runs}
    fit = [found for found in runs if not why[found.run]]
    taken = next((found for found in fit if not code[found.run]), None)
    if taken is None and terms.accept:
        taken = next(iter(fit), None)
    if taken is not None:
        other, there = code[taken.run], taken.made_with
        told = ", ".join(filter(None, [other, _differences(there, here, TOLD)]))
        text = f"taken from run {taken.run} of sweep {taken.sweep}{f', {told}' if told else ''}"
        accepted = {k: v for k, v in there.items() if k.startswith(schema.ACCEPTED_CODE)}
        accepted |= {
            f"{schema.ACCEPTED_CODE}{there.get(key, 'unknown')}": key.removeprefix(schema.CODE)
            for key in decides
            if there.get(key) != here[key]
        }
        return Origin(taken.run, text, accepted)
    reasons = [f"run {f.run} in the store {why[f.run] or f'was {code[f.run]}'}" for f in runs[:1]]
    first = " first" if parent else ""
    told = f", for {reasons[0]}" if reasons else ""
    return Origin(None, f"trained{first}{told}" if parent or reasons else "")


def _obstacle(
    found: EndedRun, here: Mapping[str, str], trial: Trial, terms: Terms, parent: bool
) -> str:
    """Return why a run cannot be taken whatever code it was made with; "": it can."""
    there = found.made_with
    if there.get(DECISIVE) != here[DECISIVE]:
        return f"was {_differences(there, here, (DECISIVE,))}"
    if parent and found.stopped:
        return "was stopped early"
    if parent and not found.has_best:
        return "has no checkpoint"
    if not parent and (found.stopped or found.collapsed) and terms.early_stop != found.early_stop:
        return "was stopped early" if found.stopped else "went on though it had collapsed"
    known = {name for name, _ in found.digests}
    own = terms.digests(trial) if terms.digests else set()
    if other := sorted({name for name, _ in own - found.digests if name in known}):
        return f"was trained on other data of {' and '.join(other)}"
    if trial.config.training.mixed_precision and terms.on_gpus not in (None, found.on_gpus):
        return f"was trained on {'GPUs' if found.on_gpus else 'CPUs'}"
    return ""


def _other_code(there: Mapping[str, str], here: Mapping[str, str], code: Sequence[str]) -> str:
    """Return in words that a run was made with other code than is here; "": with the same."""
    changed = [key.removeprefix(schema.CODE) for key in code if there.get(key) != here[key]]
    if changed:
        return f"made with other code of {' and '.join(changed)}"
    mixed = any(key.startswith(schema.ACCEPTED_CODE) for key in there)
    return "made in part with other code" if mixed else ""


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
) -> tuple[dict[str, str], Plan]:
    """Bring what is taken from the store to where trials and tables find it.

    A trial that this sweep has begun to train itself, as the store did not give it before, goes on
    from there.

    Args:
        ended: identity of a trial -> why it ended in an earlier attempt.

    Returns:
        The same of those that have ended now, too; and the plan with what could be taken.
    """
    ended, kept = dict(ended), checkpointed(plan)
    continued, continues = _continued(plan.trials), tags(plan)
    taken: dict[str, str] = {}
    for trial in plan.trials:
        key = trial.identity
        run, end = plan.taken.get(key), ended.get(key)
        if run and end is None and key in kept and _is_begun(plan, trial):
            continue
        try:
            if run and end is None:
                own = {**continues.get(key, {}), schema.COPIED_FROM: run}
                ended[key] = _take(plan, trial, own, tracker, shown, parent=key in continued)
            elif end == EndReason.COMPLETED and key in continued and key not in kept:
                _restore(plan, trial)
        except UserError as error:
            console.print(
                f"{trial.name}: not to be had from the store: {error}",
                highlight=False,
                soft_wrap=True,
                markup=False,
            )
        else:
            taken |= {key: run} if run else {}
    return ended, replace(plan, taken=taken)


def _is_begun(plan: Plan, trial: Trial) -> bool:
    """Tell whether this sweep itself has trained a part of a trial."""
    stages = Checkpoints(plan.storage, plan.name).stages(trial.identity)
    return any(stage.batch > 0 for stage in stages)


def has_checkpoint(plan: Plan, identity: str) -> bool:
    """Tell whether other trials find a checkpoint of a trial."""
    return bool(Checkpoints(plan.storage, plan.name).stages(identity))


def checkpointed(plan: Plan) -> Set[str]:
    """Return identities of the trials of which other trials find a checkpoint."""
    return set(Checkpoints(plan.storage, plan.name).trials())


def _take(
    plan: Plan,
    trial: Trial,
    own: Mapping[str, str],
    tracker: Tracker,
    shown: Presentation,
    *,
    parent: bool,
) -> str:
    """Copy a trial's run into this sweep; return why it ended.

    Args:
        own: tags of the copy, with the run that it is one of.
        parent: others continue it.

    Raises:
        UserError: it is a parent and cannot be continued, or the store does not give it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        record = fetch_record(plan.tracking_uri, own[schema.COPIED_FROM], Path(scratch))
        if parent:
            _keep_best(plan, trial, record.folder / schema.BEST_CHECKPOINT_ARTIFACT)
        shown.start(trial, tracker, own)
        for batch, metrics in record.metrics.items():
            tracker.log(trial.identity, batch, metrics)
        for file, folder in record.files():
            tracker.log_file(trial.identity, file, folder)
    reason = record.tags[schema.END_REASON]
    kinds = (schema.COLLAPSED_AT, schema.COLLAPSE_KIND)
    end = {tag: record.tags[tag] for tag in kinds if tag in record.tags}
    tracker.end_trial(trial.identity, "FINISHED", {schema.END_REASON: reason, **end})
    return reason


def _restore(plan: Plan, trial: Trial) -> None:
    """Fetch a checkpoint that has gone from the storage since the trial ended."""
    runs = ended_runs(plan.tracking_uri, trial.identity, plan.data)
    own = (f.run for f in runs if f.sweep == plan.name and f.has_best)
    run = next(own, None) or plan.taken.get(trial.identity)
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
