"""The pipeline on one page: what flows through which topic, who reads and writes it, and where it is stored.

Everything that lists workers, topics, state tables or ClickHouse tables takes them from here. `python -m
streams.topology_tables` prints the tables that docs/developing.md and docs/deploying-a-worker.md show; tests hold those
pages, the compose file, the Kubernetes manifests and the monitoring to this one.

    channels ─▶ enrich ─▶ interactions ─▶ stitch ─▶ journeys, customers, cases, alerts, moves ─▶ sink ─▶ ClickHouse
                  └─▶ links ─▶ identity ─▶ identities ─┘ └─▶ parts (to stitch itself), recalls (to the sink)

    stitch ─▶ segments, next-actions, invitations, messages ─▶ sink
    alerts, cases, moves, segments, next-actions ─▶ deliver ─▶ people and systems; deliveries ─▶ sink
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Retention = Literal["30 days", "for ever", "latest by key"]
"""How long a topic that Rihla makes keeps a record: for thirty days, the longest outage promised; for ever; or until a
record of the same key follows (compaction)."""

SOON, SHORTLY = 0.1, 0.5
"""Linger, in seconds, of tables that people wait for, and of those that people look at. An insert costs some 10 ms
however few its rows, and as much again to merge."""


@dataclass(frozen=True, slots=True)
class Stored:
    """How the sink stores the records of a topic in ClickHouse.

    view: what analysts read, exact: `cx.<view>`; the table that is written is `cx.<view>_store`.
    key: the columns that tell rows apart.
    versioned: the record carries a version, and the highest of a key is current; otherwise rows of a key are copies.
    derived: the records follow from the events, so a rebuild writes them anew, in a later epoch that wins over all of
        an earlier one. Those that do not follow from events carry versions given by their writers.
    maps: fields of the form array<{key, value}> that are a Map in ClickHouse.
    words: columns of few different texts (LowCardinality in ClickHouse), which are sent as dictionaries.
    linger: longest time, in seconds, between two inserts that are not full.
    patience: the pause between two such inserts is at most this many times as long as the last one took.
    """

    view: str
    key: tuple[str, ...]
    versioned: bool = True
    derived: bool = True
    maps: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    linger: float = 1.0
    patience: float = 25.0  # at most a twenty-sixth of the time goes into small inserts that nobody waits for


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: `<prefix>.<name>`.

    record: the schema of its values (`schemas/avro/<record>.avsc`); None where they are no Avro.
    key: what the key of a record is.
    retention: how long it keeps a record.
    partitions: None means as many as the setting `partitions` says.
    with_state: a record about a subject is in the partition of the same number as the subject's state, so the topic has
        as many partitions as the changelog of that state.
    stored: where the sink stores its records; None where it does not.
    """

    name: str
    record: str | None
    key: str
    retention: Retention
    partitions: int | None = None
    with_state: bool = False
    stored: Stored | None = None

    @property
    def compacted(self) -> bool:
        """Whether the broker keeps the latest record of each key only."""
        return self.retention == "latest by key"


@dataclass(frozen=True, slots=True)
class Worker:
    """A stream worker: `rihla worker <name>`, with the consumer group `<prefix>-<name>`.

    module: its `create(app, settings)` registers the agents and returns the worker's io.
    reads, writes: names of topics; every worker writes dead letters and follows erasures besides.
    state: names of its state tables; the changelog of each is `<prefix>-<worker>-<table>-changelog`.
    single: one process holds all of its state; a second one is a stand-by.
    optional: a pipeline does without it: it runs where somebody wants it, and nobody waits for it.
    stages: those at which a record, or the state of a key, may make its code raise (streams.worker.sift).
    scales_to: what limits the number of its processes, for people.
    holds: what it keeps in memory, for people.
    """

    name: str
    module: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    holds: str
    scales_to: str
    stages: tuple[str, ...]
    state: tuple[str, ...] = ()
    single: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A process at the edge: `rihla worker <name>`, without a consumer group.

    module: its `run(settings, metrics_host, metrics_port)` is the process. extra: of the package, that it needs.
    reads, writes: names of topics. holds, scales_to: as of a Worker.
    port: the setting that names the port on which it answers others. stages: as of a Worker.
    """

    name: str
    module: str
    extra: str
    writes: tuple[str, ...]
    holds: str
    scales_to: str
    port: str
    reads: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()


CHANNEL_TOPICS = ("booking", "check-in", "stay", "post-travel")
"""The topics into which any producer writes, by any key, with any number of partitions."""

MASTER_TOPICS = ("units", "rates")
"""The topics in which the company's other systems say what does not follow from events."""

DEAD_LETTERS, ERASURES, SCHEMAS = "dead-letters", "erasures", "schemas"
"""Every worker writes the first, follows the second, and keeps in the third the schemas that a registry has given."""

