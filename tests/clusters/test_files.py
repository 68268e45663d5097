"""Cluster files: Ray's own validation, versions, costs, doors, and commands in the headers."""

import re
import shlex
import shutil
import subprocess
import tomllib
from copy import deepcopy

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.scripts import scripts

from ssmpe.experiments import options
from tests.support.clusters import CLUSTERS, LAUNCHED, ROOT, header, load

CLOUDS = ("gpu.yaml", "gpu_gcp.yaml")
ALL = (*LAUNCHED, "kuberay.yaml", "slurm.sh")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("name", LAUNCHED)
def test_ray_accepts_it(name):
    validate_config(prepare_config(load(name)))


@pytest.mark.parametrize(
    "break_it",
    [
        lambda c: c.update(max_worker=3),
        lambda c: c.update(head_node_type="heads"),
        lambda c: c["available_node_types"]["gpu_spot"]["resources"].update(GPU=0.5),
        lambda c: c["available_node_types"]["gpu_spot"].update(priority="high"),
    ],
    ids=["typo", "head type", "fractional GPU", "priority"],
)
@pytest.mark.parametrize("name", CLOUDS)
def test_the_validation_can_fail(name, break_it):
    config = deepcopy(load(name))
    break_it(config)
    with pytest.raises((jsonschema.ValidationError, ValueError)):
        validate_config(prepare_config(config))


def required(package: str) -> str:
    """Return what the project requires of a package."""
    needed = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["sweep"]]
    (found,) = [d for d in needed if re.match(rf"{package}\b", d)]
    return found


def ray_of(requirement: str) -> str:
    """Return the one minor version of Ray that a requirement allows."""
    ((low, major, minor, high),) = re.findall(
        r"^ray\[\w+\]>=((\d+)\.(\d+)),<([\d.]+)$", requirement
    )
    assert high == f"{major}.{int(minor) + 1}"
    return low


def test_versions_are_the_project_s():
    ray = ray_of(required("ray"))
    texts = {path.name: path.read_text() for path in CLUSTERS.iterdir() if path.is_file()}
    images = {name: set(re.findall(r"rayproject/ray:(\S+)", text)) for name, text in texts.items()}
    assert {name for name, found in images.items() if found} == {*CLOUDS, "Dockerfile"}
    for found in images.values():
        assert found <= {f"{ray}.0-py311"}
    assert PROJECT["requires-python"].startswith(">=3.11")
    assert f"ray=={ray}.0" in texts["on_prem.yaml"]
    assert f"rayVersion: {ray}.0" in texts["kuberay.yaml"]
    assert f"pip install --no-cache-dir {required('torch')}\n" in texts["Dockerfile"]
    for text in texts.values():
        assert set(re.findall(r"/ssmpe:([\d.]+)", text)) <= {PROJECT["version"]}
    extras = PROJECT["optional-dependencies"]
    assert ray_of(extras["cluster"][0]) == ray
    for group in re.findall(r"ssmpe\[([\w,]+)\]", "".join(texts.values())):
        assert set(group.split(",")) <= extras.keys()


def test_the_image_gets_all_that_is_installed():
    text = (CLUSTERS / "Dockerfile").read_text()
    copied = {word for line in re.findall(r"COPY \S+ (.+) \S+", text) for word in line.split()}
    assert {
        "ssmpe",
        "sweeps",
        "analysis",
        "pyproject.toml",
        PROJECT["readme"],
    } <= copied
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("name", CLOUDS)
def test_costs_are_capped(name):
    config = load(name)
    assert 0 < config["max_workers"] <= 16
    assert 0 < config["idle_timeout_minutes"] <= 15
    assert config["provider"]["cache_stopped_nodes"] is False
    types = config["available_node_types"]
    assert types["head"]["resources"]["CPU"] == 0
    assert types["gpu_on_demand"]["max_workers"] < types["gpu_spot"]["max_workers"]
    assert not any(kind.get("min_workers") for kind in types.values())
    spot = yaml.safe_dump(types["gpu_spot"]["node_config"]).lower()
    assert "spot" in spot
    assert "spot" not in yaml.safe_dump(types["gpu_on_demand"]["node_config"]).lower()


def to_launch(name: str, n_trials: int, spot: float) -> dict[str, int]:
    """Return what Ray's autoscaler starts for trials of a GPU each.

    Args:
        spot: availability of spot machines, 0 right after a launch has failed, 1 ten minutes later.
    """
    config = AutoscalingConfig(load(name), skip_content_hash=True)
    requests = [ResourceRequestUtil.make({"CPU": 8, "GPU": 1})] * n_trials
    reply = ResourceDemandScheduler().schedule(
        SchedulingRequest(
            disable_launch_config_check=True,
            node_type_configs=config.get_node_type_configs(),
            max_num_nodes=config.get_max_num_nodes() - 1,  # the head, which is there
            resource_requests=ResourceRequestUtil.group_by_count(requests),
            recoverable_resource_availabilities={"gpu_spot": spot},
        )
    )
    return {launch.instance_type: launch.count for launch in reply.to_launch}


