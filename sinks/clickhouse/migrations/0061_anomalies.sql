-- Days of units as rihla anomalies judged them, each with its back-test.
CREATE TABLE IF NOT EXISTS {database}.anomalies_store {on_cluster}
(
    metric LowCardinality(String) COMMENT 'nps, csat (points), sentiment (mean score) or contacts (a day)',
    unit LowCardinality(String) COMMENT 'Unit',
    day Date COMMENT 'Day that was judged, UTC',
    n UInt64 COMMENT 'Answers of the day, or contacts',
    actual Float64 COMMENT 'What it was',
    expected Float64 COMMENT 'What the days before let expect: weekday, Hijri season, level',
    low Float64 COMMENT 'Lower end of the interval of 95 % of a day',
    high Float64 COMMENT 'Upper end',
    score Float64 COMMENT 'Standard errors from what was expected',
    alarm Bool COMMENT 'Out of the ordinary, at one false alarm a year of a unit and metric',
    tested_days UInt32 COMMENT 'Days of the 365 before that were judged in the same way',
    tested_alarms UInt32 COMMENT 'Alarms in these',
    tested_within UInt32 COMMENT 'Days of these within their interval of 95 %',
    computed_at DateTime64(3, 'UTC') COMMENT 'When it was computed'
)
ENGINE = {replicated}ReplacingMergeTree(computed_at)
ORDER BY (metric, unit, day)
COMMENT 'Days that were judged; read it through the view anomalies';

CREATE OR REPLACE VIEW {database}.anomalies {on_cluster}
(
    metric LowCardinality(String) COMMENT 'nps, csat (points), sentiment (mean score) or contacts (a day)',
    unit LowCardinality(String) COMMENT 'Unit',
    day Date COMMENT 'Day that was judged, UTC',
    n UInt64 COMMENT 'Answers of the day, or contacts',
    actual Float64 COMMENT 'What it was',
    expected Float64 COMMENT 'What the days before let expect: weekday, Hijri season, level',
    low Float64 COMMENT 'Lower end of the interval of 95 % of a day',
    high Float64 COMMENT 'Upper end',
    score Float64 COMMENT 'Standard errors from what was expected',
    alarm Bool COMMENT 'Out of the ordinary, at one false alarm a year of a unit and metric',
    tested_days UInt32 COMMENT 'Days of the 365 before that were judged in the same way',
    tested_alarms UInt32 COMMENT 'Alarms in these',
    tested_within UInt32 COMMENT 'Days of these within their interval of 95 %',
    computed_at DateTime64(3, 'UTC') COMMENT 'When it was computed'
)
AS
SELECT metric, unit, day, n, actual, expected, low, high, score, alarm, tested_days, tested_alarms, tested_within, computed_at
FROM {database}.anomalies_store FINAL
COMMENT 'One row per metric, unit and day that was judged';
