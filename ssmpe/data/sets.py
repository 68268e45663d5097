"""The sets of a trial, opened: decoded audio with annotations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ssmpe.config import DataConfig
from ssmpe.data.cap import capped, capped_in_number, labelled_part
from ssmpe.data.datasets.dataset import Dataset, Track
from ssmpe.data.datasets.registry import Locations, open_dataset, resolve
from ssmpe.data.store.annotations import (
    Annotations,
    annotations_key,
    load_annotations,
    save_annotations,
)
from ssmpe.data.store.audio_store import AudioStore
from ssmpe.errors import UserError

Progress = Callable[[str, int, int], None]
"""Function that is called with the set's name, tracks decoded and tracks in all"""


@dataclass(frozen=True)
class Use:
    """A set as a trial uses it: all that its tracks, annotations and decoded samples depend on.

    Attributes:
        name: as in the registry, for example "URMP/train".
        annotated: whether annotations are needed; every file must be usable then.
        sample_rate: Hz
        max_hours, max_tracks, options, sample_format: as ``DataConfig`` has them.
    """

    name: str
    annotated: bool
    sample_rate: int
    max_hours: float | None = None
    max_tracks: int | None = None
    options: tuple[tuple[str, bool], ...] = ()
    sample_format: str = "float32"

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return self.name.split("/")[0]

    @property
    def key(self) -> str:
        """Text that differs between uses that differ."""
        return repr(self)

    def listed(self, where: Locations) -> tuple[Dataset, tuple[Track, ...]]:
        """Return the dataset, and the tracks that are used, sorted by name.

        Raises:
            UserError: as ``resolve`` does.
        """
        found = resolve(self.name, where, dict(self.options))
        tracks = found.tracks
        if self.max_hours is not None:
            tracks = capped(tracks, self.max_hours)
        if self.max_tracks is not None:
            tracks = capped_in_number(tracks, self.max_tracks)
        return found.dataset, tracks


@dataclass(frozen=True)
class Ready:
    """Keys of what the cache holds of a use; with them, nothing has to be listed again."""

    store: str
    annotations: str | None


@dataclass(frozen=True)
class LoadedSet:
    """A set that is ready to be used.

    Attributes:
        name: as in the registry, for example "URMP/train".
        store: its audio; track i of the store has annotation i.
        annotations: one per track of the store; empty if the set is used without.
        ready: how it is found again.
    """

    name: str
    store: AudioStore
    annotations: Annotations
    ready: Ready

    def labelled_tracks(self, share: float) -> frozenset[int]:
        """Return the indices of the share (0 to 1] of the tracks that is learnt from with labels.

        Raises:
            UserError: one of them has no annotation.
        """
        chosen = labelled_part(self.store.tracks, share)
        bare = sorted(i for i in chosen if self.annotations[i] is None)
        if bare:
            raise UserError(
                f"data.labelled_share.{self.name} = {share:g}: {self.store.tracks[bare[0]].name} "
                f"has no annotation ({len(bare)} of {len(chosen)} tracks)"
            )
        return chosen


@dataclass(frozen=True)
class Sets:
    """All sets of a trial: the labelled one, those added, drums, and those it is scored on."""

    labelled: LoadedSet
    added: tuple[LoadedSet, ...]
    percussion: LoadedSet
    evaluated: tuple[LoadedSet, ...]


def use_of(name: str, config: DataConfig, sample_rate: int, *, annotated: bool) -> Use:
    """Return how a trial uses one of its sets."""
    own = tuple((k, v) for k, v in config.options.items() if k.startswith(f"{name.split('/')[0]}/"))
    form = "float32" if annotated else config.sample_format
    caps = config.max_hours.get(name), config.max_tracks.get(name)
    return Use(name, annotated, sample_rate, *caps, own, form)


def uses_of(config: DataConfig, sample_rate: int) -> tuple[Use, ...]:
    """Return all uses of a trial: labelled, added, percussion, evaluated sets, in this order."""
    return tuple(roles_of(config, sample_rate))


