"""`ray up clusters/gpu_gcp.yaml` through Ray's own code to its end, against Google on loopback."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clusters import Nowhere, write_edited
from tests.support.google import google

VALUES = {"PROJECT-EDIT": "my-project", "BUCKET-EDIT": "music"}


@pytest.fixture(scope="module")
def up(tmp_path_factory) -> Iterator[tuple[Nowhere, dict[str, dict[str, Any]], list[str]]]:
    """Call `ray up` as a user does; return the machines, and what Google was asked."""
    with google(tmp_path_factory.mktemp("google")) as (environment, machines, asked):
        here = Nowhere(tmp_path_factory.mktemp("user"), environment)
        write_edited("gpu_gcp.yaml", here.folder, VALUES)
        result = here.ray("up", "-y", "--no-config-cache", "gpu_gcp.yaml")
        assert result.returncode == 0, result.stdout + result.stderr + "\n".join(asked)
        yield here, machines, asked


def test_one_head_in_the_closed_network(up):
    _, machines, _ = up
    (head,) = [machine["requested"] for machine in machines.values()]
    assert head["machineType"] == "zones/us-central1-a/machineTypes/e2-standard-4"
    assert head["tags"] == {"items": ["ssmpe"]}
    (network,) = head["networkInterfaces"]
    assert network["subnetwork"] == "projects/my-project/regions/us-central1/subnetworks/ssmpe"
    assert "guestAccelerators" not in head


def test_no_network_of_google_s_choice_is_looked_up(up):
    _, _, asked = up
    assert not any("subnetworks" in path or "firewalls" in path for path in asked)


def test_the_head_is_told_of_spot_workers_that_can_only_reach_storage(up):
    here, _, _ = up
    types = here.head_config["available_node_types"]
    spot, on_demand = (types[k]["node_config"] for k in ("gpu_spot", "gpu_on_demand"))
    assert spot["scheduling"]["provisioningModel"] == "SPOT"
    assert "provisioningModel" not in on_demand["scheduling"]
    for worker in (spot, on_demand):
        (account,) = worker["serviceAccounts"]
        assert account["scopes"] == ["https://www.googleapis.com/auth/devstorage.read_write"]
        # Google moves no machine that has a GPU to another host
        assert worker["scheduling"]["onHostMaintenance"] == "TERMINATE"
        assert worker["machineType"] == "g2-standard-8"


def test_the_head_s_container_has_token_and_project(up):
    here, _, _ = up
    (run,) = [c for c in here.commands if "docker run" in c]
    assert "-e RAY_AUTH_MODE=token" in run
    assert ":/home/ray/.ray/auth_token" in run
    assert "--gpus" not in run
    installed = next(i for i, c in enumerate(here.commands) if "pip install" in c)
    started = next(i for i, c in enumerate(here.commands) if "ray start --head" in c)
    assert installed < started
