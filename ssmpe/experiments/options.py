"""The options that every sweep script shares, parsed and checked once."""

import argparse
import json
import math
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ssmpe.config.presets import PRESETS
from ssmpe.console import Parser
from ssmpe.errors import UserError
from ssmpe.storage import is_uri
from ssmpe.tracking.credentials import refuse_credentials

WORLD_SIZES = ("tiny", "full", "tiny-maps")
"""Sizes of the embedded world."""
MAX_SEEDS = 10_000
MOST = 10**9
"""Most trials and batches that may be asked for."""
OBJECTIVE_MODES = ("pareto", "score")
"""Aims of a search: the front of its objectives, or one number made of them."""
AGAIN = ("resume", "address", "max_gpu_hours", "accept_code")
"""Options that may be given anew with --resume, as may the hours of --max-hours."""
LONGEST_NAME = 255
"""Bytes that the name of a file has at most."""
RAY_UNITS = 10_000
"""Parts into which Ray divides a resource."""
SHARE_TOLERANCE = 0.0101
"""How far k times a share may be from 1 for it to mean 1/k, as 0.33 means 1/3."""
RESULTS = Path("results")
"""Folder below the current one to which everything goes that a sweep writes, by default."""


@dataclass(frozen=True)
class Options:
    """What the user asked for; everything but preset, seeds, rows and overrides is logistics.

    Attributes:
        data_root: folder, or URI of one; None: the embedded world.
        world: size of the embedded world; None: the one that goes with the preset.
        folders: name -> folder of the user's own audio.
        max_hours: set -> hours of it that are used.
        address: of a running Ray cluster; None: a local one is started.
        tracking_uri: None: a SQLite store below ``results``.
        storage: folder or URI for checkpoints; None: below ``results``.
        concurrent: trials at a time; None: as many as the resources allow.
        gpus_per_trial: None: one if there is any; "auto": as much of one as is measured.
        resume: name of a sweep to continue, or None.
        diagnostics: batches from one measurement to the next; None: nothing is measured.
        command: what was typed, for a shell.
        hours, gpu_hours: that the command may take; None: without limit.
        trials: of a search; None: as many as it has by default.
        objective: of a search, one of ``OBJECTIVE_MODES``.
        from_store: trials that another sweep has trained to their end are taken from the store.
        accept_code: what is resumed, or taken from the store, may be of other code than is here.
    """

    preset: str
    seeds: tuple[int, ...]
    data_root: Path | str | None
    world: str | None
    folders: dict[str, Path]
    max_hours: dict[str, float]
    address: str | None
    tracking_uri: str | None
    storage: str | None
    concurrent: int | None
    gpus_per_trial: float | Literal["auto"] | None
    rows: tuple[str, ...]
    overrides: dict[str, Any]
    dry_run: bool
    resume: str | None
    early_stop: bool
    diagnostics: int | None
    command: str
    hours: float | None = None
    gpu_hours: float | None = None
    trials: int | None = None
    objective: str = "pareto"
    from_store: bool = False
    accept_code: bool = False


