"""From options to a plan, and what is recorded of it."""

import inspect
import json
import os
import platform
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ssmpe.config import TrialConfig
from ssmpe.config.presets import preset
from ssmpe.data.datasets import registry
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import uses_of
from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.experiments.options import Options
from ssmpe.experiments.search import Objective, Search, SearchPlan
from ssmpe.experiments.sweep import Sweep, Trial
from ssmpe.own import written
from ssmpe.runner.cluster import nodes, resources
from ssmpe.runner.cluster.release import checkout, code_of
from ssmpe.runner.plan import Plan
from ssmpe.storage import is_uri
from ssmpe.tracking import schema
from ssmpe.tracking.reading import sweep_tags
from ssmpe.world.build import world_key


def world_size(options: Options) -> str:
    """Return the size of the embedded world: who trains longer has more to learn from."""
    return options.world or ("tiny" if options.preset == "tiny" else "full")


def base_of(options: Options) -> TrialConfig:
    """Return the configuration that the rows change."""
    source = "folder" if options.data_root else f"embedded-{world_size(options)}"
    return preset(options.preset).replace({"data.source": source})


def plan_trials(sweep: Sweep | Search, options: Options) -> list[Trial]:
    """Return the trials that the options ask for; of a search, samples of them."""
    if options.from_store and isinstance(sweep, Search):
        raise UserError("--from-store: what a search tries follows from what it has tried")
    base = base_of(options)
    registry.check_folder_names(options.folders)
    trials = sweep.trials(base, options.seeds, options.rows, _overrides(options))
    used = {name for trial in trials for name in trial.config.data.names}
    for name in used:
        registry.parse(name, options.folders)
    how = "data.evaluation='[\"{}/all\"]'" if sweep.search else "data.added.{}/all=8"
    _require_used(options, used, how)
    _require_parts_used(options, trials, used)
    _require_effects(sweep, base, options, trials)
    for trial in trials:
        registry.check_options(trial.config.data.options)
        _require_unseen(trial)
    return trials


def _require_effects(
    sweep: Sweep | Search, base: TrialConfig, options: Options, trials: Sequence[Trial]
) -> None:
    """Refuse settings that no row has in the end: what they are about is not there."""
    given = _overrides(options)
    for path, value in given.items():
        if not value or isinstance(value, Mapping):
            continue  # to switch off what is not there, or a group, whose parts may be
        if any(trial.config.flat().get(path) == value for trial in trials):
            continue
        others = {other: v for other, v in given.items() if other != path}
        try:
            without = sweep.trials(base, options.seeds, options.rows, others)
        except UserError:
            continue
        if [t.identity for t in without] == [t.identity for t in trials]:
            raise UserError(
                f"--set {path}={value}: without effect: no row has, or keeps, what it is about"
            )


def _require_unseen(trial: Trial) -> None:
    """Refuse to choose weights and thresholds by the labels that are learnt from."""
    data = trial.config.data
    if data.validation == data.labelled or data.labelled_share.get(data.validation):
        raise UserError(
            f"row {trial.row!r}: {data.validation} is learnt from with its labels, and would also "
            "choose weights and thresholds: --set data.validation or data.labelled to another set"
        )


def trials_of(sweep: Sweep | Search, plan: Plan) -> list[Trial]:
    """Return the trials of a plan; of a search, samples of them."""
    if plan.search and sweep.search:
        return [Trial("sample", s.config) for s in sweep.search.samples(plan.search.base)]
    return list(plan.trials)


def _overrides(options: Options) -> dict[str, Any]:
    caps = {f"data.max_hours.{name}": hours for name, hours in options.max_hours.items()}
    return {**options.overrides, **caps}


def search_plan(sweep: Sweep | Search, options: Options) -> SearchPlan | None:
    """Return what a search's trials will follow from; None: it is a sweep that lists them."""
    overrides = _overrides(options)
    return sweep.plan(base_of(options), options.seeds, overrides, options.trials, options.objective)


def _require_used(options: Options, used: set[str], how: str) -> None:
    """Refuse caps and folders that would be without effect.

    Args:
        how: a folder is used, with ``{}`` for its name.
    """
    for name in options.max_hours:
        registry.parse(name, options.folders)
        if name not in used:
            known = ", ".join(sorted(used))
            raise UserError(f"--max-hours {name}: no row uses that set (used: {known})")
    for name, folder in options.folders.items():
        if not os.path.isdir(folder):  # of a name that is too long Path raises
            raise UserError(f"--folder {name}={folder}: no such folder")
        if not any(one.startswith(f"{name}/") for one in used):
            raise UserError(f"--folder {name}: no row uses it; add it, as --set {how.format(name)}")


