"""Data made ready before any trial starts: the embedded world, and every set decoded and parsed."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ssmpe.sets import load_sets
from ssmpe.sweep import Trial
from ssmpe.world.build import build_world, world_key


def embedded_root(cache: Path, size: str, console: Console) -> Path:
    """Data root of the embedded world, rendered into the cache on first use."""
    root = cache / "world" / world_key(size)
    with _progress(console) as bar:
        task = bar.add_task("rendering the embedded world", total=None, visible=False)

        def shown(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        build_world(root, size, shown)
    return root


def open_all_sets(trials: Sequence[Trial], root: Path, cache: Path, console: Console) -> None:
    """Decode and check all sets of the trials once, so that trials find them ready.

    Raises:
        UserError: data that cannot be used, before anything has run.
    """
    skipped: dict[str, str] = {}
    with _progress(console) as bar:
        task = bar.add_task("decoding", total=None, visible=False)

        def shown(name: str, done: int, total: int) -> None:
            bar.update(
                task, description=f"decoding {name}", completed=done, total=total, visible=True
            )

        configurations = {(str(t.config.data), t.config.geometry.sample_rate): t for t in trials}
        for trial in configurations.values():
            rate = trial.config.geometry.sample_rate
            sets = load_sets(trial.config.data, rate, root, cache, shown)
            for source in (*sets.added, sets.percussion):
                if source.store.skipped:
                    skipped[source.name] = (
                        f"{source.name}: {len(source.store.skipped)} unusable files skipped, "
                        f"listed in {source.store.folder / 'skipped.json'}"
                    )
    for line in skipped.values():
        console.print(line, highlight=False, soft_wrap=True)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
