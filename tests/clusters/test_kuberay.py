"""clusters/kuberay.yaml against what KubeRay and Kubernetes say of the fields in it."""

import re
from copy import deepcopy
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.clusters import CLUSTERS


def closed(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with those fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


TEXT, COUNT, FLAG = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
# cpu: "4" or 500m, memory: 28Gi
QUANTITY = {"type": "string", "pattern": r"^\d+(\.\d+)?(m|[KMGT]i?)?$"}
RESOURCES = closed(
    requests={"type": "object", "additionalProperties": QUANTITY},
    limits={"type": "object", "additionalProperties": QUANTITY},
)
META = closed(("name",), name={"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"})
SELECTOR = closed(matchLabels=TEXTS)


def items(what: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": what, "minItems": 1}


MOUNT = closed(("name", "mountPath"), name=TEXT, mountPath=TEXT, subPath=TEXT)
CONTAINER = closed(
    ("name", "image"),
    name=TEXT,
    image=TEXT,
    command=items(TEXT),
    args=items(TEXT),
    env=items(closed(("name", "value"), name=TEXT, value=TEXT)),
    resources=RESOURCES,
    volumeMounts=items(MOUNT),
)
VOLUME = closed(("name",), name=TEXT, persistentVolumeClaim=closed(("claimName",), claimName=TEXT))
POD = closed(
    ("spec",),
    metadata=closed(labels=TEXTS),
    spec=closed(
        ("containers",),
        containers=items(CONTAINER),
        volumes=items(VOLUME),
        securityContext=closed(fsGroup=COUNT, fsGroupChangePolicy=TEXT),
        tolerations=items(closed(key=TEXT, operator=TEXT, effect=TEXT)),
    ),
)
CLUSTER = closed(
    ("headGroupSpec", "rayVersion"),
    rayVersion=TEXT,
    authOptions=closed(mode={"enum": ["disabled", "token"]}),
    enableInTreeAutoscaling=FLAG,
    autoscalerOptions=closed(version={"enum": ["v1", "v2"]}, idleTimeoutSeconds=COUNT),
    headGroupSpec=closed(
        ("template",),
        serviceType={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
        rayStartParams=TEXTS,
        template=POD,
    ),
    workerGroupSpecs=items(
        closed(
            ("groupName", "template", "minReplicas", "maxReplicas"),
            groupName=TEXT,
            replicas=COUNT,
            minReplicas=COUNT,
            maxReplicas=COUNT,
            rayStartParams=TEXTS,
            template=POD,
        )
    ),
)
JOB = closed(
    ("entrypoint",),
    clusterSelector=TEXTS,
    backoffLimit=COUNT,
    activeDeadlineSeconds={"type": "integer", "minimum": 1},
    entrypoint=TEXT,
)
CLAIM = closed(
    ("accessModes", "resources"),
    accessModes=items({"enum": ["ReadWriteOnce", "ReadWriteMany"]}),
    storageClassName=TEXT,
    resources=RESOURCES,
)
DEPLOYMENT = closed(
    ("selector", "template"),
    replicas=COUNT,
    strategy=closed(("type",), type={"enum": ["Recreate", "RollingUpdate"]}),
    selector=SELECTOR,
    template=POD,
)
SERVICE = closed(
    ("ports",),
    type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    selector=TEXTS,
    ports=items(closed(("port",), port=COUNT)),
)
PEER = closed(podSelector=SELECTOR, namespaceSelector=SELECTOR)
POLICY = closed(
    ("podSelector",),
    podSelector=SELECTOR,
    policyTypes=items({"enum": ["Ingress", "Egress"]}),
    ingress=items(closed((), **{"from": items(PEER), "ports": items(closed(port=COUNT))})),
)
KINDS = {
    "PersistentVolumeClaim": ("v1", CLAIM),
    "RayCluster": ("ray.io/v1", CLUSTER),
    "RayJob": ("ray.io/v1", JOB),
    "Deployment": ("apps/v1", DEPLOYMENT),
    "Service": ("v1", SERVICE),
    "NetworkPolicy": ("networking.k8s.io/v1", POLICY),
}


def documents() -> dict[str, dict[str, Any]]:
    text = (CLUSTERS / "kuberay.yaml").read_text()
    found = {document["kind"]: document for document in yaml.safe_load_all(text)}
    assert found.keys() == KINDS.keys()
    return found


def validate(document: dict[str, Any]) -> None:
    version, spec = KINDS[document["kind"]]
    whole = closed(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": version},
        kind=TEXT,
        metadata=META,
        spec=spec,
    )
    jsonschema.Draft202012Validator(whole).validate(document)


def pods() -> dict[str, dict[str, Any]]:
    """Return every kind of pod in the file."""
    found = documents()
    cluster = found["RayCluster"]["spec"]
    return {
        "head": cluster["headGroupSpec"]["template"],
        "mlflow": found["Deployment"]["spec"]["template"],
        **{group["groupName"]: group["template"] for group in cluster["workerGroupSpecs"]},
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_accepts_it(kind):
    validate(documents()[kind])


@pytest.mark.parametrize(
    ("kind", "break_it"),
    [
        ("RayCluster", lambda s: s.update(enableAutoscaling=True)),
        ("RayCluster", lambda s: s["headGroupSpec"]["rayStartParams"].update({"num-cpus": 0})),
        ("RayCluster", lambda s: s["workerGroupSpecs"][0].pop("maxReplicas")),
        ("RayCluster", lambda s: s["workerGroupSpecs"][0].update(replicas="1")),
        ("RayCluster", lambda s: s["authOptions"].update(mode="on")),
        ("RayJob", lambda s: s.update(entryPoint="python x.py")),
        ("Service", lambda s: s.update(type="Public")),
    ],
)
def test_the_schema_can_refuse(kind, break_it):
    broken = deepcopy(documents()[kind])
    break_it(broken["spec"])
    with pytest.raises(jsonschema.ValidationError):
        validate(broken)


def test_the_operator_s_own_rules():
    found = documents()
    job, cluster = found["RayJob"]["spec"], found["RayCluster"]
    assert job["clusterSelector"] == {"ray.io/cluster": cluster["metadata"]["name"]}
    # of a cluster that is selected the operator neither suspends nor ends anything
    assert not {"suspend", "shutdownAfterJobFinishes", "rayClusterSpec"} & job.keys()
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    assert tuple(int(n) for n in cluster["spec"]["rayVersion"].split(".")) >= (2, 52, 0)
    assert all(len(name) <= 47 for name in (found[k]["metadata"]["name"] for k in found))


def test_costs_are_capped():
    found = documents()
    cluster = found["RayCluster"]["spec"]
    assert cluster["enableInTreeAutoscaling"] is True
    assert 0 < cluster["autoscalerOptions"]["idleTimeoutSeconds"] <= 900
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] == group["replicas"] <= 1
        assert group["maxReplicas"] <= 16
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert 0 < found["RayJob"]["spec"]["activeDeadlineSeconds"] <= 7 * 24 * 3600
    for pod in pods().values():
        (container,) = pod["spec"]["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"]


def test_workers_alone_have_a_gpu():
    with_gpu = {
        name
        for name, pod in pods().items()
        if "nvidia.com/gpu" in pod["spec"]["containers"][0]["resources"]["limits"]
    }
    assert with_gpu == {"gpu"}


def test_nothing_can_be_reached_from_outside():
    found = documents()
    assert found["Service"]["spec"]["type"] == "ClusterIP"
    assert found["RayCluster"]["spec"]["headGroupSpec"]["serviceType"] == "ClusterIP"
    policy = found["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    chosen = policy["podSelector"]["matchLabels"]
    for name, pod in pods().items():
        assert chosen.items() <= pod["metadata"]["labels"].items(), name
    within, others = policy["ingress"]
    assert within == {"from": [{"podSelector": {"matchLabels": chosen}}]}
    assert others["ports"] == [{"port": 8265}]
    peers = [peer for rule in policy["ingress"] for peer in rule["from"]]
    assert all(next(iter(peer.values()))["matchLabels"] for peer in peers)  # {} is everybody
    submitter = {"podSelector": {"matchLabels": {"job-name": found["RayJob"]["metadata"]["name"]}}}
    assert submitter in others["from"]


def test_the_sweep_s_places_exist():
    found = documents()
    entry = found["RayJob"]["spec"]["entrypoint"]
    ((server, port),) = re.findall(r"--tracking-uri http://([\w-]+):(\d+)", entry)
    assert server == found["Service"]["metadata"]["name"]
    assert found["Service"]["spec"]["ports"] == [{"port": int(port)}]
    mlflow = pods()["mlflow"]
    chosen = found["Service"]["spec"]["selector"].items()
    assert chosen <= mlflow["metadata"]["labels"].items()
    (container,) = mlflow["spec"]["containers"]
    assert f"--port={port}" in container["args"]
    (hosts,) = [a for a in container["args"] if a.startswith("--allowed-hosts=")]
    assert f"{server}:{port}" in hosts
    for name, pod in pods().items():
        mounts = {m["mountPath"] for m in pod["spec"]["containers"][0]["volumeMounts"]}
        assert "/mnt/shared" in mounts, name
        claims = {v["persistentVolumeClaim"]["claimName"] for v in pod["spec"]["volumes"]}
        assert claims == {found["PersistentVolumeClaim"]["metadata"]["name"]}
    for place in re.findall(r"--(?:storage|data-root) (\S+)", entry):
        assert place.startswith("/mnt/shared/")
