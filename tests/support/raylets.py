"""Ray clusters of several nodes on one machine: raylets as processes of their own, on loopback."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    # all of a cluster of one machine stays on 127.0.0.1
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "OMP_NUM_THREADS": "1",
}
"""of raylets and of the drivers that join them"""
APART = ("unshare", "--map-root-user", "--uts", "--mount")
"""runs a command where the host may have another name, and folders may be covered"""


class Cluster:
    """A head and further nodes, ended with the block; to be used in a ``with`` statement.

    Attributes:
        address: to join it.
        nodes: their processes, the head first; each leads a process group with all that is its.
    """

    def __init__(self, n_cpus: int = 1, environment: Mapping[str, str] | None = None) -> None:
        self.nodes: list[subprocess.Popen[str]] = []
        # the path of a socket must not be longer than 107 bytes
        self._folder = tempfile.mkdtemp(prefix="raylets-", dir="/tmp")
        self.address = ""
        self.address = self.add(n_cpus, environment=environment)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *error: object) -> None:
        for node in reversed(self.nodes):
            self.end(node)
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(
        self,
        n_cpus: int = 1,
        host: str | None = None,
        covered: Mapping[Path, Path] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Start a node; the address of the head.

        Args:
            host: it is on a machine of its own, as far as the host's name tells.
            covered: folders of this machine -> what that machine sees in their place.
        """
        command = [
            sys.executable,
            "-m",
            "tests.support.raylets",
            self._folder,
            str(n_cpus),
            self.address,
        ]
        if host:
            mounts = [f"mount --bind '{new}' '{old}' && " for old, new in (covered or {}).items()]
            script = "".join([*mounts, 'hostname "$0" && exec "$@"'])
            command = [*APART, "sh", "-c", script, host, *command]
        node = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, **(environment or {})},
            stdin=subprocess.PIPE,  # it ends with this process, however that ends
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.nodes.append(node)
        assert node.stdout
        address = node.stdout.readline().strip()
        assert address, "a raylet did not start"
        return address

    def end(self, node: subprocess.Popen[str]) -> None:
        """Kill a node with its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait()


def several_hosts() -> bool:
    """Tell whether a node may have a host name of its own here."""
    try:
        return subprocess.run([*APART, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


SCALING = {
    "RAY_FAKE_CLUSTER": "1",
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    "RAY_enable_autoscaler_v2": "0",
    "RAY_OVERRIDE_NODE_ID_FOR_TESTING": f"{'f' * 51}00000",
}
"""environment of a head whose autoscaler makes nodes of one CPU, on this machine"""


def scaling_config(folder: str) -> tuple[str, int]:
    """Write a file for Ray's autoscaler; return it, and the port of the head that it names."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    provider = {
        "type": "fake_multinode",
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
        "gcs_address": f"127.0.0.1:{port}",
        "head_node_id": SCALING["RAY_OVERRIDE_NODE_ID_FOR_TESTING"],
    }
    worker = {"CPU": 1, "object_store_memory": 80 * 2**20}
    types = {
        "ray.head.default": {"resources": {}, "node_config": {}, "max_workers": 0},
        "worker": {"resources": worker, "node_config": {}, "min_workers": 0, "max_workers": 2},
    }
    nothing: tuple[str, ...] = ("initialization_commands", "setup_commands", "head_setup_commands")
    nothing += ("worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands")
    config = {
        "cluster_name": "fake", "max_workers": 2, "upscaling_speed": 100.0, "docker": {},
        "idle_timeout_minutes": 5, "provider": provider, "auth": {}, "available_node_types": types,
        "head_node_type": "ray.head.default", "file_mounts": {}, "cluster_synced_files": [],
        "file_mounts_sync_continuously": False, "rsync_exclude": [], "rsync_filter": [],
        **{name: [] for name in nothing},
    }  # fmt: skip
    path = Path(folder) / "scaling.yaml"
    path.write_text(json.dumps(config))
    return str(path), port


def _serve(folder: str, n_cpus: int, address: str) -> None:
    """Run a node's processes until the standard input ends."""
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    parameters = RayParams(
        num_cpus=n_cpus,
        num_gpus=0,
        object_store_memory=80 * 2**20,
        temp_dir=folder,
        include_dashboard=False,
        min_worker_port=0,
        max_worker_port=0,
        node_ip_address="127.0.0.1",
    )
    if "RAY_FAKE_CLUSTER" in os.environ and not address:
        config = scaling_config(folder)
        parameters.update(gcs_server_port=config[1], autoscaling_config=config[0])
    if address:
        parameters.update(gcs_address=address, include_log_monitor=False, node_manager_port=0)
        parameters.dashboard_agent_listen_port = None
    node = Node(parameters, head=not address, shutdown_at_exit=False, spawn_reaper=False)
    print(node.gcs_address, flush=True)
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
