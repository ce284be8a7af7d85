-- Who entered and left the segments of the model, every version of stitch.
CREATE TABLE IF NOT EXISTS {database}.segments_store {on_cluster}
(
    customer_id String COMMENT 'Who' CODEC(ZSTD(1)),
    segment LowCardinality(String) COMMENT 'Name of the segment in the model',
    member Bool COMMENT 'Whether the customer belongs to it: true entered, false left',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Time of the last event of the customer when that showed' CODEC(Delta(8), ZSTD(1)),
    version UInt64 COMMENT 'epoch * 2^44 + version of the record: the highest of a key is current' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (segment, customer_id)
COMMENT 'Who entered and left segments, copies included; read it through the view segments';

-- FINAL keeps the current version.
CREATE OR REPLACE VIEW {database}.segments {on_cluster}
(
    segment LowCardinality(String) COMMENT 'Name of the segment in the model',
    customer_id String COMMENT 'Who belongs to it',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Time of the last event of the customer when that showed'
)
AS
SELECT segment, customer_id, occurred_at
FROM {database}.segments_store FINAL
WHERE member
COMMENT 'One row per segment and customer who belongs to it';

-- What was told: needed to compare what a target has with what holds.
ALTER TABLE {database}.deliveries_store {on_cluster}
    ADD COLUMN IF NOT EXISTS state LowCardinality(Nullable(String)) COMMENT 'Where the thing stood in this version: raised, acknowledged, closed; entered, left' AFTER unit;

-- FINAL keeps the current state of each delivery.
CREATE OR REPLACE VIEW {database}.deliveries {on_cluster}
(
    target LowCardinality(String) COMMENT 'Name of the target in the routes',
    kind LowCardinality(String) COMMENT 'What is told: alert, incident, case, move or segment',
    thing_id String COMMENT 'alert_id, incident_id, customer_id/case_id, move_id or customer_id/segment',
    thing_version Int64 COMMENT 'Version of the thing: epoch * 2^44 + that of its record',
    customer_id String COMMENT 'Whom it concerns',
    rule LowCardinality(Nullable(String)) COMMENT 'Rule of an alert',
    severity LowCardinality(Nullable(String)) COMMENT 'Severity of an alert',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that has to act',
    state LowCardinality(Nullable(String)) COMMENT 'Where the thing stood in this version: raised, acknowledged, closed; entered, left',
    status LowCardinality(String) COMMENT 'waiting, retrying, delivered or dead',
    attempts Int64 COMMENT 'How often it was sent',
    code Nullable(Int64) COMMENT 'Status of the last answer, where there was one',
    error Nullable(String) COMMENT 'Why the last attempt failed; null after one that succeeded',
    published_at DateTime64(3, 'UTC') COMMENT 'When the version was in its topic',
    changed_at DateTime64(3, 'UTC') COMMENT 'When the delivery became what it is'
)
AS
SELECT
    target, kind, thing_id, thing_version, customer_id, rule, severity, unit, state, status, attempts, code, error,
    published_at, changed_at
FROM {database}.deliveries_store FINAL
COMMENT 'One row per version of a thing and target';