def parse(
    question: str,
    typed: str,
    arguments: Sequence[str],
    add_options: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> Options:
    """Return the options that a command line gives.

    Args:
        typed: what stands before them, as "python sweeps/sample_count.py".
        add_options: adds the script's own.

    Raises:
        UserError: a value that makes no sense. (Misspelt options end the program, as is usual.)
    """
    parser = _parser(question, typed)
    add_options(parser)
    given = parser.parse_args(arguments)
    hours, caps = _hours(given.max_hours)
    if given.resume is not None:
        for option, value in {**vars(given), "max_hours": caps}.items():
            if option not in AGAIN and value != parser.get_default(option):
                name = option.replace("_", "-")
                raise UserError(f"--resume takes all else from the sweep: leave out --{name}")
        if len(os.fsencode(given.resume)) > LONGEST_NAME:
            raise UserError(f"--resume {given.resume!r:.80}: not a name of a sweep")
    elif given.accept_code and not given.from_store:
        raise UserError(
            "--accept-code goes with --resume or --from-store: a new sweep takes the code that is "
            "here"
        )
    if given.from_store and given.diagnostics:
        raise UserError(
            "--from-store takes trials as they were recorded, and --diagnostics records more: give "
            "one of them"
        )
    if given.data_root is not None and given.world is not None:
        raise UserError("--world is the embedded data, and --data-root is other: give one of them")
    for option in ("tracking_uri", "storage", "data_root", "address"):
        refuse_credentials(f"--{option.replace('_', '-')}", str(getattr(given, option) or ""))
    return Options(
        preset=given.preset,
        seeds=_seeds(given.seeds),
        data_root=given.data_root,
        world=given.world,
        folders=folders_of(given.folder),
        max_hours=dict(caps),
        address=given.address,
        tracking_uri=given.tracking_uri,
        storage=given.storage,
        concurrent=_at_least_one("--concurrent", given.concurrent),
        gpus_per_trial=_gpu_share(given.gpus_per_trial),
        rows=tuple(p.strip() for text in given.rows for p in text.split(",") if p.strip()),
        overrides=dict(_override(text) for text in given.set),
        dry_run=given.dry_run,
        resume=given.resume,
        early_stop=not given.no_early_stop,
        diagnostics=_at_least_one("--diagnostics", given.diagnostics),
        command=" ".join(filter(None, [typed, shlex.join(arguments)])),
        hours=hours,
        gpu_hours=_more_than_none("--max-gpu-hours", given.max_gpu_hours),
        trials=_at_least_one("--trials", given.trials),
        objective=given.objective,
        from_store=given.from_store,
        accept_code=given.accept_code,
    )


def _parser(question: str, typed: str) -> argparse.ArgumentParser:
    parser = Parser(
        prog=typed,
        usage=argparse.SUPPRESS,
        description=f"{question}\n\nusage: {typed} [OPTION …]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=True,
    )
    add = parser.add_argument
    add(
        "--preset",
        choices=tuple(PRESETS),
        default="tiny",
        help="scale of the experiment (default: tiny)",
    )
    add("--seeds", default="0", metavar="N[,N…]", help="seeds, as 0,1,2 or 0-4 (default: 0)")
    add(
        "--rows",
        action="append",
        default=[],
        metavar="PATTERN",
        help="rows to run, as '+MN-*,Ref.'; '*' for all (default: the sweep's own choice)",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="change a setting in every row, as training.n_batches=100; may be repeated",
    )
    add(
        "--data-root",
        type=_path_or_uri,
        metavar="DIR|URI",
        help="folder that holds the datasets; of s3://… or gs://… what is used is copied to the "
        "cache (default: the embedded world, rendered once)",
    )
    add(
        "--world",
        choices=WORLD_SIZES,
        help="size of the embedded world (default: tiny with the preset tiny, else full)",
    )
    add(
        "--folder",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="folder of your own audio, then to be used as the set NAME/all; may be repeated",
    )
    add(
        "--max-hours",
        action="append",
        default=[],
        metavar="HOURS|SET=HOURS",
        help="end the sweep after so many hours, to be resumed; or use no more than that of a set, "
        "as FMA/train=20, of tracks drawn at random; may be repeated",
    )
    add(
        "--max-gpu-hours",
        type=float,
        metavar="HOURS",
        help="end the sweep once its trials have had so much of GPUs, to be resumed",
    )
    add(
        "--address",
        metavar="ADDRESS",
        help="Ray cluster to join, as auto or HOST:PORT (default: start a local one)",
    )
    add("--tracking-uri", metavar="URI", help="MLflow store (default: SQLite below ./results)")
    add("--storage", metavar="DIR|URI", help="where checkpoints go (default: below ./results)")
    add(
        "--concurrent",
        type=int,
        metavar="N",
        help="trials at a time (default: as many as CPUs or GPUs allow)",
    )
    add(
        "--gpus-per-trial",
        metavar="SHARE",
        help="GPUs of a trial, as 1/4 or 0.25 to share one between four, or auto, as many as its "
        "measured memory allows (default: 1 if there is one)",
    )
    add("--no-early-stop", action="store_true", help="run collapsed trials to their end, too")
    add(
        "--diagnostics",
        type=int,
        metavar="EVERY",
        help="measure every so many batches how the terms of the loss act on each other and on the "
        "output; changes no result; such a batch takes three times as long (default: never)",
    )
    add("--dry-run", action="store_true", help="print what would run, and run nothing")
    add(
        "--resume",
        metavar="NAME",
        help="continue the sweep of this name, with the options it was begun with",
    )
    add(
        "--from-store",
        action="store_true",
        help="take trials from the store that another sweep has trained to their end on the same "
        "data and with the same code, as to add seeds to it",
    )
    add(
        "--accept-code",
        action="store_true",
        help="with --resume or --from-store: though the code has changed, and with it perhaps the "
        "numbers",
    )
    parser.set_defaults(trials=None, objective=OBJECTIVE_MODES[0])
    return parser


def _seeds(text: str) -> tuple[int, ...]:
    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            found = range(int(first), int(last) + 1) if dash else [int(first)]
            if len(found) > MAX_SEEDS:
                raise UserError(f"--seeds {text!r:.80}: more than {MAX_SEEDS}")
            seeds += found
    except (ValueError, OverflowError):
        raise UserError(f"--seeds {text!r:.80}: expected numbers from 0, as 0,1,2 or 0-4") from None
    if not seeds or len(set(seeds)) != len(seeds):
        raise UserError(f"--seeds {text!r}: expected at least one seed, and none twice")
    return tuple(seeds)


def data_root_of(text: str) -> Path:
    """Return the folder of the datasets that a command is to read.

    Raises:
        UserError: there is none, or it is an address with credentials.
    """
    refuse_credentials("--data-root", text)
    if not os.path.isdir(text):
        raise UserError(f"--data-root {text}: no such folder")
    return Path(text).absolute()


def folders_of(texts: Sequence[str]) -> dict[str, Path]:
    """Return folders by name, from NAME=DIR.

    Raises:
        UserError: another form, a name given twice, or an address with credentials.
    """
    folders: dict[str, Path] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        refuse_credentials("--folder", folder)
        if not equals or not name.strip() or not folder.strip():
            raise UserError(f"--folder {text!r}: expected NAME=DIR, as mine=/home/me/music")
        if name in folders:
            raise UserError(f"--folder {text!r}: {name!r} is given twice")
        folders[name.strip()] = Path(folder).expanduser().absolute()
    return folders


def _path_or_uri(text: str) -> Path | str:
    return text if is_uri(text) else Path(text)


def _hours(texts: Sequence[str]) -> tuple[float | None, list[tuple[str, float]]]:
    """Return the hours that the command may take, and those of sets, by name."""
    hours, caps = None, []
    for text in texts:
        name, equals, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf or bool(equals) != bool(name.strip()):
            raise UserError(f"--max-hours {text!r}: expected hours, as 8, or of a set FMA/train=20")
        if equals:
            caps.append((name.strip(), number))
        else:
            hours = number
    return hours, caps


def _more_than_none(option: str, value: float | None) -> float | None:
    if value is not None and not 0 < value < math.inf:
        raise UserError(f"{option} {value:g}: expected more than 0")
    return value


def _override(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip() or not value.strip():
        raise UserError(f"--set {text!r:.80}: expected KEY.PATH=VALUE, as training.n_batches=100")
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value.strip()  # bare words are text
    except RecursionError:
        raise UserError(f"--set {text!r:.80}: nested too deep") from None
    if isinstance(parsed, float) and not math.isfinite(parsed):
        raise UserError(f"--set {text!r:.80}: expected a finite number")
    return path.strip(), parsed


def _at_least_one(option: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise UserError(f"{option} {value}: expected 1 or more")
    if value is not None and value > MOST:
        raise UserError(f"{option} {value!s:.80}: expected no more than {MOST}")
    return value


def part_of_a_card(sharing: int) -> float:
    """Return the share of a GPU of which so many make no more than one, in Ray's units."""
    return math.floor(RAY_UNITS / sharing) / RAY_UNITS


def _gpu_share(text: str | None) -> float | Literal["auto"] | None:
    """Return what a trial gets of GPUs.

    Raises:
        UserError: it is no share of the form 1/k: what such trials leave of a card makes no other,
            and where a node has several cards, trials would wait for it.
    """
    if text is None:
        return None
    if text == "auto":
        return "auto"
    above, slash, below = text.partition("/")
    try:
        value = float(above) / float(below if slash else 1)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not 0 <= value < math.inf or (value > 1 and value != int(value)):
        raise UserError(f"--gpus-per-trial {text}: expected a share from 0 to 1, a count, or auto")
    if not 0 < value < 1:
        return value
    sharing = round(1 / value)
    if abs(sharing * value - 1) > SHARE_TOLERANCE or sharing > RAY_UNITS:
        most = min(int(1 / value), RAY_UNITS - 1)
        larger = f"1/{most}" if most > 1 else "1"
        raise UserError(
            f"--gpus-per-trial {text}: part of a card would be left over; give 1/{most + 1} or "
            f"{larger}, for as many trials on a card"
        )
    return part_of_a_card(sharing)
