-- What actions of the register changed (rihla actions), with sample and back-test.
CREATE TABLE IF NOT EXISTS {database}.action_effects_store {on_cluster}
(
    action_name String COMMENT 'What was done, as the register has it',
    metric LowCardinality(String) COMMENT 'nps, csat (points) or sentiment',
    acted_on Date COMMENT 'First day on which it could be felt',
    units Array(String) COMMENT 'Patterns of the units where it was done',
    days UInt32 COMMENT 'Days before it, and from it on, that are compared',
    computed_at DateTime64(3, 'UTC') COMMENT 'When it was computed',
    verdict LowCardinality(String) COMMENT 'better, worse, unclear, or untrusted: the back-test failed, or there is none',
    units_acted UInt32 COMMENT 'Units where it was done, with enough answers',
    comparable UInt32 COMMENT 'Units that they are compared with',
    n_before UInt64 COMMENT 'Answers there, before',
    n_after UInt64 COMMENT 'Answers there, from then on',
    n_comparable UInt64 COMMENT 'Answers of the comparable units, before and from then on',
    effect Float64 COMMENT 'Difference in differences, in points of the metric',
    low Float64 COMMENT 'Lower end of the interval of 95 %, by unit as the cluster',
    high Float64 COMMENT 'Upper end',
    p Float64 COMMENT 'Share of comparable units (and those acted upon) that changed at least as much against the others',
    placebos UInt32 COMMENT 'Earlier dates at which the same was computed, and nothing was done',
    covered UInt32 COMMENT 'Of these, those whose interval covers 0'
)
ENGINE = {replicated}ReplacingMergeTree(computed_at)
ORDER BY (action_name, metric)
COMMENT 'What actions changed; read it through the view action_effects';

CREATE OR REPLACE VIEW {database}.action_effects {on_cluster}
(
    action_name String COMMENT 'What was done, as the register has it',
    metric LowCardinality(String) COMMENT 'nps, csat (points) or sentiment',
    acted_on Date COMMENT 'First day on which it could be felt',
    units Array(String) COMMENT 'Patterns of the units where it was done',
    days UInt32 COMMENT 'Days before it, and from it on, that are compared',
    computed_at DateTime64(3, 'UTC') COMMENT 'When it was computed',
    verdict LowCardinality(String) COMMENT 'better, worse, unclear, or untrusted: the back-test failed, or there is none',
    units_acted UInt32 COMMENT 'Units where it was done, with enough answers',
    comparable UInt32 COMMENT 'Units that they are compared with',
    n_before UInt64 COMMENT 'Answers there, before',
    n_after UInt64 COMMENT 'Answers there, from then on',
    n_comparable UInt64 COMMENT 'Answers of the comparable units, before and from then on',
    effect Float64 COMMENT 'Difference in differences, in points of the metric',
    low Float64 COMMENT 'Lower end of the interval of 95 %, by unit as the cluster',
    high Float64 COMMENT 'Upper end',
    p Float64 COMMENT 'Share of comparable units (and those acted upon) that changed at least as much against the others',
    placebos UInt32 COMMENT 'Earlier dates at which the same was computed, and nothing was done',
    covered UInt32 COMMENT 'Of these, those whose interval covers 0'
)
AS
SELECT action_name, metric, acted_on, units, days, computed_at, verdict, units_acted, comparable, n_before, n_after, n_comparable, effect, low, high, p, placebos, covered
FROM {database}.action_effects_store FINAL
COMMENT 'One row per action and metric, as rihla actions computed it last';
