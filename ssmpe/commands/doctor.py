"""``ssmpe doctor``: what of this machine is fit for training, transcribing and sweeps."""

import argparse
import os
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ssmpe import __version__
from ssmpe.console import printable
from ssmpe.errors import UserError

CORE = ("torch", "numpy", "nnAudio", "mir_eval", "soundfile", "matplotlib")
SWEEP = ("ray", "mlflow", "optuna", "pandas", "music21", "pretty_midi")
LEAST_GIB = 2.0
"""Memory of the smallest sweep, with room to spare"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options: none."""
    parser.set_defaults(run=run)


def run(given: argparse.Namespace, console: Console) -> int:
    """Print a line for each part of the machine."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for part, found in (*_machine(), *_torch(), *_packages(), *_folders()):
        table.add_row(part, printable(found))
    console.print(table)
    return 0


def _machine() -> Iterator[tuple[str, str]]:
    yield "ssmpe", f"{__version__}, Python {platform.python_version()}, {platform.platform()}"
    cores, busy = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    yield "CPU cores", f"{cores}" + (f"; busy: load {busy:.1f}" if busy > cores / 2 else "")
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (page * os.sysconf(f"SC_{n}PHYS_PAGES") / 2**30 for n in ("", "AV"))
    little = f"; a sweep wants {LEAST_GIB:g}" if total < LEAST_GIB else ""
    yield "memory", f"{total:.1f} GiB, {free:.1f} unused{little}"


def _torch() -> Iterator[tuple[str, str]]:
    import torch

    from ssmpe.network.precision import cpu_has_bf16

    yield (
        "bf16 on CPU",
        "yes" if cpu_has_bf16() else "no: this processor has no such instructions",
    )
    if not torch.cuda.is_available():
        yield "GPU", "none that PyTorch can use: all runs on CPU cores"
    for number in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(number)
        bf16 = "bf16" if found.major >= 8 else "no bf16: set training.mixed_precision=false"
        yield f"GPU {number}", f"{found.name}, {found.total_memory / 2**30:.0f} GiB, {bf16}"


def _packages() -> Iterator[tuple[str, str]]:
    for what, names, remedy in (
        ("core", CORE, "pip install ssmpe"),
        ("sweeps", SWEEP, "pip install 'ssmpe[sweep]'"),
    ):
        found = {name: _version(name) for name in names}
        missing = [name for name, text in found.items() if text is None]
        told = ", ".join(f"{name} {text}" for name, text in found.items() if text)
        yield what, told + (f"; missing: {', '.join(missing)}: {remedy}" if missing else "")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _folders() -> Iterator[tuple[str, str]]:
    from ssmpe.data.store.cache import cache_dir
    from ssmpe.experiments.options import RESULTS

    try:
        cache = cache_dir()
    except UserError as error:
        yield "cache", str(error)
    else:
        yield "cache", f"{cache}, {_free(cache)}; the embedded world (tiny) {_world(cache)}"
    there = "has sweeps" if (RESULTS / "mlflow.db").is_file() else "no sweep has run here yet"
    yield "results", f"{RESULTS.absolute()}, {_free(Path.cwd())}; {there}"


def _world(cache: Path) -> str:
    """Return what of the embedded world is in the cache; the core alone cannot render it."""
    try:
        from ssmpe.world.build import world_key

        rendered = (cache / "world" / world_key("tiny")).is_dir()
    except ModuleNotFoundError:
        return "needs 'ssmpe[sweep]'"
    return "is there" if rendered else "will be rendered by the first sweep"


def _free(folder: Path) -> str:
    return f"{shutil.disk_usage(folder).free / 1e9:.0f} GB free"
