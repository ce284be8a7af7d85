"""Who needs which rights in Kafka: data, and the commands that grant them.

A worker's and a command's rights follow from the topics that it reads and writes. Read and Write imply Describe. Every
worker and command looks at all topics of the prefix (Describe) before it starts, and makes those that are missing
(Create), unless somebody else has made them.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from streams import topology
from streams.settings import Settings
from streams.topology import (
    ABOUT_PEOPLE,
    CHANNEL_TOPICS,
    COMPACTED,
    DEAD_LETTERS,
    ERASURES,
    SCHEMAS,
    TOPICS,
    WORKERS_BY_NAME,
)

READ, WRITE, CREATE, DELETE, DESCRIBE = "Read", "Write", "Create", "Delete", "Describe"
DESCRIBE_CONFIGS, ALTER_CONFIGS = "DescribeConfigs", "AlterConfigs"
TOPIC, GROUP = "topic", "group"

_REMOVABLE = tuple(topic.name for topic in TOPICS if topic.name not in COMPACTED)


@dataclass(frozen=True)
class Access:
    """Topics read and written, without prefix; workers whose groups are joined or looked at; changelogs, by table.

    makes: creates missing topics. deletes: topics whose records it deletes. configs: reads topics' settings, as every
    writer does to know how large a record may be. whole: works on all topics and groups of the
    prefix, to move them.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    joins: str | None = None
    looks_at: tuple[str, ...] = ()
    changelogs: tuple[str, ...] = ()
    makes: bool = True
    deletes: tuple[str, ...] = ()
    configs: bool = False
    whole: bool = False


ACCESS: dict[str, Access] = {
    **{
        worker.name: Access(
            (*worker.reads, ERASURES, SCHEMAS),
            (*worker.writes, DEAD_LETTERS, SCHEMAS),
            worker.name,
            changelogs=worker.state,
            configs=True,
        )
        for worker in topology.WORKERS
    },
    **{
        service.name: Access(
            (*service.reads, ERASURES, SCHEMAS) if service.reads else (),
            (*service.writes, DEAD_LETTERS),
            looks_at=tuple(WORKERS_BY_NAME) if service.name == "serve" else (),  # the desk says how far workers are
            configs=True,
        )
        for service in topology.SERVICES
    },
    "produce": Access(writes=(*CHANNEL_TOPICS, DEAD_LETTERS), configs=True),
    "replay": Access(reads=_REMOVABLE, writes=_REMOVABLE, configs=True),
    "restore": Access(writes=("interactions", "links"), looks_at=tuple(WORKERS_BY_NAME), configs=True),
    "restate": Access(writes=(*CHANNEL_TOPICS, DEAD_LETTERS, ERASURES), configs=True),
    "rebuild": Access(whole=True, makes=False),
    "verify": Access(reads=("interactions", "links"), makes=False),
    "forget": Access(
        writes=(ERASURES, "links", "parts", *ABOUT_PEOPLE),
        looks_at=tuple(WORKERS_BY_NAME),
        deletes=_REMOVABLE,
        configs=True,
        makes=False,
    ),
    "doctor": Access(looks_at=tuple(WORKERS_BY_NAME), configs=True, makes=False),
    "repartition": Access(whole=True, makes=False),
}  # fmt: skip
"""Who: what."""
PIPELINE = "up"
"""Rights of `rihla up` and `rihla run` with --broker HOST:PORT: those of the workers and of `produce`, those to refill
the topics, and those to look at the workers' groups.
"""


FEED = "feed:"
"""With a topic of somebody else's behind it: rights of `rihla feed TOPIC`, those of `produce` and to read it."""


@dataclass(frozen=True, order=True)
class Acl:
    """One right: an operation on a topic or group, or on all whose name begins so (prefixed)."""

    resource: str
    name: str
    operation: str
    prefixed: bool = False

    def __str__(self) -> str:
        return f"{self.operation.upper()} {self.resource} {self.name}{'*' if self.prefixed else ''}"


def feed_group(settings: Settings, topic: str) -> str:
    """The group of consumers of `rihla feed TOPIC`, where none is named."""
    return settings.group(f"feed-{topic}")


def is_known(who: str) -> bool:
    """Whether it has rights of its own here."""
    return who in ACCESS or who == PIPELINE or (who.startswith(FEED) and who != FEED)


