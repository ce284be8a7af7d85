-- What the brand rests on: what the event names comes first, the unit that was found second. 0064 said it the other way around.
ALTER TABLE {database}.cases_store {on_cluster}
    COMMENT COLUMN brand 'Brand that its earliest event names, by its attribute or its unit; else that of the attributed unit, the default or the only one of the model';
ALTER TABLE {database}.moves_store {on_cluster}
    COMMENT COLUMN brand 'Brand that the event names, by its attribute or its unit; else that of the attributed unit, the default or the only one of the model';

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
    brand LowCardinality(Nullable(String)) COMMENT 'Brand that its earliest event names, by its attribute or its unit; else that of the attributed unit, the default or the only one of the model'
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
    brand LowCardinality(Nullable(String)) COMMENT 'Brand that the event names, by its attribute or its unit; else that of the attributed unit, the default or the only one of the model'
)
AS
SELECT
    move_id, customer_id, from_profile, to_profile, touchpoint, event_id, journey_id, unit, score, evidence, occurred_at,
    unit_basis, owner, brand
FROM {database}.moves_store FINAL
COMMENT 'One row per move of a customer from one profile to another';
