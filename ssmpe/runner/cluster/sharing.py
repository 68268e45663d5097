"""Whether storage is one and the same for all nodes: each writes to it what others have to see."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyarrow import fs

from ssmpe.errors import UserError, first_line
from ssmpe.storage import opened

_DRIVER = "driver"


@dataclass(frozen=True)
class Shared:
    """A folder in the storage, for the time of a test.

    Attributes:
        storage: as the user gave it.
        place: path or URI of the folder.
    """

    storage: str
    place: str

    def meet(self, node: str) -> None:
        """See what the driver has written, and write for it to see.

        Raises:
            UserError: one of them does not work; the line goes on after the name of the node.
        """
        try:
            if seen := self.has(_DRIVER):
                self.write(node)
        except (OSError, ValueError) as error:
            raise UserError(
                f"storage {self.storage} cannot be used from there ({first_line(error)})"
            ) from None
        if not seen:
            raise UserError(
                f"storage {self.storage}: what the driver writes there is not seen; give --storage "
                "that all nodes share, as s3://BUCKET/ssmpe or a folder on a network disk"
            )

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        filesystem, root = opened(self.place)
        return bool(filesystem.get_file_info(f"{root}/{name}").type is fs.FileType.File)

    def write(self, name: str) -> None:
        """Write a small file."""
        filesystem, root = opened(self.place)
        with filesystem.open_output_stream(f"{root}/{name}") as stream:
            stream.write(b"written to see who sees it")


@contextmanager
def shared(storage: str) -> Iterator[Shared]:
    """A new folder in the storage with a file of the driver's; removed afterwards.

    Raises:
        UserError: the storage cannot be written to, or nothing can be removed from it.
    """
    path, _, query = storage.partition("?")  # a URI may end in options, as ?region=eu-west-1
    place = f"{path.rstrip('/')}/.nodes-{uuid.uuid4().hex}" + (f"?{query}" if query else "")
    folder = Shared(storage, place)
    try:
        filesystem, root = opened(place)
        filesystem.create_dir(root, recursive=True)
        folder.write(_DRIVER)
    except (OSError, ValueError) as error:
        raise UserError(
            f"--storage {storage}: cannot be written to ({first_line(error)})"
        ) from None
    try:
        yield folder
    finally:
        try:
            filesystem.delete_dir(root)
        except OSError as error:
            raise UserError(
                f"--storage {storage}: nothing can be deleted there ({first_line(error)})"
            ) from None
