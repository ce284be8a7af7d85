"""What the Kubernetes manifests must hold to.

Each rule takes all objects of one rendering and says what is wrong, a sentence each. test_deploy_kubernetes_rules.py
asks every rule about every rendering, and breaks each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streams.settings import BY_FILE, ENVIRONMENT_PREFIX, SECRETS, Settings
from streams.topology import CHANNEL_TOPICS, PROCESSES, SERVICES, SERVICES_BY_NAME, WORKERS, Service, Worker
from tests.support.kustomize import Manifest, Manifests

PART_OF, COMPONENT = "app.kubernetes.io/part-of", "app.kubernetes.io/component"
WAVE, HOOK = "argocd.argoproj.io/sync-wave", "argocd.argoproj.io/hook"
SCALED = tuple(worker.name for worker in WORKERS if not worker.single and not worker.optional)
"""Workers that are scaled by lag: their group is always there, and its partitions may be read by many."""
RESTRICTED_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
}
CLICKHOUSE_PORTS = {8123, 8443}
RECEIVERS = {("TCP", 443), ("TCP", 587)}
DNS = {("TCP", 53), ("UDP", 53)}


def pods(manifests: Manifests) -> Iterator[tuple[str, Manifest, Manifest]]:
    """(name, labels, spec) of the pods of every Deployment and Job."""
    for (kind, name), manifest in manifests.items():
        if kind in ("Deployment", "Job"):
            template = manifest["spec"]["template"]
            yield name, template["metadata"]["labels"], template["spec"]


def environment(manifests: Manifests, spec: Manifest) -> dict[str, str]:
    """The variables that the container of a pod starts with."""
    (container,) = spec["containers"]
    told: dict[str, str] = dict(manifests["ConfigMap", "rihla"]["data"])
    return told | {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}


def restricted(manifests: Manifests) -> Iterator[str]:
    """Pod security: Kubernetes' standard `restricted`, and a root file system that nobody writes to."""
    for name, _, spec in pods(manifests):
        pod = spec.get("securityContext", {})
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(key):
                yield f"{name} has {key}"
        for volume in spec.get("volumes", []):
            if kinds := volume.keys() - {"name"} - RESTRICTED_VOLUMES:
                yield f"{name} has a volume of {sorted(kinds)}"
        for container in (*spec["containers"], *spec.get("initContainers", [])):
            own = container.get("securityContext", {})
            merged = pod | own
            if merged.get("runAsNonRoot") is not True or not merged.get("runAsUser", 0):
                yield f"{name} may run as root"
            if merged.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
                yield f"{name} has no seccomp profile"
            if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
                yield f"{name} may gain privileges"
            capabilities = own.get("capabilities", {})
            if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
                yield f"{name} has capabilities"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{name} may write to its image"
            if any("hostPort" in port for port in container.get("ports", [])):
                yield f"{name} takes a port of its node"
    for (kind, name), manifest in manifests.items():
        if kind == "Namespace":
            for mode in ("enforce", "warn", "audit"):
                if manifest["metadata"]["labels"].get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                    yield f"the namespace {name} does not {mode} the standard"


def accounts(manifests: Manifests) -> Iterator[str]:
    """Each kind of pod has an account of its own, without a token and without rights."""
    for name, labels, spec in pods(manifests):
        account = manifests.get(("ServiceAccount", spec.get("serviceAccountName", "default")), {})
        if spec.get("serviceAccountName") != name or account.get("metadata", {}).get("labels") != labels:
            yield f"{name} has no account of its own"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name} is given a token"
        if account.get("automountServiceAccountToken") is not False:
            yield f"the account {name} gives tokens"
    for kind, name in manifests:
        if kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
            yield f"{kind} {name}: nothing of Rihla asks the Kubernetes API"


def spread(manifests: Manifests) -> Iterator[str]:
    """Processes of a kind are in several zones and on several nodes, where there is room."""
    for name, labels, spec in pods(manifests):
        if name in ("identity", "migrate"):
            continue  # one process
        rules = {rule["topologyKey"]: rule for rule in spec.get("topologySpreadConstraints", [])}
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname"):
            if key not in rules:
                yield f"{name} is not spread over {key}"
            elif rules[key]["labelSelector"] != {"matchLabels": labels}:
                yield f"{name} is spread with the pods of another"
            elif (rules[key]["maxSkew"], rules[key]["whenUnsatisfiable"]) != (1, "ScheduleAnyway"):
                yield f"{name} may wait for room in {key}"


