-- Which dead letters have been sent again, so that no call of `rihla replay` sends them twice. A replay repeated (--again)
-- is one row: the latest is current.
CREATE TABLE IF NOT EXISTS {database}.replays_store {on_cluster}
(
    topic LowCardinality(String) COMMENT 'Topic of the letter, as in dead_letters',
    partition Int64 COMMENT 'Its partition',
    offset Int64 COMMENT 'Its offset' CODEC(Delta(8), ZSTD(1)),
    epoch UInt32 COMMENT 'Number of the history that it was written in',
    payload_hash UInt64 COMMENT 'cityHash64 of its payload',
    replayed_at DateTime64(3, 'UTC') COMMENT 'When it was sent again'
)
ENGINE = {replicated}ReplacingMergeTree(replayed_at)
ORDER BY (topic, partition, offset, epoch, payload_hash)
COMMENT 'Dead letters that were replayed; join them to dead_letters_store by the same columns';
