"""Checkpoints of a sweep's trials, in a folder or an object store that every node reaches.

They hold all that a trial needs, so whatever is left of a sweep can be continued: no state of
the engine is kept beside them. An object store cannot move a folder into place; a checkpoint
counts once a last file says that it is whole. It comes with a checksum of every file, so that what
a disk or a network has changed is never taken for what was written.
"""

import hashlib
import json
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from pyarrow import fs

from ssmpe.errors import UserError, first_line
from ssmpe.storage import PATIENCE, digest_of, in_words, opened, outlast, write_and_remove

BEGUN = "begun"
"""name of a sweep's first file: where it is missing, the storage is away, as behind an empty mount
point"""
CHECKSUMS = "checksums.json"
"""name of a checkpoint's file with the SHA-256 of every other file, by its path"""
WHOLE = "whole"
"""name of a checkpoint's last file, which holds the SHA-256 of the checksums; version 0.3.0 left it
empty, and wrote no checksums"""
RESUME_SECONDS = 20.0
"""time for which a resume waits for the storage to be there"""
KEPT = 2
"""number of newest checkpoints of a trial that are kept, and of newest of those at a validation"""
_BETWEEN = "between"
_UNREADABLE = (UserError, LookupError, TypeError, ValueError, AttributeError)
"""errors that come of reading a checkpoint that is not what was written"""

Result = TypeVar("Result")


class DamagedError(UserError):
    """A checkpoint with a file that is not, or no longer, what was written."""


@dataclass(frozen=True, order=True)
class Stage:
    """A point in a trial at which a checkpoint is made.

    Attributes:
        batch: batches trained.
        validated: at the validation there, not before it or between two.
    """

    batch: int
    validated: bool = True

    @property
    def folder(self) -> str:
        """Return the name of the checkpoint's folder."""
        return f"{self.batch:08d}" if self.validated else f"{self.batch:08d}-{_BETWEEN}"

    @classmethod
    def of(cls, folder: str) -> "Stage | None":
        """Return the stage of a folder's name; None if it is no checkpoint's."""
        digits, _, between = folder.partition("-")
        if not digits.isdigit() or between not in ("", _BETWEEN):
            return None
        return cls(int(digits), not between)


