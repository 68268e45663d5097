"""``ssmpe data``: whether the datasets are in order, and where they are to be had."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ssmpe.commands import sweep
from ssmpe.config import GeometryConfig
from ssmpe.console import TaskBar, printable
from ssmpe.data.check import (
    SetReport,
    State,
    check_tracks,
    duplicates,
    missing,
    print_reports,
)
from ssmpe.data.datasets.dataset import Dataset, Option, Track
from ssmpe.data.datasets.registry import DATASETS, Locations, open_dataset, parse, resolve
from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import DataError, UserError
from ssmpe.experiments.options import data_root_of, folders_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's two parts and their options."""
    parts = parser.add_subparsers(required=True, metavar="check|where")
    what = "tell what is there, and what is wrong with it"
    check = parts.add_parser("check", help=what, description=what)
    check.add_argument(
        "sets", nargs="*", metavar="SET", help="as URMP/train or MusicNet (default: all found)"
    )
    check.add_argument("--data-root", metavar="DIR", help="folder of the datasets")
    check.add_argument(
        "--folder",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="folder of your own audio; may be repeated",
    )
    sweep.add_file_option(check)
    check.set_defaults(run=run_check)
    what = "tell where every dataset is to be had, its size, licence and layout"
    where = parts.add_parser("where", help=what, description=what)
    where.add_argument("datasets", nargs="*", metavar="DATASET", help="default: all")
    where.set_defaults(run=run_where)


def run_where(given: argparse.Namespace, console: Console) -> int:
    """Print source, size, licence and layout of datasets."""
    for name in given.datasets or DATASETS:
        if name not in DATASETS:
            raise UserError(f"unknown dataset {name!r} (known: {', '.join(DATASETS)})")
        dataset = DATASETS[name]
        source = dataset.source
        console.print(f"{name}: {', '.join(dataset.splits)}")
        for heading, text in (
            ("from", source.url),
            ("size", source.size),
            ("licence", source.licence),
            ("unpack", source.unpack),
            ("layout", f"{name}/{dataset.layout}"),
            *(("option", f"{key}: {o.what} (default: {o.default})") for key, o in _options(name)),
        ):
            console.print(f"  {heading:<8} {text}", soft_wrap=True)
    return 0


def run_check(given: argparse.Namespace, console: Console) -> int:
    """Check datasets or single sets; a set that was asked for and is not whole is an error.

    Raises:
        UserError: no such set, nothing to check, or something is missing or damaged.
    """
    folders = folders_of(given.folder)
    if given.sweep_file is not None:
        sweep.read(given.sweep_file)
    if given.data_root is None and not folders:
        raise UserError("nothing to check: give --data-root DIR or --folder NAME=DIR")
    root = None if given.data_root is None else data_root_of(given.data_root)
    where = Locations(root or Path().absolute(), folders)
    roots = list(DATASETS) if given.data_root is not None else []
    wanted = given.sets or [*roots, *folders]
    for name in wanted:
        if name not in DATASETS and name not in folders:
            parse(name, folders)
    cache = cache_dir()
    with TaskBar(console) as bar:
        reports = [_report(name, where, cache, bar) for name in wanted]
    if not given.sets:  # what was not asked for by name need not be there
        reports = [replace(r, problems=()) if r.state is State.MISSING else r for r in reports]
    print_reports(console, reports)
    copies = duplicates(reports)
    for line in copies:
        console.print(printable(line), soft_wrap=True)
    bad = [r for r in reports if not r.whole and (given.sets or r.state is not State.MISSING)]
    if bad:
        names = ", ".join(report.name for report in bad)
        raise UserError(f"{names}: not whole; see above, and ssmpe data where")
    if not given.sets and all(report.state is State.MISSING for report in reports):
        raise UserError(f"{where.root}: none of the known datasets is there")
    return 0


def _report(name: str, where: Locations, cache: Path, bar: TaskBar) -> SetReport:
    """Check a set, or a dataset: the tracks of all its splits."""
    try:
        dataset, tracks, errors = _listed(name, where)
    except UserError as error:
        return missing(name, error)
    frequencies = GeometryConfig().bin_frequencies
    f0_range = float(frequencies[0]), float(frequencies[-1])
    report = check_tracks(
        name,
        dataset,
        tracks,
        cache,
        f0_range,
        annotated=dataset.annotated,
        scored=dataset.annotated,
        progress=bar.show,
    )
    # parts of a split lack what the split lacks
    damaged = dict.fromkeys(str(e) for e in errors.values() if isinstance(e, DataError))
    if damaged:
        told = (*damaged, *report.problems)
        report = replace(report, state=State.INCOMPLETE, problems=told)
    absent = [split for split, error in errors.items() if not isinstance(error, DataError)]
    # that recordings of one's own have no annotation is told with their number
    if absent and name in DATASETS:
        report = replace(report, notes=(f"without {', '.join(absent)}", *report.notes))
    return report


def _listed(
    name: str, where: Locations
) -> tuple[Dataset, Sequence[Track], Mapping[str, UserError]]:
    """List the tracks of a set, or of a dataset; and why some of its splits cannot be listed."""
    if "/" in name:
        found = resolve(name, where)
        return found.dataset, found.tracks, {}
    dataset = open_dataset(name, where, {})
    tracks: dict[tuple[Path, float], Track] = {}
    errors: dict[str, UserError] = {}
    for split in dataset.splits:
        try:
            tracks |= {(t.audio, t.start): t for t in dataset.tracks(split)}
        except UserError as error:
            errors[split] = error
    if not tracks:
        raise next(iter(errors.values()))
    return dataset, sorted(tracks.values(), key=lambda track: track.name), errors


def _options(name: str) -> list[tuple[str, Option]]:
    return [(f"{name}/{key}", option) for key, option in DATASETS[name].options.items()]
