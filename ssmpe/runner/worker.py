"""What a trial is run with, on whichever node it is."""

from dataclasses import dataclass
from pathlib import Path

from ssmpe.config import TrialConfig
from ssmpe.data.registry import Locations
from ssmpe.sets import Ready, Sets, load_sets


@dataclass(frozen=True)
class Worker:
    """What a trial is run with; nothing of it changes a result (for equal threads and CPU type).

    Attributes:
        data_root, folders, cache: where the data lies.
        ready: key of a use of a set -> keys of its store and annotations in the cache.
        threads: CPU threads; the same for every trial of a sweep.
        use_gpu: run on the GPU that Ray assigned.
        diagnostics: batches from one measurement to the next; None: nothing is measured.
    """

    data_root: str
    folders: dict[str, str]
    cache: str
    ready: dict[str, tuple[str, str | None]]
    threads: int
    use_gpu: bool
    diagnostics: int | None

    def sets(self, config: TrialConfig) -> Sets:
        """The sets of a trial."""
        folders = {name: Path(folder) for name, folder in self.folders.items()}
        where = Locations(Path(self.data_root), folders)
        ready = {key: Ready(*keys) for key, keys in self.ready.items()}
        return load_sets(config.data, config.geometry.sample_rate, where, Path(self.cache), ready)

    @property
    def device(self) -> str:
        return "cuda" if self.use_gpu else "cpu"
