-- Whether each alert was taken and settled in time. What is neither yet is null: a figure that follows from the clock is none
-- of this view's.
CREATE OR REPLACE VIEW {database}.alert_sla {on_cluster}
(
    alert_id String COMMENT 'Alert',
    rule LowCardinality(String) COMMENT 'Rule that raised it',
    severity LowCardinality(String) COMMENT 'critical: 15 minutes and 4 hours; high: 1 and 24 hours; medium: 4 and 72 hours; low: 1 and 7 days',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that had to act',
    handler LowCardinality(Nullable(String)) COMMENT 'Who has it',
    raised_at DateTime64(3, 'UTC') COMMENT 'Time at which it was raised',
    respond_by DateTime64(3, 'UTC') COMMENT 'Until when somebody had to react',
    resolve_by DateTime64(3, 'UTC') COMMENT 'Until when it had to be settled',
    responded_in_time Nullable(UInt8) COMMENT '1: somebody reacted, or settled it, in time; 0: later; null: nobody has yet',
    resolved_in_time Nullable(UInt8) COMMENT '1: settled in time; 0: later; null: not yet'
)
AS
WITH
    transform(toString(severity), ['critical', 'high', 'medium', 'low'], [900, 3600, 14400, 86400], 86400) AS respond,
    transform(toString(severity), ['critical', 'high', 'medium', 'low'], [14400, 86400, 259200, 604800], 604800) AS resolve
SELECT
    alert_id,
    rule,
    severity,
    unit,
    handler,
    raised_at,
    raised_at + toIntervalSecond(respond) AS respond_by,
    raised_at + toIntervalSecond(resolve) AS resolve_by,
    coalesce(acknowledged_at, closed_at) <= respond_by AS responded_in_time,
    closed_at <= resolve_by AS resolved_in_time
FROM {database}.alerts
COMMENT 'One row per alert: taken and settled in time?';

-- Storms: alerts of one rule at one unit, each within half an hour of the one before, of five customers or more.
CREATE OR REPLACE VIEW {database}.incidents {on_cluster}
(
    rule LowCardinality(String) COMMENT 'Rule of its alerts',
    unit LowCardinality(String) COMMENT 'Where it is',
    began_at DateTime64(3, 'UTC') COMMENT 'Time of the first cause',
    last_at DateTime64(3, 'UTC') COMMENT 'Time of the last cause',
    customers UInt64 COMMENT 'How many customers it concerns',
    open UInt64 COMMENT 'Alerts of it that are open',
    alerts Array(String) COMMENT 'Its alerts, in order of time'
)
AS
SELECT
    rule,
    place AS unit,
    min(occurred_at) AS began_at,
    max(occurred_at) AS last_at,
    uniqExact(customer_id) AS customers,
    countIf(closed_at IS NULL) AS open,
    arrayMap(pair -> pair.2, arraySort(groupArray((occurred_at, alert_id)))) AS alerts
FROM
(
    SELECT *, sum(begins) OVER (PARTITION BY rule, place ORDER BY occurred_at, alert_id) AS number
    FROM
    (
        SELECT
            rule, assumeNotNull(unit) AS place, occurred_at, closed_at, customer_id, alert_id,
            dateDiff('millisecond', lagInFrame(occurred_at, 1, occurred_at) OVER
                (PARTITION BY rule, unit ORDER BY occurred_at, alert_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
                occurred_at) > 1800000 AS begins
        FROM {database}.alerts
        WHERE unit IS NOT NULL
    )
)
GROUP BY rule, place, number
HAVING customers >= 5
COMMENT 'One row per storm of alerts';
