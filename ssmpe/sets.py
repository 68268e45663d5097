"""The sets of a trial, opened: decoded audio with annotations."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ssmpe.config import DataConfig
from ssmpe.data.annotation import Annotation
from ssmpe.data.excerpts import ExcerptSampler
from ssmpe.data.registry import Locations, resolve
from ssmpe.data.store import AudioStore
from ssmpe.errors import UserError

Progress = Callable[[str, int, int], None]
"""Called with the set's name, tracks decoded and tracks in all."""


@dataclass(frozen=True)
class LoadedSet:
    """A set ready to be used.

    Attributes:
        name: as in the registry, for example "URMP/train".
        store: its audio; track i of the store has annotation i.
        annotations: one per track of the store, or None if the set is used without.
    """

    name: str
    store: AudioStore
    annotations: tuple[Annotation | None, ...]


@dataclass(frozen=True)
class Sets:
    """All sets of a trial: to learn from with and without labels, drums, and to be scored on."""

    labelled: LoadedSet
    added: tuple[LoadedSet, ...]
    percussion: LoadedSet
    evaluated: tuple[LoadedSet, ...]


def load_sets(
    config: DataConfig,
    sample_rate: int,
    root: Path,
    cache: Path,
    progress: Progress | None = None,
) -> Sets:
    """Open the sets of a trial under the data root, decoding what the cache does not yet hold.

    Raises:
        UserError: an unknown or missing set, one too small for a batch, or a file of a labelled or
            evaluated set that cannot be used. Unusable audio of unlabelled sets is skipped and
            reported by their stores.
    """

    def load(name: str, labelled: bool) -> LoadedSet:
        found = resolve(name, Locations(root), config.options)
        if labelled:
            found.dataset.require_files(found.tracks)
        report = None if progress is None else lambda done, n, _: progress(name, done, n)
        store = AudioStore.open(
            found.tracks, cache, sample_rate, skip_bad=not labelled, progress=report
        )
        annotations = found.dataset.annotation if labelled else lambda track: None
        return LoadedSet(name, store, tuple(annotations(track) for track in store.tracks))

    labelled = load(config.labelled, labelled=True)
    evaluated = tuple(load(name, labelled=True) for name in config.evaluated_sets)
    for setting, source in (("labelled", labelled), ("validation", evaluated[0])):
        if None in source.annotations:
            raise UserError(f"data.{setting} = {source.name!r}: that set has no annotations")
    # refuses a batch larger than the set here, before any trial has started
    ExcerptSampler(labelled.store, 1, (), drop_incomplete=True).batches_per_epoch(
        config.labelled_excerpts
    )
    return Sets(
        labelled=labelled,
        added=tuple(load(name, labelled=False) for name in config.added),
        percussion=load(config.percussion, labelled=False),
        evaluated=evaluated,
    )
