-- A case or a move whose cause names no unit has the one that it is attributed to, and says on what that rests and who has
-- to act, as an alert does.
ALTER TABLE {database}.cases_store {on_cluster}
    ADD COLUMN IF NOT EXISTS unit_basis LowCardinality(Nullable(String)) COMMENT 'What the unit of its owner rests on: own, same_stay, last_stay, only_unit or none; null: of a version that did not ask' AFTER contacts,
    ADD COLUMN IF NOT EXISTS owner LowCardinality(Nullable(String)) COMMENT 'Who has to act: the unit, its own or the attributed one, else the care centre' AFTER unit_basis,
    ADD COLUMN IF NOT EXISTS brand LowCardinality(Nullable(String)) COMMENT 'Brand of that unit, by the model, or the only brand' AFTER owner;
ALTER TABLE {database}.moves_store {on_cluster}
    ADD COLUMN IF NOT EXISTS unit_basis LowCardinality(Nullable(String)) COMMENT 'What the unit of its owner rests on: own, same_stay, last_stay, only_unit or none; null: of a version that did not ask' AFTER occurred_at,
    ADD COLUMN IF NOT EXISTS owner LowCardinality(Nullable(String)) COMMENT 'Who has to act: the unit, its own or the attributed one, else the care centre; as it was known when the move was observed' AFTER unit_basis,
    ADD COLUMN IF NOT EXISTS brand LowCardinality(Nullable(String)) COMMENT 'Brand of that unit, by the model, or the only brand' AFTER owner;

-- FINAL keeps the current version of each case and leaves out what is withdrawn.
CREATE OR REPLACE VIEW {database}.cases {on_cluster}
(
    case_id String COMMENT 'Case number given by the source',
    customer_id String COMMENT 'Whose case it is',
    journey_id Nullable(String) COMMENT 'Journey in which it was opened',
    status LowCardinality(String) COMMENT 'open or resolved',
    touchpoint LowCardinality(String) COMMENT 'Touchpoint that opened the case',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that has to act',
    opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First event that opened it',
    first_response_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First answer to the customer',
    resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest resolution',
    reopened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest reopening',
    contacts Int64 COMMENT 'Times that the customer had to get in touch about it',
    unit_basis LowCardinality(Nullable(String)) COMMENT 'What the unit of its owner rests on: own, same_stay, last_stay, only_unit or none; null: of a version that did not ask',
    owner LowCardinality(Nullable(String)) COMMENT 'Who has to act: the unit, its own or the attributed one, else the care centre',
    brand LowCardinality(Nullable(String)) COMMENT 'Brand of that unit, by the model, or the only brand'
)
AS
SELECT
    case_id, customer_id, journey_id, status, touchpoint, unit, opened_at, first_response_at, resolved_at,
    reopened_at, contacts, unit_basis, owner, brand
FROM {database}.cases_store FINAL
COMMENT 'One row per case of a customer';

-- FINAL keeps one of the copies of each move.
CREATE OR REPLACE VIEW {database}.moves {on_cluster}
(
    move_id String COMMENT 'Deterministic id: the same move, observed again, is the same row',
    customer_id String COMMENT 'Who moved, as known at that moment',
    from_profile LowCardinality(String) COMMENT 'Profile before: negative, non_committal or advocate; everybody begins as non_committal',
    to_profile LowCardinality(String) COMMENT 'Profile after',
    touchpoint LowCardinality(String) COMMENT 'What happened: the touchpoint of the event that moved the customer',
    event_id String COMMENT 'That event',
    journey_id Nullable(String) COMMENT 'Booking journey of that event',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit of that event',
    score Float64 COMMENT 'Rolling sentiment, half-life 30 days, after the move',
    evidence Float64 COMMENT 'Effective sample size of that score',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Time of that event',
    unit_basis LowCardinality(Nullable(String)) COMMENT 'What the unit of its owner rests on: own, same_stay, last_stay, only_unit or none; null: of a version that did not ask',
    owner LowCardinality(Nullable(String)) COMMENT 'Who has to act: the unit, its own or the attributed one, else the care centre; as it was known when the move was observed',
    brand LowCardinality(Nullable(String)) COMMENT 'Brand of that unit, by the model, or the only brand'
)
AS
SELECT
    move_id, customer_id, from_profile, to_profile, touchpoint, event_id, journey_id, unit, score, evidence, occurred_at,
    unit_basis, owner, brand
FROM {database}.moves_store FINAL
COMMENT 'One row per move of a customer from one profile to another';

-- What the journey gives now; the care centre as stitch said it.
CREATE OR REPLACE VIEW {database}.cases_attributed {on_cluster}
(
    case_id String COMMENT 'Case number given by the source',
    customer_id String COMMENT 'Whose case it is',
    journey_id Nullable(String) COMMENT 'Journey in which it was opened',
    status LowCardinality(String) COMMENT 'open or resolved',
    touchpoint LowCardinality(String) COMMENT 'Touchpoint that opened the case',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that has to act',
    opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First event that opened it',
    first_response_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First answer to the customer',
    resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest resolution',
    reopened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest reopening',
    contacts Int64 COMMENT 'Times that the customer had to get in touch about it',
    attributed_unit LowCardinality(Nullable(String)) COMMENT 'Unit, its own or that of the stay that it belongs to; null: not known',
    unit_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay, only_unit or none',
    attributed_agents Array(LowCardinality(String)) COMMENT 'Members of staff: its own, or those who served the customer in that stay',
    agents_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay or none',
    owner LowCardinality(Nullable(String)) COMMENT 'Who has to act: the unit, else the care centre'
)
AS
WITH
    multiIf(
        toString(ifNull(k.unit, '')) != '', (toString(ifNull(k.unit, '')), 'own'),
        toString(ifNull(splitByChar('.', toString(k.touchpoint))[1], '')) = 'check_in' AND notEmpty(p.desks),
            if(length(p.desks) = 1, (p.desks[1], 'only_unit'), ('', 'none')),
        arrayExists(stay -> stay.1 <= assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))) AND assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))) <= stay.2, p.stays),
            (arrayLast(stay -> stay.1 <= assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))) AND assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))) <= stay.2, p.stays).3, 'same_stay'),
        arrayExists(stay -> stay.1 < assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))), p.ended),
            (arrayLast(stay -> stay.1 < assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))), p.ended).3, 'last_stay'),
        length(p.properties) = 1, (p.properties[1], 'only_unit'),
        ('', 'none')) AS whose,
    arrayMap(
        stay -> multiIf(
            toString(ifNull('', '')) != '', ([toString(ifNull('', ''))], 'own'),
            empty(stay.4), (CAST([], 'Array(String)'), 'none'),
            (stay.4, if(assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))) <= stay.2, 'same_stay', 'last_stay'))),
        [arrayFirst(stay -> stay.3 = whose.1 AND stay.1 <= assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))), p.stays)])[1] AS served
