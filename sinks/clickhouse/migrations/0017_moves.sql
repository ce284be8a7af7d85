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
    occurred_at DateTime64(3, 'UTC') COMMENT 'Time of that event'
)
AS
SELECT
    move_id, customer_id, from_profile, to_profile, touchpoint, event_id, journey_id, unit, score, evidence, occurred_at
FROM {database}.moves_store FINAL
COMMENT 'One row per move of a customer from one profile to another';
