"""Cluster files through Ray's own offline validation, and against the project's versions."""

import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "clusters").glob("*.yaml"))


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def test_there_is_a_gpu_cluster():
    assert ROOT / "clusters" / "gpu.yaml" in FILES


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_ray_accepts_it(path):
    validate_config(prepare_config(load(path)))


@pytest.mark.parametrize(
    "break_it",
    [
        lambda c: c.update(max_worker=3),
        lambda c: c.update(head_node_type="heads"),
        lambda c: c["available_node_types"]["gpu_worker"]["resources"].update(GPU=0.5),
    ],
    ids=["typo", "head type", "fractional GPU"],
)
def test_the_validation_can_fail(break_it):
    config = load(ROOT / "clusters" / "gpu.yaml")
    break_it(config)
    with pytest.raises((jsonschema.ValidationError, ValueError)):
        validate_config(prepare_config(config))


def test_the_image_has_the_project_s_ray_and_python():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ray = next(d for d in project["dependencies"] if d.startswith("ray["))
    image = load(ROOT / "clusters" / "gpu.yaml")["docker"]["image"]
    version = image.split(":")[1].split("-")[0]
    assert f">={version.rsplit('.', 1)[0]}" in ray
    assert "py311" in image
    assert project["requires-python"].startswith(">=3.11")


def test_costs_are_capped():
    config = load(ROOT / "clusters" / "gpu.yaml")
    assert 0 < config["max_workers"] <= 16
    assert config["idle_timeout_minutes"] <= 15
