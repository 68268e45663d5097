"""`ray up clusters/gpu.yaml` through Ray's own code to its end, against an AWS on loopback."""

import json
import socket
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer
from ray.autoscaler._private.providers import _get_node_provider

from clusters import prepare_aws
from tests.support.clusters import Nowhere, write_edited

IMAGES = [
    {
        "ami_id": f"ami-0abc{month}",
        "name": prepare_aws.IMAGE.replace("*", f"20260{month}01"),
        "creation_date": f"2026-0{month}-01T00:00:00Z",
        "owner_id": "898082745236",
        "owner_alias": "amazon",
        "root_device_name": "/dev/sda1",
        "root_device_type": "ebs",
        "architecture": "x86_64",
        "virtualization_type": "hvm",
        "hypervisor": "xen",
        "image_type": "machine",
        "image_location": "",
        "description": "",
        "platform": "Linux/UNIX",
        "state": "available",
        "public": True,
        "sriov": "simple",
    }
    for month in (3, 1)
]
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory) -> Iterator[dict[str, str]]:
    """Environment of a user of that AWS."""
    images = tmp_path_factory.mktemp("aws") / "images.json"
    images.write_text(json.dumps(IMAGES))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_AMIS_PATH", str(images))
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        environment = {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
        for name, value in environment.items():
            patch.setenv(name, value)
        yield environment
        server.stop()


@pytest.fixture(scope="module")
def prepared(aws) -> dict[str, str]:
    """Values for the file's blanks, as `prepare_aws.py` prints them; it is run twice."""
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("builtins.print", lambda text, **_: said.append(text))
        for _ in range(2):
            assert prepare_aws.main(["--bucket", "music", "--from", "192.0.2.7/32"]) == 0
    assert said[0] == said[1]
    pairs = said[0].removeprefix("in clusters/gpu.yaml: ").split(", ")
    return dict(pair.split(": ") for pair in pairs)


@pytest.fixture(scope="module")
def up(aws, prepared, tmp_path_factory) -> Nowhere:
    """`ray up` of the file, with its blanks filled in."""
    here = Nowhere(tmp_path_factory.mktemp("user"), aws)
    write_edited("gpu.yaml", here.folder, prepared)
    result = here.ray("up", "-y", "--no-config-cache", "gpu.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    return here


def launched(kind: str) -> list[dict]:
    ec2 = boto3.client("ec2")
    named = [{"Name": "tag:ray-node-type", "Values": [kind]}]
    pages = ec2.describe_instances(Filters=named)["Reservations"]
    return [instance for page in pages for instance in page["Instances"]]


def test_the_account_is_prepared(prepared):
    assert prepared["ami-EDIT"] == "ami-0abc3"  # the newer
    groups = boto3.client("ec2").describe_security_groups(GroupIds=[prepared["sg-EDIT"]])
    (ssh, members) = groups["SecurityGroups"][0]["IpPermissions"]
    assert [r["CidrIp"] for r in ssh["IpRanges"]] == ["192.0.2.7/32"]
    assert (ssh["FromPort"], ssh["ToPort"]) == (22, 22)
    assert [p["GroupId"] for p in members["UserIdGroupPairs"]] == [prepared["sg-EDIT"]]
    assert not members["IpRanges"]
    closed = boto3.client("s3").get_public_access_block(Bucket="music")
    assert all(closed["PublicAccessBlockConfiguration"].values())
    worker = boto3.client("iam").get_role_policy(RoleName="ssmpe-worker", PolicyName="ssmpe")
    (right,) = worker["PolicyDocument"]["Statement"]
    assert right["Resource"] == ["arn:aws:s3:::music", "arn:aws:s3:::music/*"]


@pytest.mark.parametrize("network", ["0.0.0.0/0", "10.0.0.0/8", "::/0", "here"])
def test_no_door_for_everybody(network, capsys):
    with pytest.raises(SystemExit):
        prepare_aws.main(["--bucket", "music", "--from", network])
    assert "--from" in capsys.readouterr().err


def test_one_head_is_started_and_no_other_door_opened(up, prepared):
    (head,) = launched("head")
    assert [g["GroupId"] for g in head["SecurityGroups"]] == [prepared["sg-EDIT"]]
    assert head["InstanceType"] == "m6i.xlarge"
    assert head["ImageId"] == prepared["ami-EDIT"]
    assert head["IamInstanceProfile"]["Arn"].endswith("/ssmpe-head")
    groups = boto3.client("ec2").describe_security_groups()["SecurityGroups"]
    open_to_all = [
        rule
        for group in groups
        for rule in group["IpPermissions"]
        if any(r["CidrIp"] == "0.0.0.0/0" for r in rule["IpRanges"])
    ]
    assert not open_to_all


@pytest.mark.parametrize(("kind", "lifecycle"), [("gpu_spot", "spot"), ("gpu_on_demand", None)])
def test_the_head_can_start_workers(up, prepared, kind, lifecycle):
    config = up.head_config
    provider = _get_node_provider(config["provider"], config["cluster_name"])
    node = config["available_node_types"][kind]["node_config"]
    tags = {"ray-node-kind": "worker", "ray-node-type": kind, "ray-user-node-type": kind}
    provider.create_node(node, tags, 1)
    (worker,) = launched(kind)
    assert worker["InstanceType"] == "g6e.2xlarge"
    assert worker.get("InstanceLifecycle") == lifecycle
    assert worker["IamInstanceProfile"]["Arn"].endswith("/ssmpe-worker")
    assert [g["GroupId"] for g in worker["SecurityGroups"]] == [prepared["sg-EDIT"]]


def test_the_head_s_container_has_project_token_and_environment(up):
    (run,) = [c for c in up.commands if "docker run" in c]
    assert "-e RAY_AUTH_MODE=token" in run
    assert ":/home/ray/ssmpe" in run
    assert ":/home/ray/.ray/auth_token" in run
    assert "--gpus" not in run  # the head has none
    assert "rayproject/ray:2.60.0-py311 " in run
    sent = [call for call in up.calls if call[0] == "rsync"]
    assert any(call[-2] in ("./", f"{up.folder}/") for call in sent), sent
    installed = next(i for i, c in enumerate(up.commands) if "pip install" in c)
    started = next(i for i, c in enumerate(up.commands) if "ray start --head" in c)
    assert installed < started


def test_blanks_are_noticed_before_anything_is_started(aws, prepared, tmp_path):
    before = len(launched("head"))
    here = Nowhere(tmp_path, aws)
    values = {key: value for key, value in prepared.items() if key != "sg-EDIT"}
    write_edited("gpu.yaml", here.folder, {**values, "sg-EDIT": "sg-0123456789abcdef0"})
    result = here.ray("up", "-y", "--no-config-cache", "gpu.yaml")
    assert result.returncode != 0
    assert "Failed to detect a security group" in result.stdout + result.stderr
    assert len(launched("head")) == before


def test_no_answer_is_one_line(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert prepare_aws.main(["--bucket", "music", "--from", "192.0.2.7/32"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "Could not connect" in line