TOPICS: tuple[Topic, ...] = (
    Topic("booking", "booking", "any", "30 days"),
    Topic("check-in", "check_in", "any", "30 days"),
    Topic("stay", "stay", "any", "30 days"),
    Topic("post-travel", "post_travel", "any", "30 days"),
    Topic(
        "interactions",
        "interaction",
        "subject",
        "30 days",
        with_state=True,
        stored=Stored(
            "interactions",
            ("subject", "event_id"),
            versioned=False,
            maps=("attributes",),
            words=(
                *("channel", "touchpoint", "medium", "unit", "agent_id", "locale", "country", "language"),
                *("score_source", "package", "meal_plan", "room_type", "delay_code", "facility", "service", "platform"),
            ),
        ),
    ),
    Topic(
        "links", "link", "subject", "for ever", partitions=1
    ),  # who is who is a function of all of them, in one order
    Topic(
        "identities",
        "identity",
        "identifier",
        "latest by key",
        with_state=True,
        stored=Stored("identities", ("kind", "value")),
    ),
    Topic("parts", "part", "root, the subject that the part is sent to", "30 days", with_state=True),
    Topic("recalls", "recall", "subject", "30 days", with_state=True),
    Topic(
        "journeys",
        "journey",
        "journey_id",
        "latest by key",
        stored=Stored("journeys", ("journey_id",), maps=("spend",), linger=SOON, patience=4.0),
    ),
    Topic(
        "customers",
        "customer",
        "customer_id",
        "latest by key",
        stored=Stored("customers", ("customer_id",), linger=SHORTLY),
    ),
    Topic(
        "cases",
        "case",
        "customer_id/case_id",
        "latest by key",
        stored=Stored("cases", ("case_id", "customer_id"), linger=SHORTLY),
    ),
    Topic("alerts", "alert", "alert_id", "30 days", stored=Stored("alerts", ("alert_id",), linger=SOON, patience=4.0)),
    Topic("moves", "move", "customer_id", "30 days", stored=Stored("moves", ("move_id",))),
    Topic(
        "segments",
        "segment",
        "customer_id/segment",
        "latest by key",
        stored=Stored("segments", ("segment", "customer_id"), words=("segment",), linger=SOON, patience=4.0),
    ),
    Topic(
        "next-actions",
        "next_action",
        "customer_id",
        "latest by key",
        stored=Stored("next_actions", ("customer_id",), linger=SOON, patience=4.0),
    ),
    Topic(
        "invitations",
        "invitation",
        "invitation_id",
        "30 days",
        stored=Stored(
            "invitations",
            ("invitation_id",),
            words=("survey", "unit", "language", "channel", "status", "reason"),
            linger=SHORTLY,
        ),
    ),
    Topic(
        "messages",
        "message",
        "message_id",
        "30 days",
        stored=Stored(
            "messages",
            ("message_id",),
            words=("kind", "unit", "aspect", "language", "channel", "status", "judged_by"),
            linger=SHORTLY,
        ),
    ),
    Topic(
        "deliveries",
        "delivery",
        "target/kind/thing_id/thing_version",
        "latest by key",
        stored=Stored(
            "deliveries",
            ("target", "kind", "thing_id", "thing_version"),
            words=("target", "kind", "rule", "severity", "unit", "state", "status"),
        ),
    ),
    Topic("gatherings", "alert", "rule/unit", "30 days"),
    Topic("redeliveries", "redelivery", "that of the thing in its own topic", "30 days"),
    Topic(
        "units",
        "unit",
        "unit/valid_from",
        "latest by key",
        partitions=1,
        stored=Stored("units", ("unit", "valid_from"), derived=False),
    ),
    Topic(
        "rates",
        "rate",
        "currency/base/valid_from",
        "latest by key",
        partitions=1,
        stored=Stored("rates", ("currency", "base", "valid_from"), derived=False),
    ),
    Topic(
        "lookups",
        "lookup",
        "customer_id",
        "30 days",
        stored=Stored("lookups", ("lookup_id",), versioned=False, derived=False, words=("bearer", "role", "asked")),
    ),
    Topic(
        DEAD_LETTERS,
        "dead_letter",
        "that of the record refused",
        "30 days",
        stored=Stored("dead_letters", ("topic", "partition", "offset", "epoch", "payload"), versioned=False),
    ),
    Topic(ERASURES, "erasure", "fingerprint", "latest by key", partitions=1),
    Topic(SCHEMAS, None, "id in the schema registry", "latest by key", partitions=1),
)

