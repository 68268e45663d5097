"""`ray up clusters/on_prem.yaml` to its end, with an ssh and an rsync that record."""

import pytest

from tests.support.clusters import Nowhere, write_edited


@pytest.fixture(scope="module")
def up(tmp_path_factory) -> Nowhere:
    here = Nowhere(
        tmp_path_factory.mktemp("user"), {"RAY_TMPDIR": str(tmp_path_factory.mktemp("t"))}
    )
    values = {"HEAD-EDIT": "192.0.2.1", "WORKER-EDIT": "192.0.2.2, 192.0.2.3", "USER-EDIT": "me"}
    write_edited("on_prem.yaml", here.folder, values)
    (here.home / ".ssh").mkdir()
    (here.home / ".ssh" / "ssmpe").write_text("a key")
    result = here.ray("up", "-y", "--no-config-cache", "on_prem.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    return here


def test_the_head_is_installed_before_it_is_started(up):
    order = [
        next(i for i, c in enumerate(up.commands) if part in c)
        for part in ("python3.11 -m venv", "pip install -e", "ray start --head", "mlflow server")
    ]
    assert order == sorted(order)


def test_only_the_head_is_reached_from_here(up):
    reached = {a for call in up.calls for a in call if a.startswith("me@")}
    assert {a.split(":")[0] for a in reached} == {"me@192.0.2.1"}


def test_the_head_is_given_what_starts_the_others(up):
    config = up.head_config
    assert config["provider"]["worker_ips"] == ["192.0.2.2", "192.0.2.3"]
    assert config["available_node_types"]["local.cluster.node"]["min_workers"] == 2
    assert any("ray start --address=$RAY_HEAD_IP" in c for c in config["worker_start_ray_commands"])
    sent = [call[-1] for call in up.calls if call[0] == "rsync"]
    assert any(target.endswith("/.ray/auth_token") for target in sent)
    assert any(target.endswith("ray_bootstrap_key.pem") for target in sent)
