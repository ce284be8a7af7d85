-- What is wanted of metrics, as the model says: beside the models, as a change of targets makes no row anew. Each version
-- begins with a row without a metric, so that a model without targets takes those of the one before away.
CREATE TABLE IF NOT EXISTS {database}.targets_store {on_cluster}
(
    rank UInt16 COMMENT 'Place among the entries, from 1: of those that fit a unit the first holds',
    metric LowCardinality(String) COMMENT 'nps, csat, ces or sentiment',
    period LowCardinality(String) COMMENT 'In each of which it is wanted: day, week, month, quarter or year',
    target Float64 COMMENT 'At least so much',
    units Array(String) COMMENT 'Patterns of units, each of which has this target; empty: all units together',
    minimum UInt32 COMMENT 'Fewest answers by which it is judged',
    version Int64 COMMENT 'When it was said, epoch milliseconds'
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (version, rank)
COMMENT 'What is wanted of metrics, every version; read it through the view targets';

CREATE OR REPLACE VIEW {database}.targets {on_cluster}
(
    rank UInt16 COMMENT 'Place among the entries, from 1: of those that fit a unit the first holds',
    metric LowCardinality(String) COMMENT 'nps, csat, ces or sentiment',
    period LowCardinality(String) COMMENT 'In each of which it is wanted: day, week, month, quarter or year',
    target Float64 COMMENT 'At least so much',
    units Array(String) COMMENT 'Patterns of units, each of which has this target; empty: all units together',
    minimum UInt32 COMMENT 'Fewest answers by which it is judged'
)
AS
SELECT rank, metric, period, target, units, minimum
FROM {database}.targets_store FINAL
WHERE metric != '' AND version = (SELECT max(version) FROM {database}.targets_store)
COMMENT 'What is wanted of metrics, by unit and period';

-- Observations: that a target was missed beyond doubt when somebody looked. The id is the target, the unit and the period.
CREATE TABLE IF NOT EXISTS {database}.target_breaches_store {on_cluster}
(
    breach_id String COMMENT 'Deterministic id: of metric, unit, period, its first day and the target',
    metric LowCardinality(String) COMMENT 'nps, csat, ces or sentiment',
    unit LowCardinality(String) COMMENT 'Unit; empty: all together',
    period LowCardinality(String) COMMENT 'day, week, month, quarter or year',
    starts Date COMMENT 'First day of the period',
    target Float64 COMMENT 'What was wanted',
    actual Float64 COMMENT 'What it was',
    low Float64 COMMENT 'Lower end of the interval of 95 %',
    high Float64 COMMENT 'Upper end, which is below the target',
    n UInt64 COMMENT 'Answers',
    observed_at DateTime64(3, 'UTC') COMMENT 'When it was seen first',
    version Int64 COMMENT 'Grows the earlier it was seen: the first observation stays'
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY breach_id
COMMENT 'Targets missed beyond doubt, as they were seen; read it through the view target_breaches';

CREATE OR REPLACE VIEW {database}.target_breaches {on_cluster}
(
    breach_id String COMMENT 'Deterministic id: of metric, unit, period, its first day and the target',
    metric LowCardinality(String) COMMENT 'nps, csat, ces or sentiment',
    unit LowCardinality(String) COMMENT 'Unit; empty: all together',
    period LowCardinality(String) COMMENT 'day, week, month, quarter or year',
    starts Date COMMENT 'First day of the period',
    target Float64 COMMENT 'What was wanted',
    actual Float64 COMMENT 'What it was',
    low Float64 COMMENT 'Lower end of the interval of 95 %',
    high Float64 COMMENT 'Upper end, which is below the target',
    n UInt64 COMMENT 'Answers',
    observed_at DateTime64(3, 'UTC') COMMENT 'When it was seen first'
)
AS
SELECT breach_id, metric, unit, period, starts, target, actual, low, high, n, observed_at
FROM {database}.target_breaches_store FINAL
COMMENT 'One row per target that was missed beyond doubt in a period';