def secrets(manifests: Manifests) -> Iterator[str]:
    """Secrets are mounted as files that the process can read and others cannot; no variable holds one."""
    hidden = {ENVIRONMENT_PREFIX + name.upper() for name in SECRETS}
    files = {ENVIRONMENT_PREFIX + name.upper() + "_FILE" for name in BY_FILE}
    for name, _, spec in pods(manifests):
        (container,) = spec["containers"]
        told = environment(manifests, spec)
        if found := hidden & told.keys():
            yield f"{name} has {sorted(found)} in a variable"
        if any("value" not in entry for entry in container.get("env", [])):
            yield f"{name} has a variable from elsewhere"
        if any("secretRef" in source for source in container["envFrom"]):
            yield f"{name} has a secret in its variables"
        volumes = {volume["name"]: volume["secret"] for volume in spec.get("volumes", []) if "secret" in volume}
        mounts = {mount["name"]: mount for mount in container.get("volumeMounts", []) if mount["name"] in volumes}
        for volume, secret in volumes.items():
            if secret.get("defaultMode") != 0o440:
                yield f"{name}: {secret['secretName']} may be read by everybody in the pod"
            if "fsGroup" not in spec["securityContext"]:
                yield f"{name}: {secret['secretName']} belongs to root, and the process may not read it"
            if volume not in mounts or mounts[volume].get("readOnly") is not True:
                yield f"{name}: {secret['secretName']} is not mounted to be read only"
        paths = tuple(f"{mount['mountPath']}/" for mount in mounts.values())
        for variable, value in told.items():
            if (variable in files or value.startswith("/etc/")) and not value.startswith(paths or ("nowhere",)):
                yield f"{name}: {variable} names a file that is in no secret"


def order(manifests: Manifests) -> Iterator[str]:
    """Argo CD's waves: what migrate needs, migrate, then each worker before those that write what it reads."""

    def wave(kind: str, name: str) -> int:
        return int(manifests[kind, name]["metadata"].get("annotations", {}).get(WAVE, "0"))

    told = manifests["Job", "migrate"]["metadata"].get("annotations", {})
    if told.get(HOOK) != "Sync" or told.get("argocd.argoproj.io/hook-delete-policy") != "BeforeHookCreation":
        yield "migrate is not a hook, or that of the last version stands in its way"
    for kind, name in manifests:
        if kind in ("Namespace", "ConfigMap", "NetworkPolicy") or (kind, name) == ("ServiceAccount", "migrate"):
            if wave(kind, name) >= wave("Job", "migrate"):
                yield f"{kind} {name} is not there when migrate runs"
        elif kind == "Deployment" and wave(kind, name) <= wave("Job", "migrate"):
            yield f"{name} does not wait for migrate"
        elif kind == "ScaledObject" and wave(kind, name) <= wave("Deployment", name):
            yield f"{name} is scaled before it is there"
    everything: tuple[Worker | Service, ...] = (*WORKERS, *SERVICES)
    for writer in everything:
        if writer.name == "sink":
            continue  # what it writes, stitch has asked for
        # What people answered and guests were told goes round again. It is any producer's event: the enrich before
        # reads it, too.
        writes = {*writer.writes} - ({*CHANNEL_TOPICS} if writer.name in ("serve", "deliver") else set())
        for reader in everything:
            late = wave("Deployment", reader.name) >= wave("Deployment", writer.name)
            # collect comes last for its events; of invitations it asks no more than where their answers belong
            reads = {*reader.reads} - ({"invitations"} if reader.name == "collect" else set())
            if late and reader is not writer and reads & writes:
                yield f"{writer.name} is renewed before {reader.name}, which reads what it writes"


def network(manifests: Manifests) -> Iterator[str]:
    """Each pod reaches, and is reached by, what it must, and nothing else."""
    data = manifests["ConfigMap", "rihla"]["data"]
    kafka = {("TCP", int(address.rsplit(":", 1)[1])) for address in data["RIHLA_BROKERS"].split(",")}
    for name, labels, spec in pods(manifests):
        policies = [policy for policy in _policies(manifests) if _selects(policy["spec"]["podSelector"], labels)]
        denied = {
            way for policy in policies for way in policy["spec"]["policyTypes"]
            if not policy["spec"].get(way.lower())
        }  # fmt: skip
        if denied != {"Ingress", "Egress"}:
            yield f"{name} is open by default"
        ports = {port["name"]: port["containerPort"] for port in spec["containers"][0].get("ports", [])}
        out, into = _ports(policies, "egress", ports), _ports(policies, "ingress", ports)
        expected = set(DNS)
        if name in PROCESSES:
            expected |= kafka
        if "RIHLA_CLICKHOUSE_FILE" in environment(manifests, spec):
            clickhouse = {(protocol, port) for protocol, port in out if port in CLICKHOUSE_PORTS}
            expected |= clickhouse
            if len(clickhouse) != 1:
                yield f"{name} does not reach ClickHouse by one port"
        if name == "deliver":
            expected |= RECEIVERS
        if out != expected:
            yield f"{name} reaches {sorted(out)}, and not {sorted(expected)}"
        services = {"metrics"} if name in PROCESSES else set()
        services |= {"http"} if name in SERVICES_BY_NAME else set()
        if into != {("TCP", ports[service]) for service in services}:
            yield f"{name} is reached by {sorted(into)}, and not by {sorted(services)}"
    for policy in _policies(manifests):
        if any(not rule.get("from") for rule in policy["spec"].get("ingress", [])):
            yield f"{policy['metadata']['name']} lets everybody in"
        if "namespace" in policy["metadata"] and any(not rule.get("to") for rule in policy["spec"].get("egress", [])):
            yield f"{policy['metadata']['name']} lets pods reach any address"


