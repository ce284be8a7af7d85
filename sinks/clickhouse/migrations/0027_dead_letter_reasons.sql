-- The reasons are listed in one place, which grows: docs/dead-letters.md.
ALTER TABLE {database}.dead_letters_store {on_cluster}
    COMMENT COLUMN reason 'Why it was refused, in one word of the list in docs/dead-letters.md';

CREATE OR REPLACE VIEW {database}.dead_letters {on_cluster}
(
    topic LowCardinality(String) COMMENT 'Topic that the record was read from, or the file',
    partition Int64 COMMENT 'Its partition; 0 for a file',
    offset Int64 COMMENT 'Its offset; the line number for a file',
    key Nullable(String) COMMENT 'Its key, as it was (bytes)',
    payload String COMMENT 'Its value, as it was (bytes)',
    reason LowCardinality(String) COMMENT 'Why it was refused, in one word of the list in docs/dead-letters.md',
    detail String COMMENT 'A sentence that says what is wrong',
    failed_at DateTime64(3, 'UTC') COMMENT 'When it was refused',
    attempts Int64 COMMENT 'Times that it has been tried, replays included',
    version LowCardinality(String) COMMENT 'Version of Rihla that refused it',
    epoch UInt32 COMMENT 'Number of the history that this row was written in; 0 for a line of a file'
)
AS
SELECT
    topic, partition, offset, key, payload, reason, detail, failed_at, attempts, version, epoch
FROM {database}.dead_letters_store FINAL
COMMENT 'One row per record that could not be used';
