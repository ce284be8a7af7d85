"""Every Prometheus metric of Rihla, declared once: a name, what it counts, its labels.

Workers import the constant and touch it once a batch, never once an event. Times are seconds, sizes are bytes, offsets
are Kafka's. A gauge by partition is removed (`GAUGE.remove(topic, partition)`) when the partition is given up, else it
would show its last value for ever. `deploy/grafana`, the alert rules and docs/operations.md name only what stands here
(a unit test compares them). Labels come from closed lists (workers, topics, tables, reasons), so that the number of
series stays bounded, and each series exists from the worker's start (streams.series: a new label is a line there, or in
the agent that counts); Prometheus adds `job` and `instance`.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Info

_BATCH_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BATCH_RECORDS = (1, 4, 16, 64, 256, 1024, 4096, 8192, 16384, 65536)
# Up to a day: ClickHouse may be down for that long, and the first rows after it are that late.
_LATENCY_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)

# --- every worker ---------------------------------------------------------------------------------------------------

# The version of the package that runs, as the label `version`; its value is always 1.
BUILD = Info("rihla_build", "The version of Rihla that this worker runs.")

# 1 while the worker is ready (recovery over, partitions assigned, or none left for it), else 0; set at each scrape.
READY = Gauge(
    "rihla_ready", "1 while the worker's recovery is over and its partitions are assigned, else 0.", ["worker"]
)

# Records handed to the worker, replays included: compare with records_written to see loss or fan-out.
RECORDS_READ = Counter("rihla_records_read_total", "Records read from a topic, replays included.", ["worker", "topic"])

# Each record read is one of accepted, duplicate (had taken effect before), erased (of an erased person, or a tombstone)
# and dead_letter; together they follow records_read. A rising share of dead letters is a source that changed.
VERDICTS = Counter("rihla_verdicts_total", "Records handled, by what became of each.", ["worker", "verdict"])

# Counted when the broker has acknowledged, so it never runs ahead of what is durable.
RECORDS_WRITTEN = Counter(
    "rihla_records_written_total", "Records that the broker has acknowledged in a topic.", ["worker", "topic"]
)

# From the batch's delivery to its ack, outputs and changelog included.
BATCH_SECONDS = Histogram(
    "rihla_batch_seconds",
    "Time to process one batch, until all it caused is durable.",
    ["worker"],
    buckets=_BATCH_SECONDS,
)

# Few records a batch under load means that the fetch settings, not the worker, are the limit.
BATCH_RECORDS = Histogram(
    "rihla_batch_records", "Records in one batch, of one partition.", ["worker"], buckets=_BATCH_RECORDS
)

# Waiting for acknowledgements of the output topics, a part of batch_seconds: the broker's share of the time.
OUTPUT_FLUSH_SECONDS = Histogram(
    "rihla_output_flush_seconds",
    "Time to have a batch's output acknowledged by the broker.",
    ["worker"],
    buckets=_BATCH_SECONDS,
)

# The next offset to read after a restart: everything before it is durable.
COMMIT_POSITION = Gauge(
    "rihla_commit_position",
    "Next offset to be read after a restart, of a partition owned here.",
    ["topic", "partition"],
)

# End offset minus commit position. On the embedded broker the end offset is approximate (docs/operations.md).
CONSUMER_LAG = Gauge(
    "rihla_consumer_lag_records",
    "Records of a partition owned here that are not committed yet.",
    ["topic", "partition"],
)

# Offsets from the last stable one to the end of the log, once the same transaction has been open for a minute
# (streams.kafka.open_transactions), else 0: no worker reads them before it ends. The log has the command that ends it.
UNCOMMITTED_RECORDS = Gauge(
    "rihla_uncommitted_records",
    "Records of a partition owned here behind a transaction that has been open for over a minute.",
    ["topic", "partition"],
)

# Each one stops the worker for a moment; many mean that a worker cannot stay in its group.
REBALANCES = Counter("rihla_rebalances_total", "Partition assignments received from the group coordinator.")

# Each is a loss, or a start on a log whose beginning is gone; the log and a dead letter `expired` say which offsets.
RECORDS_MISSED = Counter(
    "rihla_records_missed_total",
    "Records that were deleted from a topic before this worker's group had read them.",
    ["worker", "topic"],
)

# What was refused, whole and with its reason, in the topic of dead letters.
DEAD_LETTERS = Counter("rihla_dead_letters_total", "Records sent to dead letters.", ["worker", "reason"])

# The net under every worker (streams.worker.sift): any increase is a defect of Rihla, or a state that cannot be read.
# stage: decode, enrich, link, fold, insert (each with a dead letter), timer, state (of a key, not of a record: see the
# log).
UNPROCESSABLE = Counter(
    "rihla_unprocessable_total", "Records, or keys of the state, at which the worker's own code raised.",
    ["worker", "stage"],
)  # fmt: skip

# An unknown codec, a garbled batch: what it held is in one dead letter, with the offsets. Look at who wrote it.
BATCHES_UNREADABLE = Counter(
    "rihla_batches_unreadable_total", "Batches of records that could not be decompressed or parsed.", ["topic"]
)

# Each attempt; meanwhile records whose schema is not known yet wait. kind: outage, or refused (credentials).
REGISTRY_FAILURES = Counter(
    "rihla_registry_failures_total", "Times that the schema registry gave no answer, or let nobody in.", ["kind"]
)

# People who were erased: what still arrives of them, or is read again, is counted here and kept nowhere.
ERASED_REFUSED = Counter(
    "rihla_erased_refused_total", "Records refused because the person they are about was erased.", ["worker"]
)

# --- collect --------------------------------------------------------------------------------------------------------

# By what was asked for and what was answered. 401: a wrong token or signature; 429: beyond a sender's rate; 503: Kafka
# is slow or away, or too much is held at once. Requests that are none (408, 431 of the head) are not counted.
COLLECT_REQUESTS = Counter("rihla_collect_requests_total", "Requests to the collector.", ["route", "status"])

# accepted: acknowledged by Kafka. refused: the answer said why; for a webhook, a dead letter was written.
# ignored: a webhook's items that meet the condition of no event in its mapping.
COLLECT_EVENTS = Counter("rihla_collect_events_total", "Events that were sent to the collector.", ["route", "result"])

# From the head of a request to its answer: the body's way here, the judgement, and Kafka's acknowledgement.
COLLECT_REQUEST_SECONDS = Histogram(
    "rihla_collect_request_seconds", "Time to answer a request.", ["route"], buckets=_BATCH_SECONDS
)

# At its bound (64 MiB) requests are answered with 503, to be sent again.
COLLECT_HELD = Gauge("rihla_collect_held_bytes", "Bytes of requests that are held until Kafka has acknowledged them.")

# --- enrich ---------------------------------------------------------------------------------------------------------

# Valid events written on to interactions.
EVENTS_ACCEPTED = Counter("rihla_events_accepted_total", "Events that passed validation.", ["channel"])

# result: scored, or null (nothing expressed, or a language without a scorer).
TEXT_SCORED = Counter(
    "rihla_text_scored_total", "Texts seen by the sentiment scorer; result is scored or null.", ["language", "result"]
)

# Accepted and stored all the same; a rise means that a source speaks of a touchpoint the catalogue lacks.
UNKNOWN_TOUCHPOINTS = Counter("rihla_unknown_touchpoints_total", "Events whose touchpoint is not in the catalogue.")

# "null", "n/a", "0000" and their like: a rise means that a source writes a word where it knows nobody.
NOBODY = Counter(
    "rihla_nobody_identifiers_total", "Identifiers and booking references taken out of events since they are nobody."
)

# Records of the channels' topics that hold nothing: a source deletes what was sent, or its topic is compacted.
TOMBSTONES = Counter("rihla_tombstones_total", "Records without a value in the channels' topics; they say nothing.")

# A producer's schema has a field that Rihla's has not: plain values become attributes, others (arrays, records, bytes),
# and those named like an attribute that the event has, are lost. Each value counts.
FIELDS_LOST = Counter(
    "rihla_fields_lost_total", "Values of unknown Avro fields that could not be kept as attributes.", ["channel"]
)

# --- identity -------------------------------------------------------------------------------------------------------

# Distinct (subject, identifier) pairs held by the graph.
IDENTITY_LINKS = Gauge("rihla_identity_links", "Links held by the identity graph.")

# The graph lives in memory: this times some 100 bytes and more is what the worker needs.
IDENTITY_IDENTIFIERS = Gauge("rihla_identity_identifiers", "Identifiers held by the identity graph.")

# --- stitch ---------------------------------------------------------------------------------------------------------

# Each accepted event ends in exactly one of: folded into state, duplicates, dead letters.
DUPLICATES = Counter("rihla_duplicates_total", "Events seen before by their subject, counted and not folded again.")

# Subjects with state on this worker, of the partitions that it owns.
STATE_SUBJECTS = Gauge("rihla_state_subjects", "Subjects whose state this worker holds.")

# Encoded size; in memory it takes somewhat more.
STATE_BYTES = Gauge("rihla_state_bytes", "Encoded size of the state this worker holds.")

# Past their retention: out of the state, and back into it because something was heard of them.
STATE_EVICTIONS = Counter("rihla_state_evictions", "Subjects reduced to a stub, their events left to ClickHouse.")
STATE_RECALLS = Counter("rihla_state_recalls", "Evicted subjects whose events were asked of ClickHouse.")

# --- alerts (stitch) ------------------------------------------------------------------------------------------------

# Counted once the alert is acknowledged by the broker. One that another cause opens again counts again.
ALERTS_RAISED = Counter("rihla_alerts_raised_total", "Alerts raised, or opened again.", ["rule", "severity"])

# The first reaction that the rule names; an alert may be closed without one.
ALERTS_ACKNOWLEDGED = Counter(
    "rihla_alerts_acknowledged_total", "Alerts that somebody has reacted to.", ["rule", "severity"]
)

# By an event that resolves them, or because their customer turned out to be another.
ALERTS_CLOSED = Counter("rihla_alerts_closed_total", "Alerts closed.", ["rule", "severity"])

# Of the customers whose state this worker holds: add up the workers. Alerts that a state has forgotten are not in it.
ALERTS_OPEN = Gauge("rihla_alerts_open", "Alerts that nothing has closed yet.", ["rule", "severity"])

# Overdue, unanswered, stalled: customers for whom a clock is running.
STATES_TO_CATCH_UP = Gauge(
    "rihla_states_to_catch_up",
    "States not looked at since their partition came: if an older version wrote them, next actions may be missing.",
)
TIMERS_PENDING = Gauge("rihla_timers_pending", "Customers of whom an alert falls due at a known moment.")

# From the moment when the alert fell due (event time) to its acknowledgement by the broker.
TIMER_DELAY_SECONDS = Histogram(
    "rihla_timer_delay_seconds",
    "From when an alert with a delay fell due until it was published.",
    buckets=_LATENCY_SECONDS,
)

# --- deliver --------------------------------------------------------------------------------------------------------

# delivered and dead end a delivery; retrying is a failure after which it is tried again.
DELIVERIES = Counter("rihla_deliveries_total", "Attempts to deliver, by their outcome.", ["target", "outcome"])

# From the record's time stamp in its topic: with what routes, state and the target took. Retries are in it.
DELIVERY_SECONDS = Histogram(
    "rihla_delivery_seconds",
    "From when a version was in its topic until a target had taken it.",
    ["target"],
    buckets=_LATENCY_SECONDS,
)

# Waits for its turn, for a retry, or for the target to be back.
DELIVERIES_WAITING = Gauge("rihla_deliveries_waiting", "Deliveries that are still to be sent.", ["target"])

# While it is open, one attempt now and then looks whether the target is back.
DELIVERY_CIRCUIT_OPEN = Gauge(
    "rihla_delivery_circuit_open", "1 while a target has failed several times in a row, else 0.", ["target"]
)

# Nobody hears of these: a route that matches everything, at all hours, leaves none.
DELIVERIES_UNROUTED = Counter(
    "rihla_deliveries_unrouted_total", "Versions that no route matches at the time.", ["thing"]
)

# --- recovery (identity, stitch, deliver) -----------------------------------------------------------------------------

# Grows during recovery only: watch it to see a long recovery move.
RECOVERY_KEYS = Counter("rihla_recovery_keys_total", "Keys read back from a changelog during recovery.")

# A worker owns its partitions but answers nothing while it recovers: the cost of a restart.
RECOVERY_SECONDS = Gauge("rihla_recovery_seconds", "Duration of the last recovery.")

# --- sink -----------------------------------------------------------------------------------------------------------

# Rows acknowledged by ClickHouse, replays included (the tables hide those).
SINK_ROWS_INSERTED = Counter("rihla_sink_rows_inserted_total", "Rows that ClickHouse has acknowledged.", ["table"])

# One insert call, its retries not included.
SINK_INSERT_SECONDS = Histogram(
    "rihla_sink_insert_seconds", "Time of one acknowledged insert.", ["table"], buckets=_BATCH_SECONDS
)

# code: ClickHouse's error code, or `connection` where there was no answer.
SINK_RETRIES = Counter("rihla_sink_retries_total", "Inserts tried again, by ClickHouse error code.", ["table", "code"])

# Read and not yet acknowledged by ClickHouse: grows to its bound while ClickHouse is away, then back-pressure holds.
SINK_PENDING_ROWS = Gauge("rihla_sink_pending_rows", "Rows read and not yet acknowledged by ClickHouse.", ["table"])

# Whose customer or journey may be out of date in cx.interactions, before a pass: grows while no sink resolves.
SINK_UNRESOLVED = Gauge("rihla_sink_unresolved", "Marks of subjects and customers whose rows are not resolved yet.")
SINK_ROWS_RESOLVED = Counter("rihla_sink_rows_resolved_total", "Interactions written again with customer or journey.")
SINK_RESOLVE_SECONDS = Histogram(
    "rihla_sink_resolve_seconds", "Time of one pass that resolves customers and journeys.", buckets=_BATCH_SECONDS
)

# What the whole pipeline promises: from the raw event to the acknowledged insert of what it caused. Of
# events that were handled together, the oldest counts; header SINCE carries its time along.
EVENT_TO_TABLE_SECONDS = Histogram(
    "rihla_event_to_table_seconds",
    "From the Kafka timestamp of the raw event to the acknowledged insert.",
    ["table"],
    buckets=_LATENCY_SECONDS,
)


def counters(registry: CollectorRegistry = REGISTRY) -> dict[str, float]:
    """Every counter above that has counted something: name without `rihla_` and `_total`, the sum over its labels."""
    found: dict[str, float] = {}
    for family in registry.collect():
        if family.type == "counter" and family.name.startswith("rihla_"):
            total = sum(sample.value for sample in family.samples if sample.name.endswith("_total"))
            if total:
                found[family.name.removeprefix("rihla_")] = total
    return found


def package_version() -> str:
    """The installed version of Rihla, or "unknown" where it runs from a source tree that is not installed."""
    try:
        return version("rihla")
    except PackageNotFoundError:
        return "unknown"


BUILD.info({"version": package_version()})

# --- serve ----------------------------------------------------------------------------------------------------------

# By the route's path, not by what was asked for: that would be a series for each customer.
SERVE_REQUESTS = Counter("rihla_serve_requests_total", "Answers of the API, by route and status.", ["route", "status"])
SERVE_SECONDS = Histogram(
    "rihla_serve_seconds",
    "Time to answer a request of the API.",
    ["route"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)

# Answers are as old as this; beyond a minute there are none.
SERVE_AGE_SECONDS = Gauge("rihla_serve_age_seconds", "Seconds since the view held all that the topics did.")
SERVE_RECORDS = Counter("rihla_serve_records_total", "Records that the view has taken in.")