SELECT
    k.case_id AS case_id, k.customer_id AS customer_id, k.journey_id AS journey_id, k.status AS status, k.touchpoint
    AS touchpoint, k.unit AS unit, k.opened_at AS opened_at, k.first_response_at AS first_response_at, k.resolved_at
    AS resolved_at, k.reopened_at AS reopened_at, k.contacts AS contacts,
    nullIf(whose.1, '') AS attributed_unit,
    whose.2 AS unit_basis,
    served.1 AS attributed_agents,
    served.2 AS agents_basis,
    coalesce(nullIf(whose.1, ''), k.owner) AS owner
FROM {database}.cases AS k
LEFT ANY JOIN {database}.stays AS p ON p.journey_id = k.journey_id
COMMENT 'The view cases, with the unit and the agents that each belongs to';

CREATE OR REPLACE VIEW {database}.moves_attributed {on_cluster}
(
    move_id String COMMENT 'Deterministic id: the same move, observed again, is the same row',
    customer_id String COMMENT 'Who moved, as known at that moment',
    from_profile LowCardinality(String) COMMENT 'Profile before: negative, non_committal or advocate; everybody begins as non_committal',
    to_profile LowCardinality(String) COMMENT 'Profile after',
    touchpoint LowCardinality(String) COMMENT 'What happened: the touchpoint of the event that moved the customer',
    event_id String COMMENT 'That event',
    journey_id Nullable(String) COMMENT 'Booking journey of that event',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit of that event',
    score Float64 COMMENT 'Rolling sentiment, half-life 30 days, after the move',
    evidence Float64 COMMENT 'Effective sample size of that score',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Time of that event',
    attributed_unit LowCardinality(Nullable(String)) COMMENT 'Unit, its own or that of the stay that it belongs to; null: not known',
    unit_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay, only_unit or none',
    attributed_agents Array(LowCardinality(String)) COMMENT 'Members of staff: its own, or those who served the customer in that stay',
    agents_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay or none',
    owner LowCardinality(Nullable(String)) COMMENT 'Who has to act: the unit, else the care centre'
)
AS
WITH
    multiIf(
        toString(ifNull(m.unit, '')) != '', (toString(ifNull(m.unit, '')), 'own'),
        toString(ifNull(e.channel, '')) = 'check_in' AND notEmpty(p.desks),
            if(length(p.desks) = 1, (p.desks[1], 'only_unit'), ('', 'none')),
        arrayExists(stay -> stay.1 <= m.occurred_at AND m.occurred_at <= stay.2, p.stays),
            (arrayLast(stay -> stay.1 <= m.occurred_at AND m.occurred_at <= stay.2, p.stays).3, 'same_stay'),
        arrayExists(stay -> stay.1 < m.occurred_at, p.ended),
            (arrayLast(stay -> stay.1 < m.occurred_at, p.ended).3, 'last_stay'),
        length(p.properties) = 1, (p.properties[1], 'only_unit'),
        ('', 'none')) AS whose,
    arrayMap(
        stay -> multiIf(
            toString(ifNull(e.agent_id, '')) != '', ([toString(ifNull(e.agent_id, ''))], 'own'),
            empty(stay.4), (CAST([], 'Array(String)'), 'none'),
            (stay.4, if(m.occurred_at <= stay.2, 'same_stay', 'last_stay'))),
        [arrayFirst(stay -> stay.3 = whose.1 AND stay.1 <= m.occurred_at, p.stays)])[1] AS served
SELECT
    m.move_id AS move_id, m.customer_id AS customer_id, m.from_profile AS from_profile, m.to_profile AS to_profile,
    m.touchpoint AS touchpoint, m.event_id AS event_id, m.journey_id AS journey_id, m.unit AS unit, m.score AS
    score, m.evidence AS evidence, m.occurred_at AS occurred_at,
    nullIf(whose.1, '') AS attributed_unit,
    whose.2 AS unit_basis,
    served.1 AS attributed_agents,
    served.2 AS agents_basis,
    coalesce(nullIf(whose.1, ''), m.owner) AS owner
FROM {database}.moves AS m
LEFT ANY JOIN
(
    SELECT event_id, journey_id, channel, agent_id FROM {database}.interactions
    WHERE event_id IN (SELECT event_id FROM {database}.moves_store)
) AS e ON e.event_id = m.event_id
LEFT ANY JOIN {database}.stays AS p ON p.journey_id = coalesce(e.journey_id, m.journey_id)
COMMENT 'The view moves, with the unit and the agents of the event that moved the customer';