@pytest.mark.parametrize("name", CLOUDS)
def test_spot_machines_first_and_others_while_there_are_none(name):
    assert to_launch(name, 3, spot=1.0) == {"gpu_spot": 3}
    assert to_launch(name, 1, spot=0.0) == {"gpu_on_demand": 1}
    cap = load(name)["max_workers"]
    assert sum(to_launch(name, 50, spot=1.0).values()) == cap
    assert to_launch(name, 50, spot=0.0)["gpu_on_demand"] == 2


def commands_of(config: dict) -> list[str]:
    return [
        command for key, found in config.items() if key.endswith("_commands") for command in found
    ]


@pytest.mark.parametrize("name", LAUNCHED)
def test_no_door_is_open_but_ssh(name):
    config = load(name)
    commands = commands_of(config)
    (ray,) = [c for c in commands if "ray start --head" in c]
    assert "--dashboard-host=127.0.0.1" in ray
    (mlflow,) = [c for c in commands if "mlflow server" in c]
    assert "--host 127.0.0.1" in mlflow
    assert "0.0.0.0" not in yaml.safe_dump(config)
    assert "--ray-client-server" not in " ".join(commands)
    for kind in config.get("available_node_types", {}).values():
        node = kind["node_config"]
        closed = node.get("SecurityGroupIds") or node.get("tags", {}).get("items")
        assert closed in (["sg-EDIT"], ["ssmpe"])
    # Ray would add a rule that lets ssh in from everywhere
    assert "security_group" not in config["provider"]


@pytest.mark.parametrize("name", ALL)
def test_ray_takes_orders_from_the_token_s_owner_alone(name):
    text = (CLUSTERS / name).read_text()
    if name == "kuberay.yaml":
        assert "authOptions: {mode: token}" in text
    else:
        assert "RAY_AUTH_MODE=token" in text
        assert "ray get-auth-token --generate" in text
    assert not re.search(r"[0-9a-f]{64}", text)


@pytest.mark.skipif(not shutil.which("rsync"), reason="no rsync")
@pytest.mark.parametrize("name", LAUNCHED)
def test_only_the_project_is_sent(name, tmp_path):
    config = load(name)
    (remote,) = [to for to, local in config["file_mounts"].items() if local == "."]
    assert remote.endswith("/ssmpe")
    project, sent = tmp_path / "project", tmp_path / "sent"
    for file in ("pyproject.toml", "ssmpe/x.py", "results/mlflow.db", ".git/HEAD", ".venv/bin/x"):
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        (project / file).write_text("")
    (project / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    excluded = [f"--exclude={pattern}" for pattern in config["rsync_exclude"]]
    filters = [f"--filter=dir-merge,- {file}" for file in config["rsync_filter"]]
    subprocess.run(["rsync", "-a", *excluded, *filters, f"{project}/", sent], check=True)
    files = {str(p.relative_to(sent)) for p in sent.rglob("*") if p.is_file()}
    assert files == {".gitignore", "pyproject.toml", "ssmpe/x.py"}


def sweep_commands(name: str) -> list[list[str]]:
    """Arguments of the sweeps that a file tells to run."""
    text = (CLUSTERS / name).read_text() if name == "kuberay.yaml" else header(name)
    text = re.sub(r"\\\n\s*|\n {4}(?=--)", " ", text)
    found = re.findall(r"python (sweeps/\w+\.py[^\"\n]*)", text)
    return [shlex.split(command) for command in found]


@pytest.mark.parametrize("name", ALL)
def test_the_sweep_is_the_laptop_s_with_places(name):
    (script, *arguments), *others = sweep_commands(name)
    assert not others
    assert (ROOT / script).exists()
    parsed = options.parse("?", script, arguments)
    assert parsed.address == "auto"
    assert parsed.preset == "paper"
    assert parsed.gpus_per_trial == 1
    assert parsed.tracking_uri
    assert parsed.storage
    assert parsed.data_root
    laptop = {"--preset", "--address", "--gpus-per-trial", "--tracking-uri", "--storage"}
    assert {a for a in arguments if a.startswith("--")} == laptop | {"--data-root"}


@pytest.mark.parametrize("name", ALL)
def test_the_header_says_what_to_edit_what_it_costs_and_how_to_end_it(name):
    text = header(name)
    assert "To edit" in text
    assert "Cost" in text
    assert re.search(r"\bend\b", text)
    assert re.search(r"dashboard", text)
    assert "EDIT" in (CLUSTERS / name).read_text() or name == "slurm.sh"


@pytest.mark.parametrize("name", LAUNCHED)
def test_the_header_s_commands_are_ray_s(name):
    told = re.findall(r"^  (ray [\w-]+) .*", header(name), re.MULTILINE)
    assert len(told) >= 7
    assert {command.split()[1] for command in told} <= scripts.cli.commands.keys()
