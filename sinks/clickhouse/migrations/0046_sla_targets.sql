-- An alert has a brand and the tier of its customer, and says how often it came again.
ALTER TABLE {database}.alerts_store {on_cluster}
    ADD COLUMN IF NOT EXISTS brand LowCardinality(Nullable(String)) COMMENT 'Brand of the cause, by the model' AFTER snoozed_until,
    ADD COLUMN IF NOT EXISTS tier LowCardinality(Nullable(String)) COMMENT 'Loyalty tier of the customer when it was raised' AFTER brand,
    ADD COLUMN IF NOT EXISTS causes Int64 DEFAULT 1 COMMENT 'Events that caused it: it came again so often' CODEC(Delta(8), ZSTD(1)) AFTER tier;

-- FINAL keeps the current version of each alert.
CREATE OR REPLACE VIEW {database}.alerts {on_cluster}
(
    alert_id String COMMENT 'Deterministic id: the same cause gives the same alert',
    rule LowCardinality(String) COMMENT 'Rule that raised it',
    severity LowCardinality(String) COMMENT 'How soon somebody must act: low, medium, high or critical',
    customer_id String COMMENT 'Whom it concerns, as known when it was raised',
    journey_id Nullable(String) COMMENT 'Journey that it concerns',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that has to act',
    event_id Nullable(String) COMMENT 'Event that caused it',
    reason String COMMENT 'A sentence that says why',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Time of the cause',
    raised_at DateTime64(3, 'UTC') COMMENT 'Time at which the alert was raised',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of what resolved it; null while it is open',
    acknowledged_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the first reaction; null while nobody has reacted',
    case_id Nullable(String) COMMENT 'Case that the cause belongs to',
    touchpoint LowCardinality(Nullable(String)) COMMENT 'Touchpoint of the cause',
    handler LowCardinality(Nullable(String)) COMMENT 'Who has taken it, or was given it',
    snoozed_until Nullable(DateTime64(3, 'UTC')) COMMENT 'Until when somebody has put it off',
    brand LowCardinality(Nullable(String)) COMMENT 'Brand of the cause, by the model',
    tier LowCardinality(Nullable(String)) COMMENT 'Loyalty tier of the customer when it was raised',
    causes Int64 COMMENT 'Events that caused it: it came again so often'
)
AS
SELECT
    alert_id, rule, severity, customer_id, journey_id, unit, event_id, reason, occurred_at, raised_at, closed_at,
    acknowledged_at, case_id, touchpoint, handler, snoozed_until, brand, tier, causes
FROM {database}.alerts_store FINAL
COMMENT 'One row per alert';

-- How soon alerts are to be taken and settled, as the model says.
CREATE TABLE IF NOT EXISTS {database}.sla_targets_store {on_cluster}
(
    rank UInt16 COMMENT 'Place among the entries: of those that fit an alert the first holds',
    severities Array(String) COMMENT 'Severities that it is about',
    brands Array(String) COMMENT 'Brands that it is about; empty: all',
    tiers Array(String) COMMENT 'Loyalty tiers that it is about; empty: all',
    respond_ms Int64 COMMENT 'Within what time somebody must react',
    resolve_ms Int64 COMMENT 'Within what time it must be settled',
    version Int64 COMMENT 'When it was said, epoch milliseconds'
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (version, rank)
COMMENT 'How soon alerts are to be taken and settled, every version; read it through the view sla_targets';

-- Those of Rihla (streams/model/sla.toml) hold until a model says otherwise.
CREATE OR REPLACE VIEW {database}.sla_targets {on_cluster}
(
    rank UInt16 COMMENT 'Place among the entries: of those that fit an alert the first holds',
    severities Array(String) COMMENT 'Severities that it is about',
    brands Array(String) COMMENT 'Brands that it is about; empty: all',
    tiers Array(String) COMMENT 'Loyalty tiers that it is about; empty: all',
    respond_ms Int64 COMMENT 'Within what time somebody must react',
    resolve_ms Int64 COMMENT 'Within what time it must be settled'
)
AS
SELECT rank, severities, brands, tiers, respond_ms, resolve_ms
FROM {database}.sla_targets_store FINAL
WHERE version = (SELECT max(version) FROM {database}.sla_targets_store)
UNION ALL
SELECT toUInt16(rank), [severity], CAST([], 'Array(String)'), CAST([], 'Array(String)'), respond_ms, resolve_ms
FROM values('rank UInt16, severity String, respond_ms Int64, resolve_ms Int64',
    (0, 'critical', 900000, 14400000), (1, 'high', 3600000, 86400000),
    (2, 'medium', 14400000, 259200000), (3, 'low', 86400000, 604800000))
WHERE (SELECT count() FROM {database}.sla_targets_store) = 0
COMMENT 'How soon alerts are to be taken and settled';

-- Whether each alert was taken and settled in time. What is neither yet is null: a figure that follows from the clock is none
-- of this view's.
CREATE OR REPLACE VIEW {database}.alert_sla {on_cluster}
(
    alert_id String COMMENT 'Alert',
    rule LowCardinality(String) COMMENT 'Rule that raised it',
    severity LowCardinality(String) COMMENT 'How soon somebody must act',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that had to act',
    brand LowCardinality(Nullable(String)) COMMENT 'Brand of the cause, by the model',
    tier LowCardinality(Nullable(String)) COMMENT 'Loyalty tier of the customer when it was raised',
    handler LowCardinality(Nullable(String)) COMMENT 'Who has it',
    raised_at DateTime64(3, 'UTC') COMMENT 'Time at which it was raised',
    respond_by DateTime64(3, 'UTC') COMMENT 'Until when somebody had to react, by the entry of sla_targets that holds',
    resolve_by DateTime64(3, 'UTC') COMMENT 'Until when it had to be settled',
    responded_in_time Nullable(UInt8) COMMENT '1: somebody reacted, or settled it, in time; 0: later; null: nobody has yet',
    resolved_in_time Nullable(UInt8) COMMENT '1: settled in time; 0: later; null: not yet'
)
AS
WITH
    (
        SELECT arraySort(one -> one.1, groupArray((rank, severities, brands, tiers, respond_ms, resolve_ms)))
        FROM {database}.sla_targets
    ) AS targets,
    arrayFirst(one -> has(one.2, toString(severity)) AND (empty(one.3) OR has(one.3, ifNull(toString(brand), '')))
        AND (empty(one.4) OR has(one.4, ifNull(toString(tier), ''))), targets) AS target
SELECT
    alert_id,
    rule,
    severity,
    unit,
    brand,
    tier,
    handler,
    raised_at,
    raised_at + toIntervalMillisecond(target.5) AS respond_by,
    raised_at + toIntervalMillisecond(target.6) AS resolve_by,
    coalesce(acknowledged_at, closed_at) <= respond_by AS responded_in_time,
    closed_at <= resolve_by AS resolved_in_time
FROM {database}.alerts
COMMENT 'One row per alert: taken and settled in time?';
