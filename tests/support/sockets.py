"""What the processes of a tree listen on, as Linux tells it."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_LISTENS = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
"""state of a socket that takes what anybody sends"""


class Listener(NamedTuple):
    """A socket that others can reach; the name of a process that has it."""

    protocol: str
    address: str
    port: int
    process: str

    @property
    def is_loopback(self) -> bool:
        address = ip_address(self.address)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return (mapped or address).is_loopback


def listeners(pids: set[int]) -> list[Listener]:
    """Sockets of these processes on which they listen."""
    owners = {inode: pid for pid in pids for inode in _sockets(pid)}
    found = []
    for protocol, state in _LISTENS.items():
        for line in (_PROC / "net" / protocol).read_text().splitlines()[1:]:
            fields = line.split()
            inode = fields[9]
            if fields[3] == state and inode in owners:
                address, port = fields[1].split(":")
                name = _name(owners[inode])
                found.append(Listener(protocol, str(_address(address)), int(port, 16), name))
    return found


def _sockets(pid: int) -> Iterator[str]:
    folder = _PROC / str(pid) / "fd"
    with suppress(OSError):  # it has ended
        for descriptor in os.listdir(folder):
            with suppress(OSError):  # closed since
                if found := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(folder / descriptor)):
                    yield found[1]


def _name(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return "ended"


def _address(text: str) -> IPv4Address | IPv6Address:
    """From hexadecimal words of four bytes, each in the machine's own order."""
    words = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
