"""Data made ready before any trial starts: the world rendered, every set checked and decoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from ssmpe.config import GeometryConfig
from ssmpe.console import TaskBar
from ssmpe.data.check import (
    SetReport,
    State,
    check_tracks,
    duplicates,
    missing,
    print_reports,
)
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import LoadedSet, Ready, Use, load_sets, load_use, roles_of
from ssmpe.data.store.annotations import annotations_key, load_annotations, save_annotations
from ssmpe.data.store.mirror import mirror
from ssmpe.errors import UserError
from ssmpe.experiments.sweep import Trial
from ssmpe.storage import is_uri
from ssmpe.world.build import build_world, world_key


@dataclass(frozen=True)
class SetFacts:
    """What is told of a set: a digest of its tracks, their number and their hours."""

    digest: str
    n_tracks: int
    hours: float


@dataclass(frozen=True)
class Prepared:
    """Decoded audio and parsed annotations: the cache, and what it holds by the keys of uses."""

    cache: Path
    ready: Mapping[str, Ready]
    facts: Mapping[str, SetFacts]


def embedded_root(cache: Path, size: str, console: Console) -> Path:
    """Return the data root of the embedded world, which is rendered on first use."""
    root = cache / "world" / world_key(size)
    with TaskBar(console) as bar:
        build_world(
            root, size, lambda done, n, _: bar.show("rendering the embedded world", done, n)
        )
    return root


def located(
    root: str, folders: Mapping[str, str], trials: Sequence[Trial], cache: Path, console: Console
) -> Locations:
    """Return where the data lies on this machine, and copy what of it lies elsewhere.

    Args:
        root: path or URI of the folder of the datasets.
        folders: name -> folder of the user's own audio.

    Raises:
        UserError: the data root cannot be read, or its copy has no room.
    """
    own = {name: Path(folder) for name, folder in folders.items()}
    if not is_uri(root):
        return Locations(Path(root).absolute(), own)
    names = {name.split("/")[0] for trial in trials for name in trial.config.data.names}
    with TaskBar(console) as bar:
        copied = mirror(
            root,
            sorted(names - own.keys()),
            cache,
            lambda name, done, n: bar.show(f"copying {name}", done, n),
        )
    return Locations(copied, own)


def open_all_sets(
    trials: Sequence[Trial], where: Locations, cache: Path, console: Console, *, show: bool
) -> Prepared:
    """Check, decode and parse all sets of the trials once, so that trials find them ready.

    Args:
        show: print the table of sets even if nothing is wrong with them.

    Returns:
        How trials find their sets again.

    Raises:
        UserError: data that cannot be used, before anything has run; all of it has been printed.
    """
    geometries: dict[Use, GeometryConfig] = {}
    scored: set[Use] = set()
    for trial in trials:
        geometry = trial.config.geometry
        for use, roles in roles_of(trial.config.data, geometry.sample_rate).items():
            geometries[use] = geometry
            if {"validation", "evaluation"} & set(roles):
                scored.add(use)
    reports: list[SetReport] = []
    ready: dict[str, Ready] = {}
    facts: dict[str, SetFacts] = {}
    with TaskBar(console) as bar:
        for use, geometry in geometries.items():
            report = _checked(use, geometry, where, cache, bar, scored=use in scored)
            if not _refused(use, report):
                report, loaded = _loaded(use, report, where, cache, bar)
                if loaded:
                    ready[use.key] = loaded.ready
                    store = loaded.store
                    facts[use.key] = SetFacts(store.digest, len(store), store.hours)
            reports.append(report)
    refused = [r for use, r in zip(geometries, reports, strict=True) if _refused(use, r)]
    copies = duplicates(reports)
    if show or refused or copies or any(r.problems for r in reports):
        print_reports(console, reports)
        for line in copies:
            console.print(line, soft_wrap=True)
    if refused:
        embedded = all(t.config.data.source.startswith("embedded-") for t in trials)
        raise _refusal(refused, None if embedded else where.root)
    for config in {str(t.config.data): t.config for t in trials}.values():
        load_sets(config.data, config.geometry.sample_rate, where, cache, ready)
    return Prepared(cache, ready, facts)


def _checked(
    use: Use,
    geometry: GeometryConfig,
    where: Locations,
    cache: Path,
    bar: TaskBar,
    *,
    scored: bool,
) -> SetReport:
    try:
        dataset, tracks = use.listed(where)
    except UserError as error:
        return missing(use.name, error)
    key = annotations_key(dataset, tracks, dict(use.options)) if use.annotated else ""
    frequencies = geometry.bin_frequencies
    report = check_tracks(
        use.name,
        dataset,
        tracks,
        cache,
        (float(frequencies[0]), float(frequencies[-1])),
        annotated=use.annotated,
        scored=scored,
        annotations=load_annotations(cache, key) if use.annotated else None,
        progress=bar.show,
    )
    if use.annotated and report.whole and report.annotations is not None:
        save_annotations(cache, key, report.annotations)
    return report


def _loaded(
    use: Use, report: SetReport, where: Locations, cache: Path, bar: TaskBar
) -> tuple[SetReport, LoadedSet | None]:
    """Load a set; return it, and the report with what only decoding it has shown."""

    def show(name: str, done: int, total: int) -> None:
        bar.show(f"decoding {name}", done, total)

    try:
        loaded = load_use(use, where, cache, progress=show)
    except UserError as error:
        problems = (*report.problems, str(error))
        return replace(report, state=State.INCOMPLETE, problems=problems), None
    skipped = loaded.store.skipped
    if skipped:
        listed = loaded.store.folder / "skipped.json"
        told = f"{len(skipped)} unusable files skipped, listed in {listed}"
        report = replace(report, notes=(*report.notes, told))
    return report, loaded


def _refused(use: Use, report: SetReport) -> bool:
    """Tell whether a set cannot be used: labels must be whole, and unlabelled tracks exist."""
    return not (report.whole if use.annotated else report.usable)


def _refusal(refused: Sequence[SetReport], root: Path | None) -> UserError:
    """Return what is told of sets that cannot be used.

    Args:
        root: folder that published sets were looked for in; None: the embedded world.
    """
    names = ", ".join(dict.fromkeys(r.name for r in refused))
    n_more = sum(len(r.problems) for r in refused) - 1
    reason = refused[0].problems[0] + (f" ({n_more} more above)" if n_more else "")
    if n_more and all(r.state is State.MISSING for r in refused):
        place = f"below {root}" if root else "in the embedded world; give --data-root DIR"
        reason = f"they are not {place}; layouts are told above"
    get = "where to get datasets: ssmpe data where"
    return UserError(f"{names} cannot be used: {reason}; {get}")
