"""The Kubernetes manifests: valid by their schemas, alike where they should be, true to image and settings; and the
overlays, as kustomize renders them. test_deploy_kubernetes_rules.py holds them to the rules of a production cluster."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from streams.kafka.app import STOP_WITHIN
from streams.settings import Settings
from streams.topology import PROCESSES, SERVICES_BY_NAME, WORKERS_BY_NAME
from streams.variables import misspelt
from tests.support.kubernetes_rules import SCALED, environment, pods
from tests.support.kustomize import MERGED_BY, Manifest, render

FOLDER = Path(__file__).parents[2] / "deploy/kubernetes"
BASE = FOLDER / "base"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((BASE / "kustomization.yaml").read_text(encoding="utf-8"))
WORKERS = tuple(WORKERS_BY_NAME)
MANIFESTS = render(BASE)
OVERLAYS = {name: render(FOLDER / "overlays" / name) for name in ("small", "large")}
EVERY = {"base": MANIFESTS, **OVERLAYS}
CHANGED = [
    (where, *key)
    for where, manifests in EVERY.items()
    for key, manifest in sorted(manifests.items())
    if where == "base" or {**manifest, "metadata": None} != {**MANIFESTS.get(key, {}), "metadata": None}
]
"""What is in the base, and what an overlay adds or changes beyond the namespace."""

TEXT = {"type": "string"}
NAMED = {"type": "object", "required": ["name"], "properties": {"name": TEXT}, "additionalProperties": False}
SCALING_RULES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "stabilizationWindowSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
        "policies": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["type", "value", "periodSeconds"],
                "additionalProperties": False,
                "properties": {
                    "type": {"enum": ["Pods", "Percent"]},
                    "value": {"type": "integer", "minimum": 1},
                    "periodSeconds": {"type": "integer", "minimum": 1, "maximum": 1800},
                },
            },
        },
    },
}
KEDA = {
    "ScaledObject": {
        "type": "object",
        "required": ["scaleTargetRef", "triggers"],
        "additionalProperties": False,
        "properties": {
            "scaleTargetRef": NAMED,
            "minReplicaCount": {"type": "integer", "minimum": 0},
            "maxReplicaCount": {"type": "integer", "minimum": 1},
            "pollingInterval": {"type": "integer", "minimum": 1},
            "advanced": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "horizontalPodAutoscalerConfig": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "behavior": {
                                "type": "object",
                                "additionalProperties": False,
                                "properties": {"scaleUp": SCALING_RULES, "scaleDown": SCALING_RULES},
                            }
                        },
                    }
                },
            },
            "triggers": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["type", "metadata"],
                    "additionalProperties": False,
                    "properties": {
                        "type": TEXT,
                        "authenticationRef": NAMED,
                        "metadata": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["consumerGroup"],
                            "properties": {
                                "bootstrapServersFromEnv": TEXT,
                                "consumerGroup": TEXT,
                                "lagThreshold": {"type": "string", "pattern": "^[1-9][0-9]*$"},
                                "offsetResetPolicy": {"enum": ["earliest", "latest"]},
                                "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
                                "sasl": {"enum": ["plaintext", "scram_sha256", "scram_sha512", "oauthbearer"]},
                                "tls": {"enum": ["enable", "disable"]},
                            },
                        },
                    },
                },
            },
        },
    },
    "TriggerAuthentication": {
        "type": "object",
        "required": ["secretTargetRef"],
        "additionalProperties": False,
        "properties": {
            "secretTargetRef": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["parameter", "name", "key"],
                    "additionalProperties": False,
                    "properties": {"parameter": TEXT, "name": TEXT, "key": TEXT},
                },
            }
        },
    },
}
"""The part of KEDA's custom resources (keda.sh/v1alpha1) that we use, strict, after its documentation: the package
kubernetes-validate knows Kubernetes' own kinds only."""


def pod(kind: str, name: str) -> Manifest:
    return MANIFESTS[kind, name]["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", ["1.30", "1.37"])
@pytest.mark.parametrize(("where", "kind", "name"), CHANGED)
def test_valid_by_the_schema(where: str, kind: str, name: str, version: str) -> None:
    validate(EVERY[where][kind, name], version)


