-- What an alert is about, and who has it: in the store, and in the exact view.
ALTER TABLE {database}.alerts_store {on_cluster}
    ADD COLUMN IF NOT EXISTS case_id Nullable(String) COMMENT 'Case that the cause belongs to' CODEC(ZSTD(1)) AFTER acknowledged_at,
    ADD COLUMN IF NOT EXISTS touchpoint LowCardinality(Nullable(String)) COMMENT 'Touchpoint of the cause' AFTER case_id,
    ADD COLUMN IF NOT EXISTS handler LowCardinality(Nullable(String)) COMMENT 'Who has taken it, or was given it' AFTER touchpoint,
    ADD COLUMN IF NOT EXISTS snoozed_until Nullable(DateTime64(3, 'UTC')) COMMENT 'Until when somebody has put it off' CODEC(Delta(8), ZSTD(1)) AFTER handler;

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
    snoozed_until Nullable(DateTime64(3, 'UTC')) COMMENT 'Until when somebody has put it off'
)
AS
SELECT
    alert_id, rule, severity, customer_id, journey_id, unit, event_id, reason, occurred_at, raised_at, closed_at,
    acknowledged_at, case_id, touchpoint, handler, snoozed_until
FROM {database}.alerts_store FINAL
COMMENT 'One row per alert';

-- Who answered what. A view of the interactions, so it is exact whenever they are; ids of alerts stand in them as letters,
-- since digits of an attribute may look like a card number (streams/loop/answers.py).
CREATE OR REPLACE VIEW {database}.answers {on_cluster}
(
    event_id String COMMENT 'Event of the answer',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it was given',
    answer LowCardinality(String) COMMENT 'taken, answered, resolved, declined, snoozed or assigned',
    person LowCardinality(Nullable(String)) COMMENT 'Who gave it',
    customer_id Nullable(String) COMMENT 'Whom the alert or the case concerns',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that had to act',
    alert_id Nullable(String) COMMENT 'Alert that was answered; null: a case as a whole',
    rule LowCardinality(Nullable(String)) COMMENT 'Its rule',
    case_id Nullable(String) COMMENT 'Case that was answered, or that the alert belongs to',
    assigned_to LowCardinality(Nullable(String)) COMMENT 'Whom it was given to',
    snoozed_until Nullable(DateTime64(3, 'UTC')) COMMENT 'Until when it was put off',
    note Nullable(String) COMMENT 'What was noted for colleagues'
)
AS
SELECT
    event_id,
    occurred_at,
    substring(touchpoint, position(touchpoint, '.case_') + 6) AS answer,
    agent_id AS person,
    customer_id,
    unit,
    nullIf(translate(attributes['alert'], 'ghijklmnopq', '0123456789-'), '') AS alert_id,
    nullIf(splitByChar('/', attributes['alert_cause'])[1], '') AS rule,
    case_id,
    nullIf(attributes['assigned_to'], '') AS assigned_to,
    parseDateTime64BestEffortOrNull(attributes['snoozed_until'], 3, 'UTC') AS snoozed_until,
    nullIf(attributes['note'], '') AS note
FROM {database}.interactions
WHERE match(touchpoint, '^(booking|check_in|stay|post_travel)\\.case_(taken|answered|resolved|declined|snoozed|assigned)$')
COMMENT 'One row per answer of a person to an alert or a case';
