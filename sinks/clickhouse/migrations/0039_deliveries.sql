-- FINAL keeps the current state of each delivery.
CREATE OR REPLACE VIEW {database}.deliveries {on_cluster}
(
    target LowCardinality(String) COMMENT 'Name of the target in the routes',
    kind LowCardinality(String) COMMENT 'What is told: alert, case or move',
    thing_id String COMMENT 'alert_id, customer_id/case_id or move_id',
    thing_version Int64 COMMENT 'Version of the thing: epoch * 2^44 + that of its record',
    customer_id String COMMENT 'Whom it concerns',
    rule LowCardinality(Nullable(String)) COMMENT 'Rule of an alert',
    severity LowCardinality(Nullable(String)) COMMENT 'Severity of an alert',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that has to act',
    status LowCardinality(String) COMMENT 'waiting, retrying, delivered or dead',
    attempts Int64 COMMENT 'How often it was sent',
    code Nullable(Int64) COMMENT 'Status of the last answer, where there was one',
    error Nullable(String) COMMENT 'Why the last attempt failed; null after one that succeeded',
    published_at DateTime64(3, 'UTC') COMMENT 'When the version was in its topic',
    changed_at DateTime64(3, 'UTC') COMMENT 'When the delivery became what it is'
)
AS
SELECT
    target, kind, thing_id, thing_version, customer_id, rule, severity, unit, status, attempts, code, error,
    published_at, changed_at
FROM {database}.deliveries_store FINAL
COMMENT 'One row per version of an alert, case or move and target';
