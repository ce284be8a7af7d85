"""The topics: whether they are there or could be made, their partitions, and their settings against
streams.kafka.topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from streams.doctor.finding import Finding, Verdict
from streams.kafka import topic_checks
from streams.kafka.topics import MIN_INSYNC, alter, config_of, in_sync
from streams.settings import Settings
from streams.topology import TOPICS, Topic

REFUSED = {
    "InvalidReplicationFactorError": "set RIHLA_REPLICATION to at most the number of brokers",
    "PolicyViolationError": "make the topic as the brokers' policy wants it, before the workers start",
    "TopicAuthorizationFailedError": "allow this user CREATE on the topics, or make them before the workers start",
    "ClusterAuthorizationFailedError": "allow this user CREATE on the cluster, or make them before the workers start",
}
"""What to do, by the error with which the broker would refuse a topic."""


async def findings(admin: AIOKafkaAdminClient, settings: Settings, brokers: int) -> list[Finding]:
    """All about the topics. brokers: how many the cluster has. Raises KafkaError."""
    there = set(await admin.list_topics())
    names = {topic.name: settings.topic(topic.name) for topic in TOPICS}
    missing = [topic for topic in TOPICS if names[topic.name] not in there]
    present = [name for name in names.values() if name in there]
    found: list[Finding] = []
    if missing:
        listed = ", ".join(names[topic.name] for topic in missing)
        remedy = "the first worker makes them; with other partitions: RIHLA_PARTITIONS"
        refusals = await _refusals(admin, settings, missing, brokers)
        found += refusals or [Finding("note", "topics", f"missing: {listed}", remedy)]
    if present:
        described = {one["topic"]: one["partitions"] for one in await admin.describe_topics(present)}
        wrong = list(_partitions(settings, {name: len(partitions) for name, partitions in described.items()}))
        for fault in await topic_checks.faults(admin, settings, there):
            verdict: Verdict = "problem" if fault.grave else "note"
            about = fault.topic if fault.topic == "topics" else f"topic {fault.topic}"
            wrong.append(Finding(verdict, about, fault.what, fault.remedy))
        if not settings.embedded:
            configs, refused = await _configs(admin, present)
            if refused:
                why = f"the settings of {len(refused)} of {len(present)} cannot be read: {next(iter(refused.values()))}"
                found.append(Finding("note", "topics", why, "allow this user DESCRIBE_CONFIGS, to have them looked at"))
            for topic in TOPICS:
                if (name := names[topic.name]) in configs:
                    replicas = min((len(one["replicas"]) for one in described[name]), default=1)
                    wrong += _settings(settings, name, configs[name], replicas)
        found += wrong
        if not wrong and not missing:
            count = len(described[names["interactions"]])
            found.append(Finding("ok", "topics", f"{len(names)} under {settings.prefix}., {count} partitions"))
    return found


async def _refusals(
    admin: AIOKafkaAdminClient, settings: Settings, missing: list[Topic], brokers: int
) -> list[Finding]:
    """Why the broker would not make topics; it is asked to validate, and makes none."""
    if settings.embedded:
        return []
    if settings.replication > brokers:
        detail = f"replication is {settings.replication}, and the cluster has {brokers} broker{'s' * (brokers > 1)}"
        return [Finding("problem", "topics", detail, f"RIHLA_REPLICATION={brokers}, or more brokers")]
    wanted = [
        NewTopic(
            settings.topic(topic.name),
            topic.partitions or settings.partitions,
            settings.replication,
            topic_configs={**in_sync(settings.replication), **config_of(topic)},
        )
        for topic in missing
    ]
    response = await admin.create_topics(wanted, validate_only=True)
    found = []
    for name, code, *message in response.topic_errors:
        if code:
            error = for_code(code).__name__
            detail = f"the broker would refuse {name}: {error} {' '.join(map(str, filter(None, message)))}".strip()
            remedy = REFUSED.get(error, "make it before the workers start: kafka-topics.sh --create")
            found.append(Finding("problem", "topics", detail, remedy))
    return found


def _partitions(settings: Settings, counts: Mapping[str, int]) -> Iterator[Finding]:
    name = settings.topic("interactions")
    if not settings.embedded and (count := counts.get(name, settings.partitions)) != settings.partitions:
        detail = f"partitions is {settings.partitions}, and {name} has {count}"
        yield Finding("problem", "topics", detail, f"RIHLA_PARTITIONS={count} for every worker: the topics hold")


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """The settings of topics, and the errors for those that the broker does not describe."""
    configs, refused = dict[str, dict[str, str]](), dict[str, str]()
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names]):
        for error, _message, _kind, name, entries in response.resources:
            if error:
                refused[name] = for_code(error).__name__
            else:
                configs[name] = {entry[0]: entry[1] for entry in entries or () if entry[1] is not None}
    return configs, refused


def _settings(settings: Settings, name: str, is_: Mapping[str, str], replicas: int) -> Iterator[Finding]:
    """What is wrong with settings that every topic has (for those of Rihla: streams.kafka.retention)."""
    least, wanted = int(is_.get(MIN_INSYNC, "1")), in_sync(replicas)
    if least > replicas:
        detail = f"{MIN_INSYNC} is {least}, with {replicas} replica{'s' * (replicas > 1)}: no write is taken"
        yield Finding("problem", f"topic {name}", detail, alter(settings, name, {MIN_INSYNC: str(replicas)}))
    elif wanted and least < int(wanted[MIN_INSYNC]):
        detail = f"{MIN_INSYNC} is {least}: a record that was acknowledged may be on one broker, and be lost with it"
        yield Finding("problem", f"topic {name}", detail, alter(settings, name, wanted))
