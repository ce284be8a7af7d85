"""The broker: whether it is there, is one, and takes what the settings ask of it."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from streams.doctor import probe, topics
from streams.doctor.finding import Finding
from streams.kafka import clients
from streams.settings import Settings

SECONDS = 30.0
"""Patience for all that a broker is asked."""
REMEDIES: dict[str, str] = {
    "unresolvable": "mend the name, or where this machine looks names up: RIHLA_BROKERS or --brokers",
    "refused": "start the broker, or name the port that it listens on: RIHLA_BROKERS or --brokers",
    "silent": "a firewall, a wrong address, or a broker that hangs: nc -vz HOST PORT from this machine",
    "unreachable": "look at the network between: nc -vz HOST PORT from this machine",
    "http": "name Kafka's own port, often 9092, instead: RIHLA_BROKERS or --brokers",
    "tls": "RIHLA_SECURITY_PROTOCOL=SSL or SASL_SSL (docs/security.md), or name a plaintext listener",
    "closed": "a listener with TLS or SASL does that to a plaintext client: set RIHLA_SECURITY_PROTOCOL "
    "(docs/security.md), or name another",
    "other": "name Kafka's port: RIHLA_BROKERS or --brokers",
}
"""What to do, by what `probe` has found."""


async def findings(settings: Settings) -> list[Finding]:
    """All findings about the broker and its topics."""
    found: list[Finding] = []
    if settings.security_protocol == "PLAINTEXT":  # of a secured one, streams.kafka.refusals says why it lets nobody in
        answers = await asyncio.gather(*map(probe.ask, settings.broker_list))
        found = [
            Finding("problem", f"broker {address}", answer.detail, REMEDIES[answer.what])
            for address, answer in zip(settings.broker_list, answers, strict=True)
            if answer.what != "kafka"
        ]
        if len(found) == len(answers):
            return found
    about = f"broker {settings.brokers}"
    admin = clients.admin(settings, request_timeout_ms=10_000)
    try:
        async with asyncio.timeout(SECONDS):
            await admin.start()
            cluster = await admin.describe_cluster()
            if settings.security_protocol == "PLAINTEXT":
                found += await _advertised(cluster, set(settings.broker_list))
            found.append(Finding("ok", about, "answers"))
            if not settings.embedded:
                found += session(settings, *await session_limits(admin, cluster["brokers"][0]["node_id"]))
            found += await topics.findings(admin, settings, len(cluster["brokers"]))
    except (KafkaError, OSError, TimeoutError) as error:
        why = str(error) or f"no answer in {SECONDS:.0f} s"
        remedy = getattr(error, "hint", None) or "look at the broker's log: it answers, and then does not"
        found.append(Finding("problem", about, why, remedy))
    finally:
        await admin.close()
    return found


async def _advertised(cluster: dict[str, Any], asked: set[str]) -> list[Finding]:
    """Brokers of the cluster that cannot be reached under the address that the cluster gives."""
    addresses = sorted({f"{one['host']}:{one['port']}" for one in cluster["brokers"]} - asked)
    answers = await asyncio.gather(*map(probe.ask, addresses))
    return [
        Finding(
            "problem",
            f"broker {address}",
            f"the cluster names this address, and from here {answer.detail}",
            "set advertised.listeners of that broker to an address that this machine reaches",
        )
        for address, answer in zip(addresses, answers, strict=True)
        if answer.what != "kafka"
    ]


async def session_limits(admin: AIOKafkaAdminClient, node: int) -> tuple[float | None, float | None]:
    """The shortest and the longest session time-out that a broker takes, seconds; None: it does not say."""
    names = ["group.min.session.timeout.ms", "group.max.session.timeout.ms"]
    resource = ConfigResource(ConfigResourceType.BROKER, str(node), dict.fromkeys(names))
    values = {
        entry[0]: float(entry[1]) / 1000
        for response in await admin.describe_configs([resource])
        for _error, _message, _kind, _name, entries in response.resources
        for entry in entries or ()
        if entry[0] in names and entry[1] is not None
    }
    return values.get(names[0]), values.get(names[1])


def session(settings: Settings, low: float | None, high: float | None) -> list[Finding]:
    """Whether brokers with these limits take the session time-out that workers ask for."""
    if low is not None and settings.session_timeout < low:
        remedy = f"RIHLA_SESSION_TIMEOUT={low:g}, or lower group.min.session.timeout.ms of the brokers"
    elif high is not None and settings.session_timeout > high:
        remedy = f"RIHLA_SESSION_TIMEOUT={high:g}, or raise group.max.session.timeout.ms of the brokers"
    else:
        return []
    limits = " and ".join(
        f"{word} {one:g} s" for word, one in (("at least", low), ("at most", high)) if one is not None
    )
    detail = f"session_timeout is {settings.session_timeout:g} s; the brokers take {limits}"
    return [Finding("problem", "settings", detail, remedy)]
