"""The nodes of a cluster, and whether each of them can run trials of this driver."""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ray
from pyarrow import fs
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ssmpe.data.store.cache import cache_dir, node_cache, writable
from ssmpe.errors import OutOfSpaceError, UserError, first_line
from ssmpe.runner.cluster.release import release, require_same
from ssmpe.runner.plan import Plan
from ssmpe.storage import is_uri, opened
from ssmpe.tracking.sqlite import sqlite_path

_INSTALL = "install ssmpe there as here, pip install -e '.[sweep]'"
_DRIVER = "driver"
"""Name of the driver's file among those of the nodes."""
ANSWER_SECONDS = 120.0
"""Time for every node to answer; a first worker may load its packages from a slow disk."""


@dataclass(frozen=True)
class Node:
    """A raylet.

    Attributes:
        id: Ray's.
        host: name of its machine; several raylets may share one.
    """

    id: str
    host: str
    n_cpus: float
    n_gpus: float

    def __str__(self) -> str:
        return f"node {self.host} ({self.id[:8]})"


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
        """Tell whether a file is there."""
        filesystem, root = opened(self.place)
        return bool(filesystem.get_file_info(f"{root}/{name}").type is fs.FileType.File)

    def write(self, name: str) -> None:
        """Write a small file."""
        filesystem, root = opened(self.place)
        with filesystem.open_output_stream(f"{root}/{name}") as stream:
            stream.write(b"written to see who sees it")


@dataclass(frozen=True)
class Question:
    """What every node is asked.

    Attributes:
        shared: folder in the storage that it has to see and to write to.
        folders: that it has to see.
        cache: the driver's.
    """

    shared: Shared
    folders: tuple[str, ...]
    cache: str


def alive() -> tuple[Node, ...]:
    """Return the nodes of the cluster that this process has joined, by host and id."""
    found = [
        Node(
            id=node["NodeID"],
            host=node["NodeManagerHostname"],
            n_cpus=float(node["Resources"].get("CPU", 0)),
            n_gpus=float(node["Resources"].get("GPU", 0)),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]
    return tuple(sorted(found, key=lambda node: (node.host, node.id)))


def require_fit(plan: Plan, address: str | None, timeout: float = ANSWER_SECONDS) -> None:
    """Check that every node of the cluster has the driver's code, its data and its storage.

    Args:
        address: of the cluster; None: it is this process's own, and there is nothing to check.
        timeout: seconds within which all have to answer.

    Raises:
        UserError: names the first node that cannot take part, why, and what to do; or the runs
            would be stored in SQLite, and there are several hosts.
    """
    if address is None:
        return
    require_server(plan.tracking_uri, alive())
    if found := problems(plan, timeout):
        node, reason = next(iter(found.items()))
        more = f" (nor can {len(found) - 1} more)" if len(found) > 1 else ""
        raise UserError(f"{node} cannot run trials{more}: {reason}")


def problems(plan: Plan, timeout: float = ANSWER_SECONDS) -> dict[Node, str]:
    """Ask every node in a task of its own; return those that cannot run trials, and why.

    Raises:
        UserError: the storage cannot be written to from here.
    """
    nodes = alive()
    folders = () if plan.world else (plan.data_root,)
    local = tuple(f for f in (*folders, *plan.folders.values()) if not is_uri(f))
    with shared(plan.storage) as folder:
        found = _asked(nodes, Question(folder, local, str(cache_dir())), timeout)
        for node in nodes:
            if node not in found and not folder.has(node.id):
                found[node] = f"storage {plan.storage}: what it writes there is not seen here"
    return found


def require_server(tracking_uri: str, nodes: Sequence[Node]) -> None:
    """Refuse a tracking store that is a file of one machine if there are several (UserError)."""
    hosts = sorted({node.host for node in nodes})
    if sqlite_path(tracking_uri) and len(hosts) > 1:
        raise UserError(
            f"runs of a cluster of {len(hosts)} hosts ({', '.join(hosts[:3])}"
            f"{', …' if len(hosts) > 3 else ''}) cannot go to {tracking_uri}: a SQLite file is of "
            "one machine, is lost with it, and breaks on a network disk; start a tracking server "
            "(README, Tracking server) and give --tracking-uri http://HOST:PORT"
        )


def _asked(nodes: Sequence[Node], question: Question, timeout: float) -> dict[Node, str]:
    """Ask the nodes; return what is wrong with those with which something is."""
    deadline = time.monotonic() + timeout
    asked = {
        node: ray.remote(num_cpus=0, max_retries=0)(_answer)
        .options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False))
        .remote(question, node.id)
        for node in nodes
    }
    here, found = release(), {}
    for node, reference in asked.items():
        try:
            there, problem = ray.get(reference, timeout=max(0.0, deadline - time.monotonic()))
            require_same(here, there)
        except UserError as error:
            problem = str(error)
        except GetTimeoutError:
            problem = f"it does not answer within {timeout:g} s; end its Ray, or start it again"
        except RayTaskError as error:
            problem = _told(error)
        except RayError as error:
            problem = f"its Ray fails ({type(error).__name__}: {_short(error)})"
        if problem:
            found[node] = problem
    return found


def _answer(question: Question, node: str) -> tuple[dict[str, str], str | None]:
    """Return, on the node that is asked, what it has and what is wrong with it."""
    try:
        question.shared.meet(node)
        writable(node_cache(Path(question.cache)))
        for folder in question.folders:
            if not Path(folder).is_dir():
                raise UserError(
                    f"the folder {folder} is not there; mount it on every node at this path, or "
                    "give --data-root s3://…, which every node copies for itself"
                )
    except (UserError, OutOfSpaceError) as error:
        return release(), str(error)
    return release(), None


@contextmanager
def shared(storage: str) -> Iterator[Shared]:
    """Make a new folder in the storage with a file in it, for the time of the block.

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


def _told(error: RayTaskError) -> str:
    """Return why a node could not even try: most of all, it has no such module."""
    if "No module named" in str(error):
        module = str(error).split("No module named")[1].split("'")[1]
        return f"it has no module {module}; {_INSTALL}"
    return f"it cannot be asked ({_short(error)}); {_INSTALL}"


def _short(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if isinstance(error, RayTaskError) else 0][:200]
