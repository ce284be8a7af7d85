-- Alerts, every version: raised, and closed by what resolves them.
CREATE TABLE IF NOT EXISTS {database}.alerts_store {on_cluster}
(
    alert_id String COMMENT 'Deterministic id: the same cause gives the same alert' CODEC(ZSTD(1)),
    rule LowCardinality(String) COMMENT 'Rule that raised it',
    severity LowCardinality(String) COMMENT 'How soon somebody must act: low, medium, high or critical',
    customer_id String COMMENT 'Whom it concerns, as known when it was raised' CODEC(ZSTD(1)),
    journey_id Nullable(String) COMMENT 'Journey that it concerns' CODEC(ZSTD(1)),
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that has to act',
    event_id Nullable(String) COMMENT 'Event that caused it' CODEC(ZSTD(1)),
    reason String COMMENT 'A sentence that says why' CODEC(ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') COMMENT 'Time of the cause' CODEC(Delta(8), ZSTD(1)),
    raised_at DateTime64(3, 'UTC') COMMENT 'Time at which the alert was raised' CODEC(Delta(8), ZSTD(1)),
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of what resolved it; null while it is open' CODEC(Delta(8), ZSTD(1)),
    version UInt64 COMMENT 'epoch * 2^44 + version of the record: the highest of a key is current' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY alert_id
COMMENT 'Alerts, every version; read them through the view alerts';
