"""Folders by their path or by a URI that pyarrow knows: s3://, gs://, file://."""

from pyarrow import fs


def is_uri(place: str) -> bool:
    """Whether it is a URI rather than a path."""
    return "://" in place


def opened(place: str) -> tuple[fs.FileSystem, str]:
    """File system of a folder, and the folder's path in it, without a slash at its end.

    Credentials, region and endpoint of object storage come from the environment, as
    ``AWS_ENDPOINT_URL``, or from the role of the machine.

    Raises:
        ValueError, OSError: no such kind of storage, or nothing of that name.
    """
    if is_uri(place):
        filesystem, root = fs.FileSystem.from_uri(place)
        return filesystem, root.rstrip("/")
    return fs.LocalFileSystem(), place.rstrip("/")
