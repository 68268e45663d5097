"""What a trial is run with, on whichever node it is."""

import socket
from dataclasses import dataclass
from pathlib import Path

from ssmpe.config import TrialConfig
from ssmpe.data.cache import node_cache
from ssmpe.data.registry import Locations
from ssmpe.errors import UserError
from ssmpe.runner.release import release, require_same
from ssmpe.sets import Ready, Sets, load_sets, use_of
from ssmpe.world.build import build_world, world_key


@dataclass(frozen=True)
class Worker:
    """What a trial is run with; nothing of it changes a result (for equal threads and CPU type).

    Attributes:
        home: name of the driver's host.
        release: what the driver's results depend on, as ``release`` tells it.
        data_root, folders, cache: where the data lies for the driver.
        world: size of the embedded world, if the data root is one; every node can render it.
        ready: key of a use of a set -> keys of its store and annotations in the cache.
        digests: key of a use of a set -> digest of its tracks.
        storage, sweep: where checkpoints go.
        threads: CPU threads; the same for every trial of a sweep.
        use_gpu: run on the GPU that Ray assigned.
        diagnostics: batches from one measurement to the next; None: nothing is measured.
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
    use_gpu: bool
    diagnostics: int | None

    def sets(self, config: TrialConfig) -> Sets:
        """The sets of a trial; what this node's cache does not hold of them is made first.

        Raises:
            UserError: this node has other code than the driver, or its data cannot be used or
                differs from the driver's.
        """
        host = socket.gethostname()
        try:
            if host != self.home:  # a node that joined late has not been asked at the start
                require_same(self.release, release())
            cache = node_cache(Path(self.cache))
            ready = {key: Ready(*keys) for key, keys in self.ready.items()}
            rate = config.geometry.sample_rate
            sets = load_sets(config.data, rate, self._locations(cache), cache, ready)
            self._require_equal(config, sets)
        except UserError as error:
            raise error if host == self.home else UserError(f"node {host}: {error}") from None
        return sets

    @property
    def device(self) -> str:
        return "cuda" if self.use_gpu else "cpu"

    def _locations(self, cache: Path) -> Locations:
        root = Path(self.data_root)
        if self.world:
            key = world_key(self.world)
            if key != root.name:
                raise UserError(
                    f"it renders the embedded world {key}, and the driver {root.name}: install "
                    "the same versions of all packages there"
                )
            root = build_world(cache / "world" / key, self.world)
        return Locations(root, {name: Path(folder) for name, folder in self.folders.items()})

    def _require_equal(self, config: TrialConfig, sets: Sets) -> None:
        """Sets made of other files than the driver's must have the same tracks."""
        for loaded in (sets.labelled, *sets.added, sets.percussion, *sets.evaluated):
            rate, annotated = config.geometry.sample_rate, bool(loaded.annotations)
            key = use_of(loaded.name, config.data, rate, annotated=annotated).key
            if key not in self.ready or loaded.ready.store == self.ready[key][0]:
                continue
            if loaded.store.digest != self.digests[key]:
                raise UserError(
                    f"{loaded.name} has other tracks than where the sweep was started "
                    f"({len(loaded.store)} in {loaded.store.folder}); give all nodes the same data"
                )
