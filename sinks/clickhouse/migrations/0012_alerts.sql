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
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of what resolved it; null while it is open'
)
AS
SELECT
    alert_id, rule, severity, customer_id, journey_id, unit, event_id, reason, occurred_at, raised_at, closed_at
FROM {database}.alerts_store FINAL
COMMENT 'One row per alert';
