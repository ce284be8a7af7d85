-- Customers, every version, withdrawn ones included.
CREATE TABLE IF NOT EXISTS {database}.customers_store {on_cluster}
(
    customer_id String COMMENT 'Value of the root identifier for kind customer, else the root as kind:value' CODEC(ZSTD(1)),
    kind LowCardinality(String) COMMENT 'Kind of the root identifier',
    value String COMMENT 'Value of the root identifier' CODEC(ZSTD(1)),
    profile LowCardinality(String) COMMENT 'negative, non_committal or advocate',
    sentiment_7d Nullable(Float64) COMMENT 'Rolling sentiment in [-1, 1], half-life 7 days, at the last event; null: nothing was expressed',
    sentiment_30d Nullable(Float64) COMMENT 'Rolling sentiment, half-life 30 days',
    sentiment_90d Nullable(Float64) COMMENT 'Rolling sentiment, half-life 90 days',
    evidence Float64 COMMENT 'Effective sample size of the 30-day sentiment',
    interactions Int64 COMMENT 'Interactions of the customer' CODEC(T64, LZ4),
    journeys Int64 COMMENT 'Journeys of the customer' CODEC(T64, LZ4),
    first_event_at DateTime64(3, 'UTC') COMMENT 'First event' CODEC(Delta(8), ZSTD(1)),
    last_event_at DateTime64(3, 'UTC') COMMENT 'Last event' CODEC(Delta(8), ZSTD(1)),
    open_cases Int64 COMMENT 'Cases not resolved' CODEC(T64, LZ4),
    duplicates Int64 COMMENT 'Records that arrived again since the epoch began: part of the account, not of the view' CODEC(T64, LZ4),
    preferences Array(Tuple(key LowCardinality(String), value String, evidence Int64, last_at DateTime64(3, 'UTC'))) COMMENT 'What is known of likes and needs: key, value, how often it was seen, when last' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'epoch * 2^44 + version of the record: the highest of a key is current' CODEC(ZSTD(1)),
    withdrawn UInt8 COMMENT '1: ceased to exist, because its parts turned out to be somebody else''s'
)
ENGINE = {replicated}ReplacingMergeTree(version, withdrawn)
ORDER BY customer_id
COMMENT 'Customers, every version; read them through the view customers';