def acls(settings: Settings, who: str, *, create: bool = True, group: str | None = None) -> list[Acl]:
    """Every right that somebody of ACCESS, PIPELINE or FEED needs; without Create where topics are made by others.

    group: of FEED, if it is another than `feed_group`.
    """
    if who.startswith(FEED):
        topic = who.removeprefix(FEED)
        joined = Acl(GROUP, group or feed_group(settings, topic), READ)
        return sorted({*acls(settings, "produce", create=create), Acl(TOPIC, topic, READ), joined})
    if who == PIPELINE:
        every = [acl for one in (*WORKERS_BY_NAME, "produce") for acl in acls(settings, one, create=create)]
        looks = [Acl(GROUP, settings.group(worker), DESCRIBE) for worker in WORKERS_BY_NAME]
        return sorted({*every, *looks, Acl(TOPIC, settings.topic(ERASURES), WRITE)})
    access, prefix = ACCESS[who], f"{settings.prefix}."
    found = {Acl(TOPIC, prefix, DESCRIBE, True)}
    found |= {Acl(TOPIC, settings.topic(name), READ) for name in access.reads}
    found |= {Acl(TOPIC, settings.topic(name), WRITE) for name in access.writes}
    found |= {Acl(TOPIC, settings.topic(name), DELETE) for name in access.deletes}
    found |= {Acl(GROUP, settings.group(worker), DESCRIBE) for worker in access.looks_at}
    if access.configs:
        found.add(Acl(TOPIC, prefix, DESCRIBE_CONFIGS, True))
    if access.makes and create:
        found.add(Acl(TOPIC, prefix, CREATE, True))
    if access.joins is not None:
        group = settings.group(access.joins)
        found.add(Acl(GROUP, group, READ))
        for table in access.changelogs:
            changelog = f"{group}-{table}-changelog"
            operations = (READ, WRITE, DESCRIBE_CONFIGS, *([CREATE] if create else []))
            found |= {Acl(TOPIC, changelog, operation) for operation in operations}
    if access.whole:
        both = (prefix, f"{settings.prefix}-")
        all_of_them = (READ, WRITE, CREATE, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS)
        found |= {Acl(TOPIC, start, operation, True) for start in both for operation in all_of_them}
        found |= {Acl(GROUP, f"{settings.prefix}-", operation, True) for operation in (READ, DESCRIBE, DELETE)}
    return sorted(found)


def as_commands(rights: Iterable[Acl], principal: str, brokers: str, config: str = "admin.properties") -> list[str]:
    """`kafka-acls.sh` command lines that grant rights, one for each set of names with the same operations."""
    operations: dict[tuple[str, bool, str], list[str]] = {}
    for right in rights:
        operations.setdefault((right.resource, right.prefixed, right.name), []).append(right.operation)
    together: dict[tuple[str, bool, tuple[str, ...]], list[str]] = {}
    for (resource, prefixed, name), some in operations.items():
        together.setdefault((resource, prefixed, tuple(some)), []).append(name)
    lines = []
    for (resource, prefixed, allowed), names in together.items():
        words = ["kafka-acls.sh", "--bootstrap-server", brokers, "--command-config", config, "--add"]
        words += ["--allow-principal", principal]
        words += [word for operation in allowed for word in ("--operation", operation)]
        words += [word for name in names for word in (f"--{resource}", name)]
        lines.append(shlex.join([*words, *(["--resource-pattern-type", "prefixed"] if prefixed else [])]))
    return lines


def as_json(rights: Iterable[Acl], principal: str) -> str:
    """One JSON object a line, a right each, with the field names of Kafka's own description of an ACL."""
    return "\n".join(
        json.dumps(
            {
                "principal": principal,
                "host": "*",
                "operation": right.operation.upper(),
                "permissionType": "ALLOW",
                "resourceType": right.resource.upper(),
                "name": right.name,
                "patternType": "PREFIXED" if right.prefixed else "LITERAL",
            }
        )
        for right in rights
    )


def as_strimzi(rights: Iterable[Acl], user: str) -> str:
    """A KafkaUser of Strimzi's operator, in YAML (JSON strings are YAML's)."""
    lines = ["apiVersion: kafka.strimzi.io/v1beta2", "kind: KafkaUser", "metadata:", f"  name: {json.dumps(user)}",
             "spec:", "  authorization:", "    type: simple", "    acls:"]  # fmt: skip
    for right in rights:
        pattern = "prefix" if right.prefixed else "literal"
        lines.append(
            f"      - resource: {{type: {right.resource}, name: {json.dumps(right.name)}, patternType: {pattern}}}\n"
            f"        operations: [{right.operation}]"
        )
    return "\n".join(lines)
