"""Building an audio store: one writer, parallel decoding, taken up again where it was left."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from ssmpe.data.datasets.dataset import Track
from ssmpe.data.store.decode import decode_all
from ssmpe.data.store.layout import FORMATS, write_tables
from ssmpe.data.store.partial import JOURNAL, Partial
from ssmpe.data.store.room import require_room_for
from ssmpe.errors import DataError, OutOfSpaceError
from ssmpe.storage import tells_of_full_disk

Progress = Callable[[int, int, str], None]
"""Called with tracks done, tracks in all, name of the track just done"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the system frees it when the holder dies."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(
    store: Path,
    tracks: Sequence[Track],
    folder: Path,
    sample_rate: int,
    sample_format: str,
    *,
    skip_bad: bool,
    progress: Progress | None,
) -> None:
    """Write the store ``store``; to be called by one process at a time.

    Args:
        folder: the dataset's.

    Raises:
        DataError: unusable audio and not ``skip_bad``, or none is usable.
        UserError: the disk has not room enough by the files' headers.
        OutOfSpaceError: the disk filled up; the next build goes on from there.
    """
    partial = store.with_name(f"{store.name}.partial")  # a killed build may have left one
    try:
        with Partial(partial, FORMATS[sample_format]) as unfinished:
            require_room_for(
                tracks[len(unfinished.entries) :], store.parent, sample_rate, FORMATS[sample_format]
            )
            _decode_into(unfinished, tracks, sample_rate, skip_bad, progress)
        write_tables(partial, tracks, folder, unfinished.entries, sample_rate, sample_format)
        _remove(store)
        os.replace(partial, store)
        (store / JOURNAL).unlink()
    except DataError:
        _remove(partial)  # a file that is mended later makes it another store
        raise
    except OSError as error:
        if not tells_of_full_disk(error):
            raise
        raise OutOfSpaceError(
            f"the disk of {store.parent} filled up while audio was decoded into it; free some "
            "space and start again, which goes on from there, or set SSMPE_CACHE to a folder on "
            "another disk"
        ) from None


def _decode_into(
    unfinished: Partial,
    tracks: Sequence[Track],
    sample_rate: int,
    skip_bad: bool,
    progress: Progress | None,
) -> None:
    bad: list[DataError] = []
    done = len(unfinished.entries)
    for track, entry in zip(tracks, unfinished.entries, strict=False):
        if entry.skipped:
            bad.append(DataError(f"{track.audio}: {entry.skipped}"))
    if done and progress:
        progress(done, len(tracks), tracks[done - 1].name)
    if bad and not skip_bad:
        raise bad[0]
    with closing(decode_all(tracks[done:], sample_rate)) as decoded:
        for track, result in zip(tracks[done:], decoded, strict=True):
            try:
                if isinstance(result, DataError):
                    raise result
                unfinished.write(result.blocks, result.source_rate)
            except DataError as error:
                if not skip_bad:
                    raise
                bad.append(error)
                unfinished.skip(str(error).removeprefix(f"{track.audio}: "))
            if progress:
                progress(len(unfinished.entries), len(tracks), track.name)
    if len(bad) == len(tracks):
        raise DataError(f"none of {len(tracks)} tracks is usable: {bad[0]}")


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