def roles_of(config: DataConfig, sample_rate: int) -> dict[Use, tuple[str, ...]]:
    """Return all uses of a trial with their roles: "labelled", "added", "percussion" and so on."""
    named = [("labelled", config.labelled, True)]
    named += [("added", name, name in config.labelled_share) for name in config.added]
    named += [("percussion", config.percussion, False), ("validation", config.validation, True)]
    named += [("evaluation", name, True) for name in config.evaluated_sets[1:]]
    roles: dict[Use, tuple[str, ...]] = {}
    for role, name, annotated in named:
        use = use_of(name, config, sample_rate, annotated=annotated)
        roles[use] = (*roles.get(use, ()), role)
    return roles


def load_use(
    use: Use,
    where: Locations,
    cache: Path,
    ready: Mapping[str, Ready] | None = None,
    progress: Progress | None = None,
) -> LoadedSet:
    """Open a set, decoding and parsing what the cache does not yet hold.

    Args:
        ready: key of a use -> what the cache was found to hold of it.

    Raises:
        UserError: a missing set, or files of an annotated one that cannot be used.
    """
    if ready and use.key in ready and (found := _found(use, where, cache, ready[use.key])):
        return found
    dataset, tracks = use.listed(where)
    if use.annotated:
        dataset.require_files(tracks)
    report = None if progress is None else lambda done, n, _: progress(use.name, done, n)
    store = AudioStore.open(
        tracks,
        dataset.folder,
        cache,
        use.sample_rate,
        skip_bad=not use.annotated,
        sample_format=use.sample_format,
        progress=report,
    )
    if not use.annotated:
        return LoadedSet(use.name, store, (), Ready(store.key, None))
    key = annotations_key(dataset, tracks, dict(use.options))
    annotations = load_annotations(cache, key)
    if annotations is None:
        annotations = tuple(dataset.annotation(track) for track in tracks)
        save_annotations(cache, key, annotations)
    return LoadedSet(use.name, store, annotations, Ready(store.key, key))


def load_sets(
    config: DataConfig,
    sample_rate: int,
    where: Locations,
    cache: Path,
    ready: Mapping[str, Ready] | None = None,
) -> Sets:
    """Open the sets of a trial, decoding what the cache does not yet hold.

    Raises:
        UserError: as ``load_use`` does, or a set without annotations that it would need.
            Unusable audio of unlabelled sets is skipped and reported by their stores.
    """

    def load(name: str, annotated: bool) -> LoadedSet:
        use = use_of(name, config, sample_rate, annotated=annotated)
        return load_use(use, where, cache, ready)

    labelled = load(config.labelled, annotated=True)
    evaluated = tuple(load(name, annotated=True) for name in config.evaluated_sets)
    for setting, source in (("labelled", labelled), ("validation", evaluated[0])):
        if None in source.annotations:
            raise UserError(f"data.{setting} = {source.name!r}: that set has no annotations")
    added = tuple(load(name, annotated=name in config.labelled_share) for name in config.added)
    for source in added:
        if share := config.labelled_share.get(source.name):
            source.labelled_tracks(share)  # refuses tracks without labels before a trial starts
    return Sets(
        labelled=labelled,
        added=added,
        percussion=load(config.percussion, annotated=False),
        evaluated=evaluated,
    )


def is_ready(use: Use, where: Locations, cache: Path, ready: Mapping[str, Ready]) -> bool:
    """Tell whether the cache still holds what it held of a use; no file of the set is read."""
    return use.key in ready and _found(use, where, cache, ready[use.key]) is not None


def _found(use: Use, where: Locations, cache: Path, ready: Ready) -> LoadedSet | None:
    folder = open_dataset(use.dataset, where, dict(use.options)).folder
    store = AudioStore.find(ready.store, folder, cache)
    annotations: Annotations | None = ()
    if ready.annotations is not None:
        annotations = load_annotations(cache, ready.annotations)
    if store is None or annotations is None:
        return None  # another node, or the cache was emptied meanwhile
    return LoadedSet(use.name, store, annotations, ready)
