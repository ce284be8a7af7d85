-- An alert whose cause names no unit has the one that it is attributed to, and says on what that rests and who has to act.
ALTER TABLE {database}.alerts_store {on_cluster}
    ADD COLUMN IF NOT EXISTS unit_basis LowCardinality(Nullable(String)) COMMENT 'What the unit rests on; null: raised by a version that did not ask' AFTER causes,
    ADD COLUMN IF NOT EXISTS owner LowCardinality(Nullable(String)) COMMENT 'Who has to act: the unit, else the care centre of the brand' AFTER unit_basis;

-- FINAL keeps the current version of each alert.
CREATE OR REPLACE VIEW {database}.alerts {on_cluster}
(
    alert_id String COMMENT 'Deterministic id: the same cause gives the same alert',
    rule LowCardinality(String) COMMENT 'Rule that raised it',
    severity LowCardinality(String) COMMENT 'How soon somebody must act: low, medium, high or critical',
    customer_id String COMMENT 'Whom it concerns, as known when it was raised',
    journey_id Nullable(String) COMMENT 'Journey that it concerns',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit whose doing it was: its own, else the attributed one',
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
    causes Int64 COMMENT 'Events that caused it: it came again so often',
    unit_basis LowCardinality(Nullable(String)) COMMENT 'What the unit rests on: own, same_stay, last_stay, only_unit or none; null: raised by a version that did not ask',
    owner LowCardinality(Nullable(String)) COMMENT 'Who has to act: the unit, else the care centre of the brand'
)
AS
SELECT
    alert_id, rule, severity, customer_id, journey_id, unit, event_id, reason, occurred_at, raised_at, closed_at,
    acknowledged_at, case_id, touchpoint, handler, snoozed_until, brand, tier, causes, unit_basis, owner
FROM {database}.alerts_store FINAL
COMMENT 'One row per alert';

-- The unit of an alert is that which it was raised with; of one that was raised by a version that did not ask, that which its
-- journey gives now.
CREATE OR REPLACE VIEW {database}.alerts_attributed {on_cluster}
(
    alert_id String COMMENT 'Deterministic id: the same cause gives the same alert',
    rule LowCardinality(String) COMMENT 'Rule that raised it',
    severity LowCardinality(String) COMMENT 'How soon somebody must act: low, medium, high or critical',
    customer_id String COMMENT 'Whom it concerns, as known when it was raised',
    journey_id Nullable(String) COMMENT 'Journey that it concerns',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit whose doing it was: its own, else the attributed one',
    event_id Nullable(String) COMMENT 'Event that caused it',
    reason String COMMENT 'A sentence that says why',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Time of the cause',
    raised_at DateTime64(3, 'UTC') COMMENT 'Time at which the alert was raised',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of what resolved it; null while it is open',
    acknowledged_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the first answer to the customer; null while nobody has reacted',
    attributed_unit LowCardinality(Nullable(String)) COMMENT 'Unit, its own or that of the stay that it belongs to; null: not known',
    unit_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay, only_unit or none',
    attributed_agents Array(LowCardinality(String)) COMMENT 'Members of staff: its own, or those who served the customer in that stay',
    agents_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay or none',
    owner LowCardinality(Nullable(String)) COMMENT 'Who has to act: the unit, else the care centre of the brand'
)
AS
WITH
    multiIf(
        a.unit_basis IS NOT NULL, (toString(ifNull(a.unit, '')), toString(assumeNotNull(a.unit_basis))),
        toString(ifNull(a.unit, '')) != '', (toString(ifNull(a.unit, '')), 'own'),
        toString(ifNull(e.channel, '')) = 'check_in' AND notEmpty(p.desks),
            if(length(p.desks) = 1, (p.desks[1], 'only_unit'), ('', 'none')),
        arrayExists(stay -> stay.1 <= a.occurred_at AND a.occurred_at <= stay.2, p.stays),
            (arrayLast(stay -> stay.1 <= a.occurred_at AND a.occurred_at <= stay.2, p.stays).3, 'same_stay'),
        arrayExists(stay -> stay.1 < a.occurred_at, p.ended),
            (arrayLast(stay -> stay.1 < a.occurred_at, p.ended).3, 'last_stay'),
        length(p.properties) = 1, (p.properties[1], 'only_unit'),
        ('', 'none')) AS whose,
    arrayMap(
        stay -> multiIf(
            toString(ifNull(e.agent_id, '')) != '', ([toString(ifNull(e.agent_id, ''))], 'own'),
            empty(stay.4), (CAST([], 'Array(String)'), 'none'),
            (stay.4, if(a.occurred_at <= stay.2, 'same_stay', 'last_stay'))),
        [arrayFirst(stay -> stay.3 = whose.1 AND stay.1 <= a.occurred_at, p.stays)])[1] AS served
SELECT
    a.alert_id AS alert_id, a.rule AS rule, a.severity AS severity, a.customer_id AS customer_id, a.journey_id AS
    journey_id, a.unit AS unit, a.event_id AS event_id, a.reason AS reason, a.occurred_at AS occurred_at,
    a.raised_at AS raised_at, a.closed_at AS closed_at, a.acknowledged_at AS acknowledged_at,
    nullIf(whose.1, '') AS attributed_unit,
    whose.2 AS unit_basis,
    served.1 AS attributed_agents,
    served.2 AS agents_basis,
    coalesce(a.owner, attributed_unit) AS owner
FROM {database}.alerts AS a
LEFT ANY JOIN
(
    SELECT event_id, journey_id, channel, agent_id FROM {database}.interactions
    WHERE event_id IN (SELECT event_id FROM {database}.alerts_store)
) AS e ON e.event_id = a.event_id
LEFT ANY JOIN {database}.stays AS p ON p.journey_id = coalesce(e.journey_id, a.journey_id)
COMMENT 'The view alerts, with the unit that has to act and the agents';