class Checkpoints:
    """The checkpoints of one sweep.

    Whatever storage does not do at once is tried again for ``ssmpe.storage.PATIENCE`` seconds::

        checkpoints = Checkpoints("s3://bucket/ssmpe", "sample_count-main-20260101-000000")
        checkpoints.begin()                              # once per sweep, by the driver
        checkpoints.put("3f2a…", Stage(630), folder)     # a trial, at a validation
        last, damage = checkpoints.resumed("3f2a…", trainer.load)
        with checkpoints.fetched("3f2a…", Stage(630), ("best.pt",)) as folder:
            ...

    Args:
        storage: folder or URI (s3://, gs://, file://) for checkpoints of all sweeps.
        sweep: name of the sweep.
    """

    def __init__(self, storage: str, sweep: str) -> None:
        self._filesystem, root = opened(storage)
        self._root = f"{root}/{sweep}"
        self._is_local = isinstance(self._filesystem, fs.LocalFileSystem)

    def begin(self) -> str:
        """Begin a sweep, and return a mark by which others tell that they see the same storage."""
        mark = uuid.uuid4().hex
        outlast(partial(self._begin, mark))
        return mark

    @property
    def is_there(self) -> bool:
        """Tell whether the storage can be read just now."""
        try:
            self.require_begun()
        except OSError:
            return False
        return True

    def meet(self, mark: str, patience: float) -> None:
        """Check that what the driver has written can be read here, and that files can be written.

        Raises:
            OSError: that does not work within ``patience`` seconds.
        """
        outlast(partial(self._meet, mark), patience)

    def trials(self) -> Collection[str]:
        """Return the identities of the trials that have a checkpoint."""
        return {path.split("/")[0] for path in self._files() if path.endswith(f"/{WHOLE}")}

    def stages(self, trial: str, patience: float = PATIENCE) -> list[Stage]:
        """Return the stages of which a trial has a checkpoint, the last first."""
        files = self._files(trial, patience)
        whole = [path.split("/") for path in files if path.endswith(f"/{WHOLE}")]
        found = [Stage.of(parts[0]) for parts in whole if len(parts) == 2]
        return sorted((stage for stage in found if stage), reverse=True)

    def put(self, trial: str, stage: Stage, folder: Path, patience: float = PATIENCE) -> None:
        """Copy a checkpoint into the storage, and drop those that are outdated by newer ones.

        One that is there already is left as it is, since a trial is a function of its
        configuration; unless it is damaged.
        """
        path = self._path(trial, stage)
        if stage not in self.stages(trial, patience):
            outlast(partial(self._copy, folder, path), patience)
        elif self._is_damaged(trial, stage, patience):
            outlast(partial(self._drop, path), patience)
            outlast(partial(self._copy, folder, path), patience)
        for old in outdated(self.stages(trial, patience)):
            if old != stage:  # if later ones are there, they have been passed over as damaged
                outlast(partial(self._drop, self._path(trial, old)), patience)

    @contextmanager
    def fetched(
        self, trial: str, stage: Stage, parts: Collection[str] = (), patience: float = PATIENCE
    ) -> Iterator[Path]:
        """Give the folder of a checkpoint, or a copy of it, for the time of the block.

        Args:
            parts: its files and folders that are needed; default: all.

        Raises:
            DamagedError: one of them is not what was written.
        """
        path = self._path(trial, stage)
        if self._is_local:
            outlast(partial(self._verify, path, Path(path), parts), patience)
            yield Path(path)
            return
        with tempfile.TemporaryDirectory() as scratch:
            for part in (*parts, CHECKSUMS, WHOLE) if parts else ("",):
                outlast(partial(self._fetch, path, part, Path(scratch)), patience)
            self._verify(path, Path(scratch), parts)
            yield Path(scratch)

    def resumed(self, trial: str, load: Callable[[Path], Result]) -> tuple[Result | None, str]:
        """Load the newest checkpoint of a trial that is not damaged.

        Args:
            load: reads the folder of a checkpoint, completely before it changes anything.

        Returns:
            what ``load`` returned, None if there is no checkpoint to be used; and a line about
            those that are damaged, "" if none is.
        """
        damages: list[str] = []
        for stage in self.stages(trial):
            try:
                with self.fetched(trial, stage) as folder:
                    found = load(folder)
            except _UNREADABLE as error:
                where = "" if isinstance(error, DamagedError) else f"{self._path(trial, stage)}: "
                damages.append(f"{where}{first_line(error)}")
            else:
                use = f"the checkpoint of batch {stage.batch} is used instead"
                return found, f"{'; '.join(damages)}; {use}" if damages else ""
        none = "no other checkpoint is left: the trial begins anew"
        return None, f"{'; '.join(damages)}; {none}" if damages else ""

    def _path(self, trial: str, stage: Stage) -> str:
        return f"{self._root}/{trial}/{stage.folder}"

    def _begin(self, mark: str) -> None:
        self._filesystem.create_dir(self._root, recursive=True)
        self._write(f"{self._root}/{BEGUN}", mark.encode())

    def _meet(self, mark: str) -> None:
        self.require_begun()
        with self._filesystem.open_input_stream(f"{self._root}/{BEGUN}") as stream:
            if stream.read().decode(errors="replace") != mark:
                raise FileNotFoundError(f"{self._root}: not the storage that the driver writes to")
        write_and_remove(self._filesystem, self._root)

    def require_begun(self) -> None:
        """Check that the storage is there; FileNotFoundError or another OSError if it is not."""
        (info,) = self._filesystem.get_file_info([f"{self._root}/{BEGUN}"])
        if info.type is not fs.FileType.File:
            raise FileNotFoundError(f"{self._root}: the storage is away")

    def _files(self, trial: str = "", patience: float = PATIENCE) -> list[str]:
        root = f"{self._root}/{trial}" if trial else self._root
        return outlast(partial(self._list, root), patience)

    def _list(self, root: str) -> list[str]:
        self.require_begun()
        selector = fs.FileSelector(root, allow_not_found=True, recursive=True)
        found = self._filesystem.get_file_info(selector)
        return [i.path[len(root) :].strip("/") for i in found if i.type is fs.FileType.File]

    def _copy(self, folder: Path, path: str) -> None:
        self.require_begun()
        self._filesystem.create_dir(path, recursive=True)
        checksums = _checksums(folder)
        fs.copy_files(str(folder), path, destination_filesystem=self._filesystem)
        self._write(f"{path}/{CHECKSUMS}", checksums)
        self._write(f"{path}/{WHOLE}", hashlib.sha256(checksums).hexdigest().encode())

    def _write(self, path: str, content: bytes) -> None:
        with self._filesystem.open_output_stream(path) as stream:
            stream.write(content)

    def _is_damaged(self, trial: str, stage: Stage, patience: float) -> bool:
        try:
            with self.fetched(trial, stage, patience=patience):
                return False
        except DamagedError:
            return True

    def _verify(self, path: str, folder: Path, parts: Collection[str]) -> None:
        """Compare files with their checksums.

        Args:
            path: of the checkpoint in the storage.
            folder: of its files on this machine.

        Raises:
            DamagedError: one of them is not what was written.
            OSError: the storage is away.
        """
        damage = _damage(folder, parts)
        # one that is read where it is stored may have gone with the storage
        if folder == Path(path) and (damage or not (folder / WHOLE).exists()):
            self.require_begun()
        if damage:
            raise DamagedError(f"{path}: a damaged checkpoint ({damage})")

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