def _require_parts_used(options: Options, trials: list[Trial], used: set[str]) -> None:
    """Refuse settings of single sets that would be without effect."""
    added = {name for trial in trials for name in trial.config.data.added}
    for path, does, there in (
        ("data.max_hours", "uses", used),
        ("data.max_tracks", "uses", used),
        ("data.labelled_share", "adds", added),
    ):
        whole = options.overrides.get(path, {})
        single = [p.removeprefix(f"{path}.") for p in options.overrides if p.startswith(f"{path}.")]
        for name in (*whole, *single):
            registry.parse(name, options.folders)
            if name not in there:
                known = ", ".join(sorted(there)) or "none"
                there_are = "used" if does == "uses" else "added"
                raise UserError(
                    f"--set {path}.{name}: no row {does} that set ({there_are}: {known})"
                )


def make_plan(
    sweep: Sweep | Search,
    options: Options,
    trials: list[Trial],
    where: Locations,
    tracking_uri: str,
    results: Path,
) -> Plan:
    found = nodes.alive()
    gpus = options.gpus_per_trial
    if gpus is None or gpus == "auto":
        gpus = 1.0 if any(node.n_gpus for node in found) else 0.0
    search = search_plan(sweep, options)
    n_trials = search.n_trials if search else len(trials)
    at_once = min(options.concurrent or n_trials, n_trials)
    at_once = max(1, min(at_once, resources.fitting(found, 1, gpus)))
    return Plan(
        name=new_name(sweep.name, options.preset),
        script=sweep.name,
        question=sweep.question,
        preset=options.preset,
        data=describe_data(options),
        data_root=_absolute(options.data_root or where.root),
        folders={name: str(folder) for name, folder in where.folders.items()},
        storage=storage_of(options.storage, results),
        tracking_uri=tracking_uri,
        early_stop=options.early_stop,
        threads=resources.threads_for(found, at_once, gpus),
        gpus_per_trial=gpus,
        # a search without a limit would ask for a suggestion more than it has room for
        concurrent=at_once if search else options.concurrent,
        trials=() if search else tuple(trials),
        search=search,
        command=options.command,
        diagnostics=options.diagnostics,
        code=code_of(_file_of(sweep)),
        made_by=checkout(),
    )


def new_name(script: str, preset: str) -> str:
    """Return a name for a sweep that no other has, wherever that was begun.

    By its name a sweep's runs are found in a store that others may share; two may begin in one
    second.
    """
    drawn = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(4))
    return f"{script}-{preset}-{datetime.now():%Y%m%d-%H%M%S}-{drawn}"


def require_code(sweep: Sweep | Search, plan: Plan, accepted: bool) -> str:
    """Check that a sweep that is resumed has the code that it was begun with.

    Returns:
        A line about what cannot be known, or was accepted; "" if all is as it was.

    Raises:
        UserError: it has other code, and that is not accepted.
    """
    if not plan.code:
        return (
            f"{plan.name} was begun by a version that kept no digest of its code: whether that "
            "has changed since cannot be known"
        )
    changed = " and ".join(changed_code(sweep, plan))
    if not changed:
        return ""
    if not accepted:
        raise UserError(
            f"--resume {plan.name}: the code of {changed} has changed since it was begun, and what "
            "is left may come to other numbers: bring back that code, start a new sweep, or give "
            "--accept-code"
        )
    return f"{plan.name} goes on with other code of {changed} than it was begun with"


def changed_code(sweep: Sweep | Search, plan: Plan) -> dict[str, tuple[str, str | None]]:
    """Return what code has changed since a sweep was begun: name -> digest then, and here."""
    here = code_of(_file_of(sweep))
    then = plan.code.items()
    return {name: (code, here.get(name)) for name, code in then if code != here.get(name)}


def accepted_code(sweep: Sweep | Search, plan: Plan) -> dict[str, str]:
    """Return the tags that tell of code which was accepted on a resume; {} if none has changed."""
    return {
        f"{schema.ACCEPTED_CODE}{here}": f"{name}, begun with {then}"
        for name, (then, here) in changed_code(sweep, plan).items()
    }


