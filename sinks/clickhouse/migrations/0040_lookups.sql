-- Who was shown which customer, copies included.
CREATE TABLE IF NOT EXISTS {database}.lookups_store {on_cluster}
(
    lookup_id String COMMENT 'UUID of the look-up' CODEC(ZSTD(1)),
    looked_at DateTime64(3, 'UTC') COMMENT 'When it was answered' CODEC(Delta(8), ZSTD(1)),
    bearer LowCardinality(String) COMMENT 'Who asked: the name of the token',
    role LowCardinality(String) COMMENT 'The role of the token',
    asked LowCardinality(String) COMMENT 'What was asked for: customer, batch, search or arrivals',
    customer_id String COMMENT 'Who was shown' CODEC(ZSTD(1)),
    reason Nullable(String) COMMENT 'Why, as the bearer said; null: not said' CODEC(ZSTD(1)),
    epoch UInt32 COMMENT 'Number of the history that this row was written in'
)
ENGINE = {replicated}ReplacingMergeTree(epoch)
ORDER BY lookup_id
COMMENT 'Look-ups of customers, copies included; read them through the view lookups';

-- FINAL keeps one of the copies of each look-up.
CREATE OR REPLACE VIEW {database}.lookups {on_cluster}
(
    lookup_id String COMMENT 'UUID of the look-up',
    looked_at DateTime64(3, 'UTC') COMMENT 'When it was answered',
    bearer LowCardinality(String) COMMENT 'Who asked: the name of the token',
    role LowCardinality(String) COMMENT 'The role of the token',
    asked LowCardinality(String) COMMENT 'What was asked for: customer, batch, search or arrivals',
    customer_id String COMMENT 'Who was shown',
    reason Nullable(String) COMMENT 'Why, as the bearer said; null: not said'
)
AS
SELECT lookup_id, looked_at, bearer, role, asked, customer_id, reason
FROM {database}.lookups_store FINAL
COMMENT 'One row per customer that somebody was shown by the API of rihla worker serve';
