"""Processes of a tree, as Linux tells of them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

_PROC = Path("/proc")


def tree(root: int) -> set[int]:
    """Return the ids of a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            # the name, in parentheses, may have spaces
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    found, waiting = set(), [root]
    while waiting:
        found.add(waiting[-1])
        waiting += children.get(waiting.pop(), [])
    return found


def titled(pids: Iterable[int], title: str) -> list[int]:
    """Return those of the processes whose command line begins with some text."""
    return [pid for pid, command in _commands(pids) if command.startswith(title)]


def running(pids: Iterable[int], program: str) -> list[int]:
    """Return those of the processes that run a program, as "raylet"."""
    return [
        pid for pid, command in _commands(pids) if Path(command.partition("\0")[0]).name == program
    ]


def _commands(pids: Iterable[int]) -> Iterator[tuple[int, str]]:
    for pid in sorted(pids):
        try:
            command = (_PROC / str(pid) / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        yield pid, command.decode(errors="replace")
