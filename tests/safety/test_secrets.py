"""What a sweep leaves holds no credentials, and what it starts no other machine can reach.

What it leaves: its results, and the logs and session of Ray.
"""

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray.tune.execution import class_cache

from ssmpe.runner.cluster import cluster
from ssmpe.runner.trial.trainable import TrialTrainable
from tests.support import sweeping
from tests.support.processes import titled, tree
from tests.support.sockets import listeners

ROOT = Path(__file__).parents[2]
CREDENTIAL = re.compile(
    r"\b(?:[A-Z]+_)*(?:KEY_ID|ACCESS_KEY|TOKEN|CREDENTIALS|USERNAME|\w*PASSWORD)\b"
)
"""A variable of the environment that holds a secret, or leads to one, as READMEs name it."""
UNNAMED = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "RAY_AUTH_TOKEN")
"""Further ones, of which no README tells."""
PAGES = [page for page in ROOT.rglob("*.md") if ".venv" not in page.parts]
NAMES = sorted({*UNNAMED, *(n for page in PAGES for n in CREDENTIAL.findall(page.read_text()))})
CANARIES = {name: f"canary-{number}-{name.lower()}" for number, name in enumerate(NAMES)}


@pytest.fixture
def session() -> Iterator[Path]:
    """Make a folder for Ray's sessions; the paths of sockets must not be long."""
    folder = Path(tempfile.mkdtemp(prefix="secrets-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def test_the_credentials_are_those_that_the_readmes_name():
    assert {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS"),
        *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
        "PGPASSWORD",
    } <= CANARIES.keys()


@pytest.mark.parametrize("alone", [True, False])
def test_ray_tune_hands_on_none_to_trials(alone, monkeypatch):
    """Only a node elsewhere has to be told how it is to run them."""
    for name, value in {**CANARIES, "RAY_CHDIR_TO_TRIAL_DIR": "0"}.items():
        monkeypatch.setenv(name, value)
    with cluster.handing_on_little(alone):
        asked = class_cache._ActorClassCache().get(TrialTrainable)._default_options
    handed_on = asked["runtime_env"].get("env_vars", {})
    assert not handed_on.keys() & CANARIES.keys()
    assert ("RAY_CHDIR_TO_TRIAL_DIR" in handed_on) is not alone
    assert not (alone and handed_on), "or they are not run in what has been started ahead"


def test_no_file_that_a_sweep_leaves_holds_one_and_it_listens_on_loopback_alone(
    world, tmp_path, session, monkeypatch
):
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_TMPDIR", str(session))
    process = sweeping.start(tmp_path, "sample_count.py", "--rows", "Ref.", *sweeping.BRIEF)
    said = sweeping.read_until(process, " 3/24")
    (trial,) = titled(tree(process.pid), "ray::TrialTrainable")
    environment = (Path("/proc") / str(trial) / "environ").read_text().split("\0")
    found = listeners(tree(process.pid))
    rest, _ = process.communicate(timeout=300)
    assert process.returncode == 0, rest
    assert {"gcs_server", "raylet"} <= {one.process for one in found}
    assert any(one.process.startswith("ray::TrialTra") for one in found), found  # the trial
    assert not [one for one in found if not one.is_loopback]
    time.sleep(1.0)  # Ray's agents write a last time
    files = [p for place in (tmp_path, session) for p in place.rglob("*") if p.is_file()]
    assert any(p.name == "runtime_env_agent.log" for p in files)
    assert any(p.name == "plan.json" for p in files)
    told = {f"{p}: {n}" for p in files for n, v in CANARIES.items() if v.encode() in p.read_bytes()}
    assert not told
    assert not [name for name, value in CANARIES.items() if value in said + rest]
    assert {f"{name}={value}" for name, value in CANARIES.items()} <= {*environment}, "trials' own"
