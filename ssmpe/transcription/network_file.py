"""A trained network as one file, to be handed on: a description and plain numbers, no pickle.

It is an archive as ``numpy.savez`` writes it: every weight is an array of its own, named as in the
network, and ``DESCRIPTION`` is a text, JSON in UTF-8: the checkpoint's own description, and
where the network comes from. The archive's sums of its parts tell damages. Whoever has nothing but
NumPy can read it. The package comes with such a file (``SHIPPED``).
"""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssmpe.console import written
from ssmpe.errors import UserError, first_line

SUFFIX = ".npz"
SHIPPED = Path(__file__).with_name(f"shipped{SUFFIX}")
"""The network that comes with the package; ``shipped.md`` beside it is its card."""
DESCRIPTION = "description"
"""Name of the member that is no weight"""
_FORMAT = 1


def is_network_file(path: Path) -> bool:
    """Tell whether a path is that of a file of this kind, by its name alone."""
    return path.suffix == SUFFIX and not path.is_dir()


def write(path: Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write a network; the file appears whole or not at all, and replaces nothing but files.

    Args:
        tensors: weights by name.
        description: JSON-representable data, as a checkpoint has them.
    """
    text = json.dumps({**description, "format": _FORMAT}, indent=1).encode()
    # plain numbers all of them, of which nothing is pickled
    arrays: dict[str, Any] = {name: w.detach().cpu().numpy() for name, w in tensors.items()}
    arrays[DESCRIPTION] = np.frombuffer(text, np.uint8)
    whole = io.BytesIO()  # a device cannot be gone back in
    np.savez(whole, **arrays)
    with written(path) as file:
        file.buffer.write(whole.getvalue())


def read(path: Path, device: str = "cpu") -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read such a file, which may be anybody's: no code is run, and no memory taken for nothing.

    Returns:
        the description, and the weights by name.

    Raises:
        UserError: there is none, it cannot be read, is damaged, or is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {
                member.filename.removesuffix(".npy"): _array(archive, member)
                for member in archive.infolist()
            }
        described = json.loads(arrays.pop(DESCRIPTION).tobytes().decode())
        if not isinstance(described, dict) or described.get("format") != _FORMAT:
            raise ValueError(f"no description of format {_FORMAT}")
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} has values that are not finite")
        tensors = {name: torch.from_numpy(a).to(device) for name, a in arrays.items()}
    except Exception as error:  # a damaged file can raise anything; all of it means the same
        raise UserError(f"{path}: no usable network ({first_line(error)})") from None
    return described, tensors


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Read one array, whose size is checked before any memory is taken.

    Raises:
        ValueError: it is compressed, or not of the size that it claims.
    """
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename} is compressed")
    data = io.BytesIO(archive.read(member))  # checks its sum
    if np.lib.format.read_magic(data) != (1, 0):
        raise ValueError(f"{member.filename} is no array of format 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(data)
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or size != member.file_size - data.tell():
        raise ValueError(f"{member.filename} is not of the size that it claims")
    data.seek(0)
    array: np.ndarray = np.lib.format.read_array(data, allow_pickle=False)
    return array
