"""Checkpoints of a sweep's trials, in a folder or an object store that every node reaches.

They hold all that a trial needs, so whatever is left of a sweep can be continued: no state of
the engine is kept beside them. An object store cannot move a folder into place; a checkpoint
counts once a last, empty file says that it is whole.
"""

import tempfile
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pyarrow import fs

from ssmpe.storage import PATIENCE, opened, outlast, write_and_remove

BEGUN = "begun"
"""file of a sweep: where it is missing, the storage is away, an empty mount point say"""
WHOLE = "whole"
"""file of a checkpoint, written last"""
KEPT = 2
"""newest checkpoints of a trial that are kept, and newest of those made at a validation"""
_BETWEEN = "between"


@dataclass(frozen=True, order=True)
class Stage:
    """How far a trial had come.

    Attributes:
        batch: batches trained.
        validated: at the validation there, not before it or between two.
    """

    batch: int
    validated: bool = True

    @property
    def folder(self) -> str:
        """Name of the checkpoint's folder."""
        return f"{self.batch:08d}" if self.validated else f"{self.batch:08d}-{_BETWEEN}"

    @classmethod
    def of(cls, folder: str) -> "Stage | None":
        """From a folder's name; None if it is no checkpoint's."""
        digits, _, between = folder.partition("-")
        if not digits.isdigit() or between not in ("", _BETWEEN):
            return None
        return cls(int(digits), not between)


class Checkpoints:
    """Those of one sweep.

    Whatever storage does not do at once is tried again for ``ssmpe.storage.PATIENCE``
    seconds.

    Args:
        storage: folder or URI (s3://, gs://, file://) for checkpoints of all sweeps.
        sweep: name of the sweep.
    """

    def __init__(self, storage: str, sweep: str) -> None:
        self._filesystem, root = opened(storage)
        self._root = f"{root}/{sweep}"
        self._is_local = isinstance(self._filesystem, fs.LocalFileSystem)

    def begin(self) -> str:
        """Make room for the sweep; a mark by which others tell that they see the same storage."""
        mark = uuid.uuid4().hex
        outlast(partial(self._begin, mark))
        return mark

    @property
    def is_there(self) -> bool:
        """Whether the storage can be read just now."""
        try:
            self._require_begun()
        except OSError:
            return False
        return True

    def meet(self, mark: str, patience: float) -> None:
        """Read what the driver has written, and write.

        Raises:
            OSError: that does not work within ``patience`` seconds.
        """
        outlast(partial(self._meet, mark), patience)

    def trials(self) -> Collection[str]:
        """Identities of the trials that have a whole checkpoint."""
        return {path.split("/")[0] for path in self._files() if path.endswith(f"/{WHOLE}")}

    def stages(self, trial: str, patience: float = PATIENCE) -> list[Stage]:
        """Stages of a trial that have a whole checkpoint, the last first."""
        files = self._files(trial, patience)
        whole = [path.split("/") for path in files if path.endswith(f"/{WHOLE}")]
        found = [Stage.of(parts[0]) for parts in whole if len(parts) == 2]
        return sorted((stage for stage in found if stage), reverse=True)

    def put(self, trial: str, stage: Stage, folder: Path, patience: float = PATIENCE) -> None:
        """Copy a checkpoint into the storage, and drop those that are outdated by newer ones.

        One that is there already is left as it is: a trial is a function of its configuration.
        """
        if stage not in self.stages(trial, patience):
            outlast(partial(self._copy, folder, self._path(trial, stage)), patience)
        for old in outdated(self.stages(trial, patience)):
            outlast(partial(self._drop, self._path(trial, old)), patience)

    @contextmanager
    def fetched(self, trial: str, stage: Stage, parts: Collection[str] = ()) -> Iterator[Path]:
        """The folder of a checkpoint, or a copy of it, for the time of the block.

        Args:
            parts: its files and folders that are needed; default: all.
        """
        path = self._path(trial, stage)
        if self._is_local:
            yield Path(path)
            return
        with tempfile.TemporaryDirectory() as scratch:
            for part in parts or ("",):
                outlast(partial(self._fetch, path, part, Path(scratch)))
            yield Path(scratch)

    def _path(self, trial: str, stage: Stage) -> str:
        return f"{self._root}/{trial}/{stage.folder}"

    def _begin(self, mark: str) -> None:
        self._filesystem.create_dir(self._root, recursive=True)
        with self._filesystem.open_output_stream(f"{self._root}/{BEGUN}") as stream:
            stream.write(mark.encode())

    def _meet(self, mark: str) -> None:
        self._require_begun()
        with self._filesystem.open_input_stream(f"{self._root}/{BEGUN}") as stream:
            if stream.read().decode(errors="replace") != mark:
                raise FileNotFoundError(f"{self._root}: not the storage that the driver writes to")
        write_and_remove(self._filesystem, self._root)

    def _require_begun(self) -> None:
        (info,) = self._filesystem.get_file_info([f"{self._root}/{BEGUN}"])
        if info.type is not fs.FileType.File:
            raise FileNotFoundError(f"{self._root}: the storage is away")

    def _files(self, trial: str = "", patience: float = PATIENCE) -> list[str]:
        root = f"{self._root}/{trial}" if trial else self._root
        return outlast(partial(self._list, root), patience)

    def _list(self, root: str) -> list[str]:
        self._require_begun()
        selector = fs.FileSelector(root, allow_not_found=True, recursive=True)
        found = self._filesystem.get_file_info(selector)
        return [i.path[len(root) :].strip("/") for i in found if i.type is fs.FileType.File]

    def _copy(self, folder: Path, path: str) -> None:
        self._require_begun()
        self._filesystem.create_dir(path, recursive=True)
        fs.copy_files(str(folder), path, destination_filesystem=self._filesystem)
        with self._filesystem.open_output_stream(f"{path}/{WHOLE}"):
            pass

    def _fetch(self, path: str, part: str, scratch: Path) -> None:
        source = f"{path}/{part}" if part else path
        (info,) = self._filesystem.get_file_info([source])
        if info.type is fs.FileType.NotFound:
            return
        target = scratch / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if info.type is fs.FileType.Directory:
            target.mkdir(exist_ok=True)
        fs.copy_files(source, str(target), source_filesystem=self._filesystem)

    def _drop(self, path: str) -> None:
        # what is no longer whole must not count while it is being removed
        for gone in (f"{path}/{WHOLE}", path):
            (info,) = self._filesystem.get_file_info([gone])
            if info.type is fs.FileType.File:
                self._filesystem.delete_file(gone)
            elif info.type is fs.FileType.Directory:
                self._filesystem.delete_dir(gone)


def outdated(stages: Sequence[Stage]) -> list[Stage]:
    """Those of a trial's stages, the last first, whose checkpoints are not kept."""
    validated = [stage for stage in stages if stage.validated]
    kept = {*stages[:KEPT], *validated[:KEPT]}
    return [stage for stage in stages if stage not in kept]
