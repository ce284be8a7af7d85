"""The rules of tests/support/kubernetes_rules.py: every rendering keeps them, and each is seen to be broken once."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import kubernetes_rules as rules
from tests.support.kustomize import Manifest, Manifests, render

FOLDER = Path(__file__).parents[2] / "deploy/kubernetes"
RENDERED = {name: render(FOLDER / name) for name in ("base", "overlays/small", "overlays/large")}
POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
PORTS = ("spec", "egress", 0, "ports")
TRIGGER = ("spec", "triggers", 0)
WAVE = ("metadata", "annotations", rules.WAVE)
DELETE = object()
PAGE = (FOLDER.parents[1] / "docs/kubernetes.md").read_text(encoding="utf-8")
ANYWHERE: list[Manifest] = [{"ports": [{"protocol": "TCP", "port": 9093}]}]

BREAKS: list[tuple[Callable[..., Any], str, tuple[str, str], tuple[str | int, ...], Any, str]] = [
    (rules.restricted, "pod runs as root", ("Deployment", "sink"),
     (*POD, "securityContext", "runAsUser"), 0, "as root"),
    (rules.restricted, "nobody says that it is not root", ("Job", "migrate"),
     (*POD, "securityContext", "runAsNonRoot"), DELETE, "as root"),
    (rules.restricted, "no seccomp", ("Deployment", "serve"),
     (*POD, "securityContext", "seccompProfile"), DELETE, "seccomp"),
    (rules.restricted, "privileges", ("Deployment", "serve"),
     (*CONTAINER, "securityContext", "allowPrivilegeEscalation"), DELETE, "privileges"),
    (rules.restricted, "capabilities", ("Deployment", "enrich"),
     (*CONTAINER, "securityContext", "capabilities", "drop"), [], "capabilities"),
    (rules.restricted, "written image", ("Deployment", "enrich"),
     (*CONTAINER, "securityContext", "readOnlyRootFilesystem"), False, "write to its image"),
    (rules.restricted, "host path", ("Deployment", "enrich"),
     (*POD, "volumes", 0), {"name": "home", "hostPath": {"path": "/"}}, "hostPath"),
    (rules.restricted, "host network", ("Deployment", "enrich"), (*POD, "hostNetwork"), True, "hostNetwork"),
    (rules.restricted, "host port", ("Deployment", "enrich"),
     (*CONTAINER, "ports", 0, "hostPort"), 9100, "port of its node"),
    (rules.restricted, "namespace", ("Namespace", "rihla"),
     ("metadata", "labels", "pod-security.kubernetes.io/enforce"), "baseline", "does not enforce"),
    (rules.accounts, "another's account", ("Deployment", "sink"),
     (*POD, "serviceAccountName"), "migrate", "of its own"),
    (rules.accounts, "the default account", ("Deployment", "sink"), (*POD, "serviceAccountName"), DELETE, "of its own"),
    (rules.accounts, "token in the pod", ("Job", "migrate"),
     (*POD, "automountServiceAccountToken"), True, "given a token"),
    (rules.accounts, "token of the account", ("ServiceAccount", "serve"),
     ("automountServiceAccountToken",), DELETE, "gives tokens"),
    (rules.spread, "nodes alone", ("Deployment", "stitch"),
     (*POD, "topologySpreadConstraints", 0, "topologyKey"), "kubernetes.io/hostname", "zone"),
    (rules.spread, "not at all", ("Deployment", "collect"), (*POD, "topologySpreadConstraints"), DELETE, "not spread"),
    (rules.spread, "a must", ("Deployment", "enrich"),
     (*POD, "topologySpreadConstraints", 1, "whenUnsatisfiable"), "DoNotSchedule", "wait for room"),
    (rules.spread, "others' pods", ("Deployment", "enrich"),
     (*POD, "topologySpreadConstraints", 0, "labelSelector", "matchLabels", rules.COMPONENT), "sink", "of another"),
    (rules.secrets, "address in the settings", ("ConfigMap", "rihla"),
     ("data", "RIHLA_CLICKHOUSE"), "http://me:secret@clickhouse:8123", "in a variable"),
    (rules.secrets, "password in a variable", ("Deployment", "sink"),
     (*CONTAINER, "env", 0), {"name": "RIHLA_SASL_PASSWORD", "value": "x"}, "in a variable"),
    (rules.secrets, "variable from a secret", ("Deployment", "sink"),
     (*CONTAINER, "env", 0), {"name": "X", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}, "from elsewhere"),
    (rules.secrets, "all of a secret", ("Deployment", "sink"),
     (*CONTAINER, "envFrom", 0), {"secretRef": {"name": "rihla-clickhouse"}}, "in its variables"),
    (rules.secrets, "unmounted file", ("Deployment", "sink"),
     (*CONTAINER, "env", 0, "value"), "/etc/rihla/other/url", "in no secret"),
    (rules.secrets, "root's file", ("Job", "migrate"), (*POD, "securityContext", "fsGroup"), DELETE, "may not read"),
    (rules.secrets, "everybody's file", ("Job", "migrate"),
     (*POD, "volumes", 0, "secret", "defaultMode"), DELETE, "by everybody"),
    (rules.secrets, "writable mount", ("Job", "migrate"),
     (*CONTAINER, "volumeMounts", 0, "readOnly"), False, "read only"),
    (rules.order, "no hook", ("Job", "migrate"), ("metadata", "annotations", rules.HOOK), DELETE, "not a hook"),
    (rules.order, "before its settings", ("Job", "migrate"),
     ("metadata", "annotations", rules.HOOK), "PreSync", "not a hook"),
    (rules.order, "settings too late", ("ConfigMap", "rihla"), WAVE, "0", "not there when migrate runs"),
    (rules.order, "account too late", ("ServiceAccount", "migrate"), WAVE, DELETE, "not there when migrate runs"),
    (rules.order, "network too late", ("NetworkPolicy", "to-clickhouse"), WAVE, "-1", "not there when migrate runs"),
    (rules.order, "sink with migrate", ("Deployment", "sink"), WAVE, "-1", "does not wait for migrate"),
    (rules.order, "writer first", ("Deployment", "enrich"), WAVE, "2", "enrich is renewed before stitch"),
    (rules.order, "scaled too soon", ("ScaledObject", "stitch"), WAVE, DELETE, "before it is there"),
    (rules.network, "no default", ("NetworkPolicy", "default-deny"),
     ("spec", "policyTypes"), ["Ingress"], "open by default"),
    (rules.network, "default of another", ("NetworkPolicy", "default-deny"),
     ("spec", "podSelector", "matchLabels"), {"app": "other"}, "open by default"),
    (rules.network, "Kafka's other port", ("NetworkPolicy", "to-kafka"), (*PORTS, 0, "port"), 9092, "reaches"),
    (rules.network, "Kafka without serve", ("NetworkPolicy", "to-kafka"),
     ("spec", "podSelector", "matchExpressions", 1, "values"), ["enrich"], "serve reaches"),
    (rules.network, "Kafka for migrate", ("NetworkPolicy", "to-kafka"),
     ("spec", "podSelector"), {"matchLabels": {rules.PART_OF: "rihla"}}, "migrate reaches"),
    (rules.network, "ClickHouse without migrate", ("NetworkPolicy", "to-clickhouse"),
     ("spec", "podSelector", "matchExpressions", 1, "values"), ["sink"], "migrate does not reach"),
    (rules.network, "ClickHouse for all", ("NetworkPolicy", "to-clickhouse"),
     ("spec", "podSelector", "matchExpressions"), [], "enrich reaches"),
    (rules.network, "any port", ("NetworkPolicy", "to-kafka"), PORTS, DELETE, "('any', 0)"),
    (rules.network, "any address", ("NetworkPolicy", "to-kafka"), ("spec", "egress"), ANYWHERE, "any address"),
    (rules.network, "names not found", ("NetworkPolicy", "to-dns"),
     PORTS, [{"protocol": "TCP", "port": 53}], "reaches"),
    (rules.network, "nobody told", ("NetworkPolicy", "to-receivers"), PORTS, [], "deliver reaches"),
    (rules.network, "unseen", ("NetworkPolicy", "from-prometheus"),
     ("spec", "podSelector", "matchExpressions", 1, "values"), ["sink"], "enrich is reached by"),
    (rules.network, "no front door", ("NetworkPolicy", "from-ingress"),
     ("spec", "podSelector", "matchExpressions", 1, "values"), ["serve"], "collect is reached by"),
    (rules.network, "everybody", ("NetworkPolicy", "from-ingress"),
     ("spec", "ingress", 0, "from"), [], "lets everybody in"),
    (rules.scaling, "two who say how many", ("Deployment", "stitch"), ("spec", "replicas"), 2, "either"),
    (rules.scaling, "nobody says how many", ("Deployment", "identity"), ("spec", "replicas"), DELETE, "either"),
    (rules.scaling, "two identities", ("Deployment", "identity"), ("spec", "replicas"), 2, "identity is one"),
    (rules.scaling, "too many", ("ScaledObject", "sink"), ("spec", "maxReplicaCount"), 49, "than partitions"),
    (rules.scaling, "none", ("ScaledObject", "sink"), ("spec", "minReplicaCount"), 0, "may have none"),
    (rules.scaling, "another's lag", ("ScaledObject", "sink"),
     (*TRIGGER, "metadata", "consumerGroup"), "cx-stitch", "the group cx-sink"),
    (rules.scaling, "another prefix", ("ConfigMap", "rihla"), ("data", "RIHLA_PREFIX"), "dx", "the group dx-sink"),
    (rules.scaling, "another target", ("ScaledObject", "sink"),
     ("spec", "scaleTargetRef", "name"), "identity", "scales another"),
    (rules.scaling, "one topic", ("ScaledObject", "sink"),
     (*TRIGGER, "metadata", "topic"), "cx.links", "by the lag of"),
    (rules.scaling, "latest", ("ScaledObject", "sink"),
     (*TRIGGER, "metadata", "offsetResetPolicy"), "latest", "reads otherwise"),
    (rules.scaling, "no TLS", ("ScaledObject", "sink"),
     (*TRIGGER, "metadata", "tls"), DELETE, "let in by Kafka otherwise"),
    (rules.scaling, "another mechanism", ("ScaledObject", "sink"),
     (*TRIGGER, "metadata", "sasl"), "plaintext", "let in by Kafka otherwise"),
    (rules.scaling, "no password", ("ScaledObject", "sink"),
     (*TRIGGER, "authenticationRef"), DELETE, "no user and password"),
]  # fmt: skip


@pytest.mark.parametrize("where", RENDERED)
@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_rule_is_kept(rule: Callable[..., Any], where: str) -> None:
    assert list(rule(RENDERED[where])) == []


@pytest.mark.parametrize(
    ("rule", "key", "path", "value", "said"),
    [pytest.param(rule, *rest, id=f"{rule.__name__}: {what}") for rule, what, *rest in BREAKS],
)
def test_what_breaks_a_rule_is_found(
    rule: Callable[..., Any], key: tuple[str, str], path: tuple[str | int, ...], value: Any, said: str
) -> None:
    broken = copy.deepcopy(RENDERED["overlays/large"])
    place: Any = broken[key]
    for step in path[:-1]:
        place = place[step]
    if value is DELETE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    found = list(rule(broken))
    assert any(said in sentence for sentence in found), found


@pytest.mark.parametrize(("key", "rule"), [
    (("ScaledObject", "enrich"), rules.scaling),
    (("ServiceAccount", "deliver"), rules.accounts),
    (("NetworkPolicy", "default-deny"), rules.network),
    (("TriggerAuthentication", "rihla-kafka"), rules.scaling),
])  # fmt: skip
def test_what_is_missing_is_found(key: tuple[str, str], rule: Callable[..., Any]) -> None:
    broken: Manifests = {k: manifest for k, manifest in RENDERED["overlays/large"].items() if k != key}
    assert list(rule(broken))


def test_a_right_in_the_cluster_is_found() -> None:
    broken = {**RENDERED["base"], ("RoleBinding", "sink"): {"kind": "RoleBinding"}}
    assert list(rules.accounts(broken)) == ["RoleBinding sink: nothing of Rihla asks the Kubernetes API"]


def test_the_page_lists_the_policies() -> None:
    listed = re.findall(r"^\| `([a-z]+-[a-z]+)` \|", PAGE, flags=re.M)
    assert sorted(listed) == sorted(name for kind, name in RENDERED["base"] if kind == "NetworkPolicy")


@pytest.mark.parametrize("where", RENDERED)
def test_the_steps_of_the_page_apply_everything_in_the_order_of_the_waves(where: str) -> None:
    (first,) = re.findall(r"component in \((.*?)\)", PAGE)
    (others,) = re.findall(r"for name in (.*); do", PAGE)
    of_step = dict.fromkeys(first.split(", "), 0) | {name: step for step, name in enumerate(others.split(), start=1)}
    waves: list[tuple[int, int]] = []
    for (kind, _), manifest in RENDERED[where].items():
        step = of_step[manifest["metadata"]["labels"][rules.COMPONENT]]
        wave = int(manifest["metadata"].get("annotations", {}).get(rules.WAVE, "0"))
        assert (step == 0) == (wave < 0) or kind not in ("Deployment", "Job", "ConfigMap", "NetworkPolicy")
        if kind == "Deployment":
            waves.append((step, wave))
    assert sorted(waves) == sorted(waves, key=lambda pair: pair[1])
    assert len(waves) == len(others.split())