def with_objectives(plan: Plan) -> Plan:
    """Return the plan of a search with the objectives that it was begun with.

    Version 0.3.0 left them in the tracking store alone. A search goes by the same ones to its end:
    what its script says by now would compare trials by measures that do not compare.

    Raises:
        UserError: they are not there, or cannot be used.
    """
    if plan.search is None or plan.search.objectives:
        return plan
    tags = sweep_tags(plan.tracking_uri, plan.script, plan.name)
    try:
        objectives = tuple(Objective(*pair) for pair in json.loads(tags[schema.OBJECTIVES]))
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"--resume {plan.name}: what this search judges its trials by is not in its store "
            f"({error}); start a new one"
        ) from None
    return replace(plan, search=replace(plan.search, objectives=objectives))


def _file_of(sweep: Sweep | Search) -> Path:
    """Return the file that says what the rows, or the suggestions, of a sweep are."""
    return Path(inspect.getfile(written(sweep.space if isinstance(sweep, Search) else sweep.rows)))


def describe_data(options: Options) -> str:
    if options.data_root is None:
        data = f"embedded world ({world_size(options)})"
    else:
        data = f"folder {_absolute(options.data_root)}"
    return "".join([data, *(f", {name} = {folder}" for name, folder in options.folders.items())])


def looked_at(options: Options, trials: Sequence[Trial]) -> list[str]:
    """Return a line for every set of the trials that is not there, or that was not looked for.

    Files are listed, not opened: ``python -m ssmpe data check`` does that.
    """
    if options.data_root is None:
        world = cache_dir() / "world" / world_key(world_size(options))
        if not world.is_dir():
            return ["the embedded world is not in the cache yet: it is rendered first"]
        root = world
    elif isinstance(options.data_root, str):
        return [f"{options.data_root} was not looked at: what is used of it is copied first"]
    else:
        root = options.data_root.absolute()
    where, lines = Locations(root, options.folders), []
    configs = [trial.config for trial in trials]
    for use in dict.fromkeys(u for c in configs for u in uses_of(c.data, c.geometry.sample_rate)):
        try:
            dataset, tracks = use.listed(where)
            dataset.require_files(tracks)
        except UserError as error:
            lines.append(f"missing: {use.name}: {error}")
    return lines


def _absolute(data_root: Path | str) -> str:
    return data_root if isinstance(data_root, str) else str(data_root.absolute())


def storage_of(given: str | None, results: Path) -> str:
    if given is None:
        return str(results / "checkpoints")
    return given if is_uri(given) else str(Path(given).absolute())


def with_data_root(plan: Plan, data_root: Path) -> Plan:
    """Return the plan with the cache's own embedded world, which must be the same one."""
    if data_root.name != Path(plan.data_root).name:
        raise UserError(
            f"--resume {plan.name}: it was begun on the world {Path(plan.data_root).name}, and "
            f"this version renders {data_root.name}; start a new sweep"
        )
    return replace(plan, data_root=str(data_root.absolute()))


def versions() -> dict[str, str]:
    """Return versions of what results depend on, as parameters of a sweep's run."""
    packages = ("ssmpe", "torch", "ray", "mlflow", "nnAudio", "mir_eval")
    return {f"version.{name}": version(name) for name in packages}


def sweep_params(plan: Plan) -> dict[str, str]:
    """Return what is needed to run it again: versions, code and hardware, but no paths."""
    if plan.search:
        names = {"trials": str(plan.n_trials), "objective": plan.search.objective}
        seeds = [plan.search.base.training.seed]
    else:
        names = {"rows": ", ".join(dict.fromkeys(t.row for t in plan.trials))}
        seeds = list(dict.fromkeys(t.seed for t in plan.trials))
    return {
        **versions(),
        **{f"{schema.CODE}{name}": text for name, text in {**plan.code, **plan.made_by}.items()},
        "version.python": platform.python_version(),
        "hardware.machine": platform.machine(),
        "hardware.threads_per_trial": str(plan.threads),
        "hardware.gpus_per_trial": f"{plan.gpus_per_trial:g}",
        "command": plan.command,
        "early_stop": str(plan.early_stop),
        **names,
        "seeds": ", ".join(map(str, seeds)),
    }
