-- Moves of customers between profiles, as observed, copies included.
CREATE TABLE IF NOT EXISTS {database}.moves_store {on_cluster}
(
    move_id String COMMENT 'Deterministic id: the same move, observed again, is the same row' CODEC(ZSTD(1)),
    customer_id String COMMENT 'Who moved, as known at that moment' CODEC(ZSTD(1)),
    from_profile LowCardinality(String) COMMENT 'Profile before: negative, non_committal or advocate; everybody begins as non_committal',
    to_profile LowCardinality(String) COMMENT 'Profile after',
    touchpoint LowCardinality(String) COMMENT 'What happened: the touchpoint of the event that moved the customer',
    event_id String COMMENT 'That event' CODEC(ZSTD(1)),
    journey_id Nullable(String) COMMENT 'Booking journey of that event' CODEC(ZSTD(1)),
    unit LowCardinality(Nullable(String)) COMMENT 'Unit of that event',
    score Float64 COMMENT 'Rolling sentiment, half-life 30 days, after the move',
    evidence Float64 COMMENT 'Effective sample size of that score',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Time of that event' CODEC(Delta(8), ZSTD(1)),
    version UInt64 COMMENT 'epoch * 2^44 + version of the record: the highest of a key is current' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY move_id
COMMENT 'Moves between profiles, copies included; read them through the view moves';