def scaling(manifests: Manifests) -> Iterator[str]:
    """KEDA, where it is used, scales enrich, stitch and sink, by the lag of their groups, within their partitions."""
    found = {name for kind, name in manifests if kind == "ScaledObject"}
    if found and found != set(SCALED):
        yield f"{sorted(found)} are scaled, and not {sorted(SCALED)}"
    settings = Settings.from_env(manifests["ConfigMap", "rihla"]["data"])
    for (kind, name), manifest in manifests.items():
        if kind == "Deployment":
            replicas = manifest["spec"].get("replicas")
            if (replicas is None) != (name in found):
                yield f"{name}: either the manifest or KEDA says how many"
            if name not in SERVICES_BY_NAME and replicas is not None and replicas > settings.partitions:
                yield f"{name} has more processes than partitions"
            if name == "identity" and replicas != 1:
                yield "identity is one process"
        if kind != "ScaledObject":
            continue
        spec = manifest["spec"]
        if spec["scaleTargetRef"] != {"name": name} or ("Deployment", name) not in manifests:
            yield f"{name} scales another"
        if not 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= settings.partitions:
            yield f"{name} may have none, or more processes than partitions"
        for trigger in spec["triggers"]:
            yield from _trigger(manifests, name, trigger, settings)


def _trigger(manifests: Manifests, name: str, trigger: Manifest, settings: Settings) -> Iterator[str]:
    told = trigger["metadata"]
    if (trigger["type"], told.get("consumerGroup"), told.get("topic")) != ("kafka", settings.group(name), None):
        yield f"{name} is scaled by the lag of another than the group {settings.group(name)}"
    if told.get("bootstrapServersFromEnv") != "RIHLA_BROKERS" or told.get("offsetResetPolicy") != "earliest":
        yield f"{name}: KEDA reads otherwise than the worker"
    env = environment(manifests, manifests["Deployment", name]["spec"]["template"]["spec"])
    mechanism = env.get("RIHLA_SASL_MECHANISM", "none").lower().replace("-", "_").replace("sha_", "sha")
    tls = "enable" if env.get("RIHLA_SECURITY_PROTOCOL", "PLAINTEXT").endswith("SSL") else "disable"
    if (told.get("sasl", "none"), told.get("tls", "disable")) != (mechanism, tls):
        yield f"{name}: KEDA is let in by Kafka otherwise than the worker"
    reference = trigger.get("authenticationRef", {}).get("name")
    given = manifests.get(("TriggerAuthentication", reference or ""), {"spec": {"secretTargetRef": []}})
    parameters = {entry["parameter"] for entry in given["spec"]["secretTargetRef"]}
    if mechanism != "none" and not {"username", "password"} <= parameters:
        yield f"{name}: KEDA has no user and password for Kafka"


def _policies(manifests: Manifests) -> Iterator[Manifest]:
    return (manifest for (kind, _), manifest in manifests.items() if kind == "NetworkPolicy")


def _selects(selector: Manifest, labels: Manifest) -> bool:
    for term in selector.get("matchExpressions", []):
        if term["operator"] != "In":
            raise ValueError(f"a selector with {term['operator']}")
        if labels.get(term["key"]) not in term["values"]:
            return False
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def _ports(policies: list[Manifest], way: str, named: dict[str, int]) -> set[tuple[str, int]]:
    """The (protocol, port)s that policies let through; (any, 0) where one lets all through."""
    found: set[tuple[str, int]] = set()
    for policy in policies:
        for rule in policy["spec"].get(way, []):
            for entry in rule.get("ports", [{"protocol": "any", "port": 0}]):
                port: Any = entry["port"]
                if isinstance(port, str) and port not in named:
                    continue  # a pod without a port of that name is not reached by it
                found.add((entry["protocol"], named[port] if isinstance(port, str) else port))
    return found


RULES = (restricted, accounts, spread, secrets, order, network, scaling)