WORKERS: tuple[Worker, ...] = (
    Worker(
        "enrich",
        "streams.enrich.agent",
        reads=CHANNEL_TOPICS,
        writes=("interactions", "links"),
        holds="a cache",
        scales_to="the partitions of the channel topics",
        stages=("enrich",),
    ),
    Worker(
        "identity",
        "streams.identity.agent",
        reads=("links",),
        writes=("identities",),
        state=("links",),
        holds="the whole graph, about 1 GB per 10 million identifiers",
        scales_to="one (a second is a stand-by)",
        stages=("decode", "link", "state"),
        single=True,
    ),
    Worker(
        "stitch",
        "streams.stitch.agent",
        reads=("interactions", "identities", "parts"),
        writes=(
            "journeys",
            "customers",
            "cases",
            "alerts",
            "moves",
            "segments",
            "next-actions",
            "invitations",
            "messages",
            "parts",
            "recalls",
        ),
        state=("state",),
        holds="its partitions' customers, and their changelog in Kafka",
        scales_to="`RIHLA_PARTITIONS`",
        stages=("decode", "fold", "timer", "state"),
    ),
    Worker(
        "deliver",
        "streams.deliver.agent",
        reads=(
            *("alerts", "cases", "moves", "segments", "next-actions", "invitations", "messages"),
            *("gatherings", "redeliveries"),
        ),
        writes=("deliveries", "gatherings", "post-travel"),  # that a guest was asked, or told
        state=("things",),
        holds="what it sent in the last 35 days, and to whom; their changelog is in Kafka",
        scales_to="`RIHLA_PARTITIONS`",
        stages=("decode", "route"),
        optional=True,
    ),
    Worker(
        "sink",
        "sinks.agent",
        reads=(*(topic.name for topic in TOPICS if topic.stored), "recalls"),
        writes=("interactions", "parts"),  # what a recall asks for, from ClickHouse
        holds="nothing: its rows are in ClickHouse",
        scales_to="`RIHLA_PARTITIONS`",
        stages=("decode", "insert"),
    ),
)
"""In the order in which records pass them."""

SERVICES: tuple[Service, ...] = (
    Service(
        "collect",
        "streams.collect.process",
        extra="collect",
        reads=("invitations",),  # which of them are answered
        writes=CHANNEL_TOPICS,
        holds="what Kafka has not acknowledged yet, 64 MiB at most",
        scales_to="any number, behind a load balancer",
        port="collect_port",
        stages=("collect",),
    ),
    Service(
        "serve",
        "streams.serve.process",
        extra="serve",
        reads=("interactions", "identities", "journeys", "customers", "cases", "alerts", "next-actions", "messages"),
        writes=("lookups", *CHANNEL_TOPICS),  # people's answers
        holds="on disk, the last state of every customer",
        scales_to="any number: each knows everybody",
        port="serve_port",
    ),
)
"""At the edges of the pipeline."""

BY_NAME = {topic.name: topic for topic in TOPICS}
COMPACTED = tuple(topic.name for topic in TOPICS if topic.compacted)
WITH_STATE = tuple(topic.name for topic in TOPICS if topic.with_state)
ABOUT_PEOPLE = tuple(name for name in COMPACTED if name not in (ERASURES, SCHEMAS, *MASTER_TOPICS))
"""Compacted topics whose records are about somebody: an erasure writes tombstones to them."""
ORDERED = tuple(topic.name for topic in TOPICS if topic.partitions == 1 and topic.name not in (SCHEMAS, *MASTER_TOPICS))
"""Topics of one partition because the order of their records counts, and not only that of records of one key."""
PLACED_BY_KEY = tuple(
    topic.name for topic in TOPICS if topic.partitions is None and topic.name not in (*CHANNEL_TOPICS, DEAD_LETTERS)
)
"""Topics in which the partition of a record follows from its key."""
REQUIRED = tuple(worker.name for worker in WORKERS if not worker.optional)
"""Workers that every pipeline has."""
WORKERS_BY_NAME = {worker.name: worker for worker in WORKERS}
SERVICES_BY_NAME = {service.name: service for service in SERVICES}
PROCESSES = (*WORKERS_BY_NAME, *SERVICES_BY_NAME)
"""Names of all that `rihla worker` runs."""


def channel_topic(channel: str) -> str:
    """The topic of a channel (schemas.records.CHANNELS), without prefix."""
    return channel.replace("_", "-")


def readers(topic: str) -> tuple[str, ...]:
    """Names of the workers that read a topic, erasures left out: those every worker follows."""
    return tuple(worker.name for worker in WORKERS if topic in worker.reads)


def flow() -> tuple[str, ...]:
    """Workers that every pipeline has, in the order in which a record passes them; twice one that folds what it has
    written itself."""
    return tuple(
        worker.name
        for worker in WORKERS
        if not worker.optional
        for _ in range(2 if worker.state and {*worker.reads} & {*worker.writes} else 1)
    )
