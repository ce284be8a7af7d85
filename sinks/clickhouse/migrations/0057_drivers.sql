-- What the answers of a span went with (rihla drivers), with its sample and its back-test in every row.
CREATE TABLE IF NOT EXISTS {database}.drivers_store {on_cluster}
(
    run_id String COMMENT 'Random id of what was computed together',
    metric LowCardinality(String) COMMENT 'nps or csat',
    unit LowCardinality(String) COMMENT 'Whose answers; empty: of all, and units are a driver',
    since DateTime64(3, 'UTC') COMMENT 'First moment of the answers',
    until DateTime64(3, 'UTC') COMMENT 'First moment no longer counted',
    fitted_at DateTime64(3, 'UTC') COMMENT 'When it was computed',
    n UInt64 COMMENT 'Answers',
    customers UInt64 COMMENT 'Customers who gave them',
    r2 Float64 COMMENT 'Adjusted R2 of the whole model',
    r2_controls Float64 COMMENT 'Of it, what package and season explain by themselves',
    tested UInt64 COMMENT 'Later answers of the back-test, on which was not fitted',
    tested_r2 Float64 COMMENT 'R2 on these; below 0 their mean would have been the better guess',
    tested_r2_controls Float64 COMMENT 'The same of package and season alone',
    useful Bool COMMENT 'Whether the drivers predict these better than package and season alone, and than the mean',
    driver String COMMENT 'aspect NAME, wait, delay or unit',
    share Float64 COMMENT 'Share of the variance of answers; all sum to r2 - r2_controls',
    low Float64 COMMENT 'Lower end of the interval of 95 %',
    high Float64 COMMENT 'Upper end',
    effect Nullable(Float64) COMMENT 'Points that go with one more of sentiment, of an aspect, or with twice the wait or delay (1 + minutes); null for units',
    effect_low Nullable(Float64) COMMENT 'Lower end of the interval of 95 %',
    effect_high Nullable(Float64) COMMENT 'Upper end'
)
ENGINE = {replicated}ReplacingMergeTree(fitted_at)
ORDER BY (metric, unit, run_id, driver)
COMMENT 'What answers went with, every run; read it through the view drivers';

CREATE OR REPLACE VIEW {database}.drivers {on_cluster}
(
    run_id String COMMENT 'Random id of what was computed together',
    metric LowCardinality(String) COMMENT 'nps or csat',
    unit LowCardinality(String) COMMENT 'Whose answers; empty: of all, and units are a driver',
    since DateTime64(3, 'UTC') COMMENT 'First moment of the answers',
    until DateTime64(3, 'UTC') COMMENT 'First moment no longer counted',
    fitted_at DateTime64(3, 'UTC') COMMENT 'When it was computed',
    n UInt64 COMMENT 'Answers',
    customers UInt64 COMMENT 'Customers who gave them',
    r2 Float64 COMMENT 'Adjusted R2 of the whole model',
    r2_controls Float64 COMMENT 'Of it, what package and season explain by themselves',
    tested UInt64 COMMENT 'Later answers of the back-test, on which was not fitted',
    tested_r2 Float64 COMMENT 'R2 on these; below 0 their mean would have been the better guess',
    tested_r2_controls Float64 COMMENT 'The same of package and season alone',
    useful Bool COMMENT 'Whether the drivers predict these better than package and season alone, and than the mean',
    driver String COMMENT 'aspect NAME, wait, delay or unit',
    share Float64 COMMENT 'Share of the variance of answers; all sum to r2 - r2_controls',
    low Float64 COMMENT 'Lower end of the interval of 95 %',
    high Float64 COMMENT 'Upper end',
    effect Nullable(Float64) COMMENT 'Points that go with one more of sentiment, of an aspect, or with twice the wait or delay (1 + minutes); null for units',
    effect_low Nullable(Float64) COMMENT 'Lower end of the interval of 95 %',
    effect_high Nullable(Float64) COMMENT 'Upper end'
)
AS
SELECT
    run_id, metric, unit, since, until, fitted_at, n, customers, r2, r2_controls, tested, tested_r2, tested_r2_controls, useful,
    driver, share, low, high, effect, effect_low, effect_high
FROM {database}.drivers_store FINAL
WHERE (metric, unit, fitted_at) IN (SELECT metric, unit, max(fitted_at) FROM {database}.drivers_store GROUP BY metric, unit)
COMMENT 'One row per driver of a metric and unit, of the latest run of rihla drivers';