def require_begun(storage: str, sweep: str, patience: float = RESUME_SECONDS) -> None:
    """Check that a sweep was begun in this storage, before it is resumed.

    Raises:
        UserError: it was not, or the storage is away; in another one, all would begin anew.
    """
    try:
        outlast(Checkpoints(storage, sweep).require_begun, patience)
    except (OSError, ValueError) as error:
        reason = "" if isinstance(error, FileNotFoundError) else f" ({in_words(error)})"
        raise UserError(
            f"{storage}/{sweep}: the checkpoints of this sweep are not there{reason}: mount their "
            "storage, or bring them back; if they were removed on purpose, make this folder with "
            f"an empty file {BEGUN}, and what has not ended begins anew"
        ) from None


def outdated(stages: Sequence[Stage]) -> list[Stage]:
    """Return those of a trial's stages, the last first, whose checkpoints are not kept."""
    validated = [stage for stage in stages if stage.validated]
    kept = {*stages[:KEPT], *validated[:KEPT]}
    return [stage for stage in stages if stage not in kept]


def _checksums(folder: Path) -> bytes:
    """Return what is written down of the files of a checkpoint."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): digest_of(path) for path in files}
    return json.dumps(found, indent=1).encode()


def _damage(folder: Path, parts: Collection[str]) -> str:
    """Return in words what is wrong with files and folders of a checkpoint; "" if nothing is.

    One that is being removed, and so does not count, is not damaged.
    """
    try:
        whole = (folder / WHOLE).read_bytes()
        if not whole and not (folder / CHECKSUMS).exists():
            return ""  # of version 0.3.0
        checksums = (folder / CHECKSUMS).read_bytes()
        if hashlib.sha256(checksums).hexdigest().encode() != whole:
            return f"{CHECKSUMS} is not what was written"
        for name, digest in json.loads(checksums).items():
            needed = not parts or any(name == part or name.startswith(f"{part}/") for part in parts)
            if needed and digest_of(folder / name) != digest:
                return f"{name} is not what was written"
    except OSError as error:
        if (folder / WHOLE).exists():
            return f"{Path(error.filename or folder).name}: {error.strerror}"
    return ""