def validate(manifest: Manifest, version: str) -> None:
    if manifest["kind"] not in KEDA:
        kubernetes_validate.validate(manifest, version, strict=True)
        return
    assert manifest.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert manifest["apiVersion"] == "keda.sh/v1alpha1"
    jsonschema.validate(manifest["spec"], KEDA[manifest["kind"]])


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


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("maxReplicas",), 3),
        (("minReplicaCount",), "2"),
        (("triggers", 0, "metadata", "lagThreshold"), 500000),
        (("advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown", "policies"), []),
        (("triggers",), []),
    ],
)
def test_the_schema_of_keda_finds_mistakes(path: tuple[str | int, ...], value: object) -> None:
    broken = copy.deepcopy(OVERLAYS["large"]["ScaledObject", "stitch"])
    place: Any = broken["spec"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(broken, "1.37")


def test_everything_in_the_folder_is_applied() -> None:
    assert {path.name for path in BASE.glob("*.yaml")} == {*KUSTOMIZATION["resources"], "kustomization.yaml"}
    assert render(FOLDER) == MANIFESTS, "deploy/kubernetes is the base by a shorter path"
    policies = {key for key in MANIFESTS if key[0] == "NetworkPolicy"}
    expected = {("ConfigMap", "rihla"), ("Job", "migrate"), ("ServiceAccount", "migrate"), *policies}
    expected |= {("ServiceAccount", name) for name in PROCESSES}
    expected |= {(kind, name) for kind in ("Deployment", "Service") for name in PROCESSES}
    expected |= {("PodDisruptionBudget", name) for name in PROCESSES if name != "identity"}
    expected |= {("Service", f"{name}-http") for name in SERVICES_BY_NAME}
    assert set(MANIFESTS) == expected
    keda = {("ScaledObject", name) for name in SCALED} | {("TriggerAuthentication", "rihla-kafka")}
    assert set(OVERLAYS["small"]) == expected | {("Namespace", "rihla")}
    assert set(OVERLAYS["large"]) == expected | {("Namespace", "rihla")} | keda


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_file_of_an_overlay_is_used(name: str) -> None:
    for folder in (FOLDER / "overlays" / name, *(FOLDER / "components").iterdir(), FOLDER / "namespace"):
        told = (folder / "kustomization.yaml").read_text(encoding="utf-8")
        assert all(path.name in told for path in folder.glob("*.yaml") if path.name != "kustomization.yaml")


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_sets_image_and_namespace(name: str) -> None:
    """The image is of the release that the base names."""
    (image,) = KUSTOMIZATION["images"]
    for (kind, _), manifest in OVERLAYS[name].items():
        assert manifest["metadata"].get("namespace") == (None if kind == "Namespace" else "rihla")
    for _, _, spec in pods(OVERLAYS[name]):
        assert [container["image"] for container in spec["containers"]] == [
            f"registry.example.com/rihla:{image['newTag']}"
        ]


KUSTOMIZE = [name for name in ("kustomize", "kubectl") if shutil.which(name)]


@pytest.mark.skipif(not KUSTOMIZE, reason="neither kustomize nor kubectl is installed: tests.support.kustomize alone")
@pytest.mark.parametrize("folder", ["base", "overlays/small", "overlays/large"])
def test_rendered_as_the_real_kustomize_does(folder: str) -> None:
    command = ["kustomize", "build"] if KUSTOMIZE[0] == "kustomize" else ["kubectl", "kustomize"]
    done = subprocess.run([*command, FOLDER / folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    real = {(m["kind"], m["metadata"]["name"]): unordered(m) for m in yaml.safe_load_all(done.stdout)}
    assert {key: unordered(manifest) for key, manifest in render(FOLDER / folder).items()} == real


def unordered(value: Any, name: str = "") -> Any:
    """With the lists that a strategic merge takes entry by entry in one order: which one it is means nothing."""
    if isinstance(value, dict):
        return {key: unordered(one, key) for key, one in value.items()}
    if isinstance(value, list):
        entries = [unordered(one) for one in value]
        return sorted(entries, key=lambda entry: str(entry[MERGED_BY[name]])) if _keyed(entries, name) else entries
    return value


def _keyed(entries: list[Any], name: str) -> bool:
    return name in MERGED_BY and all(MERGED_BY[name] in entry for entry in entries)


@pytest.mark.parametrize("where", EVERY)
@pytest.mark.parametrize("name", [*PROCESSES, "migrate"])
def test_a_process_starts_with_what_its_pod_gives_it(where: str, name: str, tmp_path: Path) -> None:
    """With the secrets mounted elsewhere, its settings can be read, and are those of the ConfigMap."""
    (spec,) = (spec for pod_name, _, spec in pods(EVERY[where]) if pod_name == name)
    told = {
        variable: value.replace("/etc/", f"{tmp_path}/") for variable, value in environment(EVERY[where], spec).items()
    }
    for variable, value in told.items():
        if value.startswith(str(tmp_path)):
            Path(value).parent.mkdir(parents=True, exist_ok=True)
            Path(value).write_text("https://clickhouse:8443" if "CLICKHOUSE" in variable else "a secret of 16 letters")
    settings = Settings.from_env(told)
    assert settings.brokers == EVERY[where]["ConfigMap", "rihla"]["data"]["RIHLA_BROKERS"]
    secured = where == "large" and name != "migrate"
    assert settings.security_protocol == ("SASL_SSL" if secured else "PLAINTEXT")
    assert (settings.sasl_password is not None) == secured
    assert not misspelt(told)


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
        manifest["spec"]["template"]["spec"].pop("topologySpreadConstraints", None)  # identity is one process
        del manifest["metadata"]["annotations"]  # its place in the order
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
    assert [entry["name"] for entry in secrets("Deployment", "deliver")] == ["RIHLA_ROUTES"]
    assert [entry["name"] for entry in secrets("Deployment", "collect")] == ["RIHLA_COLLECT_TOKEN_FILE"]
    assert [entry["name"] for entry in secrets("Deployment", "serve")] == ["RIHLA_SERVE_TOKENS"]
    assert secrets("Deployment", "sink") == secrets("Job", "migrate") != []
    assert "RIHLA_CLICKHOUSE" not in MANIFESTS["ConfigMap", "rihla"]["data"]


@pytest.mark.parametrize(("kind", "name"), [("Job", "migrate"), *(("Deployment", name) for name in PROCESSES)])
def test_pod_runs_the_image_without_privileges(kind: str, name: str) -> None:
    (container,) = pod(kind, name)["containers"]
    (image,) = KUSTOMIZATION["images"]
    assert container["image"] == f"{image['newName']}:{image['newTag']}"
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
