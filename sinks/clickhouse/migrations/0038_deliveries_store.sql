-- How far each version of an alert, case or move is on its way to each target, copies included.
CREATE TABLE IF NOT EXISTS {database}.deliveries_store {on_cluster}
(
    target LowCardinality(String) COMMENT 'Name of the target in the routes',
    kind LowCardinality(String) COMMENT 'What is told: alert, case or move',
    thing_id String COMMENT 'alert_id, customer_id/case_id or move_id' CODEC(ZSTD(1)),
    thing_version Int64 COMMENT 'Version of the thing: epoch * 2^44 + that of its record' CODEC(ZSTD(1)),
    customer_id String COMMENT 'Whom it concerns' CODEC(ZSTD(1)),
    rule LowCardinality(Nullable(String)) COMMENT 'Rule of an alert',
    severity LowCardinality(Nullable(String)) COMMENT 'Severity of an alert',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that has to act',
    status LowCardinality(String) COMMENT 'waiting, retrying, delivered or dead',
    attempts Int64 COMMENT 'How often it was sent',
    code Nullable(Int64) COMMENT 'Status of the last answer, where there was one',
    error Nullable(String) COMMENT 'Why the last attempt failed; null after one that succeeded' CODEC(ZSTD(1)),
    published_at DateTime64(3, 'UTC') COMMENT 'When the version was in its topic' CODEC(Delta(8), ZSTD(1)),
    changed_at DateTime64(3, 'UTC') COMMENT 'When the delivery became what it is' CODEC(Delta(8), ZSTD(1)),
    version UInt64 COMMENT 'epoch * 2^44 + version of the record: the highest of a key is current' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (target, kind, thing_id, thing_version)
COMMENT 'Deliveries to targets, copies included; read them through the view deliveries';
