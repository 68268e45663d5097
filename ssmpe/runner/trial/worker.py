"""What a trial is run with, on whichever node it is."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ray

from ssmpe.config import TrialConfig
from ssmpe.data.datasets.registry import Locations
from ssmpe.data.sets import Ready, Sets, is_ready, load_sets, use_of, uses_of
from ssmpe.data.store.cache import node_cache
from ssmpe.data.store.mirror import mirror, mirror_root
from ssmpe.errors import UserError, first_line
from ssmpe.runner.cluster.excluded import UnfitNodeError
from ssmpe.runner.cluster.release import release, require_same
from ssmpe.runner.trial.brought import unpack
from ssmpe.runner.trial.checkpoints import Checkpoints
from ssmpe.storage import is_uri
from ssmpe.world.build import build_world, world_key

LATE_SECONDS = 60.0
"""Time that a node which joined late waits to see the storage."""


@dataclass(frozen=True)
class Worker:
    """What a trial is run with; nothing of it changes a result (for equal threads and CPU type).

    Attributes:
        home: name of the driver's host.
        release: what the driver's results depend on, as ``release`` tells it.
        data_root, folders, cache: where the data lies for the driver; a URI is copied from.
        world: size of the embedded world, if the data root is one; every node can render it.
        ready: key of a use of a set -> keys of its store and annotations in the cache.
        digests: key of a use of a set -> digest of its tracks.
        storage, sweep: where checkpoints go.
        threads: CPU threads; the same for every trial of a sweep.
        gpus: that Ray assigned, or a share of one; 0: none.
        diagnostics: batches from one measurement to the next; None: nothing is measured.
        early_stop: whether a collapsing trial may be stopped, with what scores it has then.
        asked: nodes that were asked at the start whether they can run trials, by Ray's id.
        mark: of the storage, by which the others are asked; "": they are not.
        brought: objectives and datasets of the sweep's file, as ``brought.packed`` gives them.
    """

    home: str
    release: dict[str, str]
    data_root: str
    folders: dict[str, str]
    cache: str
    world: str | None
    ready: dict[str, tuple[str, str | None]]
    digests: dict[str, str]
    storage: str
    sweep: str
    threads: int
    gpus: float
    diagnostics: int | None
    early_stop: bool
    asked: tuple[str, ...] = ()
    mark: str = ""
    brought: bytes = b""

    def sets(self, config: TrialConfig) -> Sets:
        """Return the sets of a trial, and make those first that this node's cache lacks.

        Brings with them what of the trial's code the sweep's file has.

        Raises:
            UserError: data that cannot be used.
            UnfitNodeError: this node is another host than the driver's, and has other code, does
                not share the storage, or its data cannot be used or differs from the driver's.
        """
        host = socket.gethostname()
        try:
            if host != self.home:  # a node that joined late has not been asked at the start
                require_same(self.release, release())
                self._require_storage()
            unpack(self.brought)
            cache = node_cache(Path(self.cache))
            ready = {key: Ready(*keys) for key, keys in self.ready.items()}
            rate = config.geometry.sample_rate
            where = self._locations(config, cache, ready)
            sets = load_sets(config.data, rate, where, cache, ready)
            self._require_equal(config, sets)
        except UserError as error:
            if host == self.home:
                raise
            raise UnfitNodeError(f"node {host}: {error}") from None
        return sets

    def _require_storage(self) -> None:
        """Refuse to begin anew, unseen, what has checkpoints in a storage that is not here.

        One that was asked at the start does: if it is away there, it comes back.
        """
        if not self.mark or ray.get_runtime_context().get_node_id() in self.asked:
            return
        try:
            Checkpoints(self.storage, self.sweep).meet(self.mark, LATE_SECONDS)
        except (OSError, ValueError) as error:
            raise UserError(
                f"storage {self.storage}: what the driver writes there is not seen, or nothing can "
                f"be written ({first_line(error)}); give --storage that all nodes share, as "
                "s3://BUCKET/ssmpe or a folder on a network disk, and mount it before Ray starts"
            ) from None

    @property
    def use_gpu(self) -> bool:
        return self.gpus > 0

    @property
    def device(self) -> str:
        return "cuda" if self.use_gpu else "cpu"

    def _locations(self, config: TrialConfig, cache: Path, ready: Mapping[str, Ready]) -> Locations:
        folders = {name: Path(folder) for name, folder in self.folders.items()}
        if is_uri(self.data_root):
            where = Locations(mirror_root(self.data_root, cache), folders)
            uses = uses_of(config.data, config.geometry.sample_rate)
            lacking = {u.dataset for u in uses if not is_ready(u, where, cache, ready)}
            mirror(self.data_root, sorted(lacking - folders.keys()), cache)
            return where
        root = Path(self.data_root)
        if self.world:
            key = world_key(self.world)
            if key != root.name:
                raise UserError(
                    f"it renders the embedded world {key}, and the driver {root.name}: install "
                    "the same versions of all packages there"
                )
            root = build_world(cache / "world" / key, self.world)
        return Locations(root, folders)

    def _require_equal(self, config: TrialConfig, sets: Sets) -> None:
        """Check that sets made of other files than the driver's have the same tracks."""
        for loaded in (sets.labelled, *sets.added, sets.percussion, *sets.evaluated):
            rate, annotated = config.geometry.sample_rate, bool(loaded.annotations)
            key = use_of(loaded.name, config.data, rate, annotated=annotated).key
            if key not in self.ready or loaded.ready.store == self.ready[key][0]:
                continue
            # copies keep what keys are made of: with another key, the files have changed
            if is_uri(self.data_root) or loaded.store.digest != self.digests[key]:
                raise UserError(
                    f"{loaded.name} is not what it was where the sweep was started "
                    f"({len(loaded.store)} tracks in {loaded.store.folder}); give all nodes the "
                    "same data, and do not change it while a sweep runs"
                )
