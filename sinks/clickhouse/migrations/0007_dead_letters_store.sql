-- What could not be used, whole, with the reason.
--
-- Key: where the record stood, in which epoch, and a hash of what it said. A letter written twice is one row; letters of
-- different starts of the embedded broker, whose offsets begin at 0 each time, or of a topic that was made anew, never
-- hide each other. The latest refusal of a letter is current.
CREATE TABLE IF NOT EXISTS {database}.dead_letters_store {on_cluster}
(
    topic LowCardinality(String) COMMENT 'Topic that the record was read from, or the file',
    partition Int64 COMMENT 'Its partition; 0 for a file',
    offset Int64 COMMENT 'Its offset; the line number for a file' CODEC(Delta(8), ZSTD(1)),
    epoch UInt32 COMMENT 'Number of the history that this row was written in',
    payload_hash UInt64 MATERIALIZED cityHash64(payload) COMMENT 'Of the payload',
    key Nullable(String) COMMENT 'Its key, as it was (bytes)' CODEC(ZSTD(1)),
    payload String COMMENT 'Its value, as it was (bytes)' CODEC(ZSTD(3)),
    reason LowCardinality(String) COMMENT 'undecodable, bad_event_id, no_identifier, bad_time, bad_survey, bad_money, bad_country or too_long',
    detail String COMMENT 'A sentence that says what is wrong' CODEC(ZSTD(1)),
    failed_at DateTime64(3, 'UTC') COMMENT 'When it was refused' CODEC(Delta(8), ZSTD(1)),
    attempts Int64 COMMENT 'Times that it has been tried, replays included' CODEC(T64, LZ4),
    version LowCardinality(String) COMMENT 'Version of Rihla that refused it'
)
ENGINE = {replicated}ReplacingMergeTree(failed_at)
ORDER BY (topic, partition, offset, epoch, payload_hash)
COMMENT 'Dead letters, every copy; read them through the view dead_letters';
