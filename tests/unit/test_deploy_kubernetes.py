"""The Kubernetes manifests: valid by their schemas, alike where they should be, true to image and settings."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from streams.kafka.app import STOP_WITHIN
from streams.settings import Settings
from streams.topology import PROCESSES, SERVICES_BY_NAME, WORKERS_BY_NAME

FOLDER = Path(__file__).parents[2] / "deploy/kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
WORKERS = tuple(WORKERS_BY_NAME)
Manifest = dict[str, Any]


def manifests() -> dict[tuple[str, str], Manifest]:
    """Every object that the kustomization applies, by (kind, name)."""
    found: dict[tuple[str, str], Manifest] = {}
    for file in KUSTOMIZATION["resources"]:
        for manifest in yaml.safe_load_all((FOLDER / file).read_text(encoding="utf-8")):
            key = manifest["kind"], manifest["metadata"]["name"]
            assert key not in found
            found[key] = manifest
    return found


MANIFESTS = manifests()


def pod(kind: str, name: str) -> Manifest:
    return MANIFESTS[kind, name]["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", ["1.30", "1.37"])
@pytest.mark.parametrize("key", sorted(MANIFESTS), ids="-".join)
def test_valid_by_the_schema(key: tuple[str, str], version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[key], version, strict=True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "replicas"), "two"),
        (("spec", "strategi"), {}),
        (("spec", "template", "spec", "containers", 0, "livenessProbe", "httpGet", "port"), None),
        (("spec", "template", "spec", "containers", 0, "resources", "limits", "memory"), ["1Gi"]),
    ],
)
def test_the_schema_finds_mistakes(path: tuple[str | int, ...], value: object) -> None:
    broken = copy.deepcopy(MANIFESTS["Deployment", "sink"])
    place: Any = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.37", strict=True)


def test_everything_in_the_folder_is_applied() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*KUSTOMIZATION["resources"], "kustomization.yaml"}
    expected = {("ConfigMap", "rihla"), ("Job", "migrate")}
    expected |= {(kind, name) for kind in ("Deployment", "Service") for name in PROCESSES}
    expected |= {("PodDisruptionBudget", name) for name in PROCESSES if name != "identity"}
    expected |= {("Service", f"{name}-http") for name in SERVICES_BY_NAME}
    assert set(MANIFESTS) == expected


def test_workers_differ_only_where_they_must() -> None:
    def common(name: str) -> Manifest:
        manifest = copy.deepcopy(MANIFESTS["Deployment", name])
        del manifest["spec"]["replicas"], manifest["spec"]["strategy"]
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        container.pop("env", None)
        volumes = manifest["spec"]["template"]["spec"]["volumes"]
        secrets = [volume for volume in volumes if "secret" in volume]
        for volume in secrets:
            volumes.remove(volume)
            container["volumeMounts"] = [m for m in container["volumeMounts"] if m["name"] != volume["name"]]
        assert set(container.pop("resources")) == {"requests", "limits"}
        assert container.pop("args") == ["worker", name]
        text: str = yaml.safe_dump(manifest)
        return dict(yaml.safe_load(re.sub(rf"\b{name}\b", "WORKER", text)))

    assert common("enrich") == common("identity") == common("stitch") == common("sink")


def test_there_is_one_identity_worker() -> None:
    spec = MANIFESTS["Deployment", "identity"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize("name", PROCESSES)
def test_worker_is_found_and_probed(name: str) -> None:
    (container,) = pod("Deployment", name)["containers"]
    labels = MANIFESTS["Deployment", name]["spec"]["template"]["metadata"]["labels"]
    service = MANIFESTS["Service", name]["spec"]
    assert service["selector"] == labels == MANIFESTS["Deployment", name]["spec"]["selector"]["matchLabels"]
    port, *others = container["ports"]
    assert len(others) == (name in SERVICES_BY_NAME)
    assert service["ports"][0]["targetPort"] == port["name"]
    assert str(port["containerPort"]) == MANIFESTS["ConfigMap", "rihla"]["data"]["RIHLA_METRICS_PORT"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": port["name"]}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}
    assert pod("Deployment", name)["terminationGracePeriodSeconds"] > STOP_WITHIN
    budget = MANIFESTS.get(("PodDisruptionBudget", name))
    assert (budget is None) == (name == "identity")
    if budget is not None:
        assert budget["spec"]["selector"]["matchLabels"] == labels


def test_settings_are_settings() -> None:
    data = MANIFESTS["ConfigMap", "rihla"]["data"]
    known = {f"RIHLA_{field.upper()}" for field in Settings.__dataclass_fields__} | {"RIHLA_METRICS_HOST"}
    assert set(data) <= known
    settings = Settings.from_env(data)
    assert (settings.replication, settings.metrics_port) == (3, 9100)
    assert settings.partitions >= max(MANIFESTS["Deployment", name]["spec"]["replicas"] for name in WORKERS)


def test_only_the_sink_and_migrate_know_the_database() -> None:
    def secrets(kind: str, name: str) -> list[Manifest]:
        (container,) = pod(kind, name)["containers"]
        assert container["envFrom"] == [{"configMapRef": {"name": "rihla"}}]
        mounted = {volume["name"] for volume in pod(kind, name).get("volumes", []) if "secret" in volume}
        paths = [mount["mountPath"] for mount in container.get("volumeMounts", []) if mount["name"] in mounted]
        told = container.get("env", [])
        assert all(any(entry["value"].startswith(path) for path in paths) for entry in told), "by file only"
        return list(told)

    for name in ("enrich", "identity", "stitch"):
        assert secrets("Deployment", name) == []
    assert [entry["name"] for entry in secrets("Deployment", "collect")] == ["RIHLA_COLLECT_TOKEN_FILE"]
    assert [entry["name"] for entry in secrets("Deployment", "serve")] == ["RIHLA_SERVE_TOKENS"]
    assert secrets("Deployment", "sink") == secrets("Job", "migrate") != []
    assert "RIHLA_CLICKHOUSE" not in MANIFESTS["ConfigMap", "rihla"]["data"]


@pytest.mark.parametrize(("kind", "name"), [("Job", "migrate"), *(("Deployment", name) for name in PROCESSES)])
def test_pod_runs_the_image_without_privileges(kind: str, name: str) -> None:
    (container,) = pod(kind, name)["containers"]
    assert container["image"] in {image["name"] for image in KUSTOMIZATION["images"]}
    dockerfile = (FOLDER.parent / "Dockerfile").read_text(encoding="utf-8")
    assert f"USER {pod(kind, name)['securityContext']['runAsUser']}\n" in dockerfile
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    if kind == "Deployment":
        (workdir,) = re.findall(r"^WORKDIR (\S+)$", dockerfile, flags=re.M)
        assert workdir in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_senders_reach_the_collector_where_it_listens() -> None:
    settings = Settings.from_env(MANIFESTS["ConfigMap", "rihla"]["data"])
    (container,) = pod("Deployment", "collect")["containers"]
    _, http = container["ports"]
    (port,) = MANIFESTS["Service", "collect-http"]["spec"]["ports"]
    assert (settings.collect_host, settings.collect_port) == ("0.0.0.0", http["containerPort"])
    assert port["targetPort"] == http["name"]
