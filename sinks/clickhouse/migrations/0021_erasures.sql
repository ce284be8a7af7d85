-- Receipts of erasures: when, what kinds of identifiers, how many rows of each table. They name nobody: identifiers are
-- kept as hashes under a secret key that is not in this database, so that later events can be refused.
CREATE TABLE IF NOT EXISTS {database}.erasures_store {on_cluster}
(
    erasure_id String COMMENT 'Random id of the erasure',
    begun_at DateTime64(3, 'UTC') COMMENT 'When it began',
    done_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was done; null: it was broken off, or is under way',
    reference String COMMENT 'What the request is known by: a ticket, a letter; as given',
    later_events LowCardinality(String) COMMENT 'refuse: all later events are refused; anew: those that happened after it begin a new history',
    kinds Map(LowCardinality(String), UInt32) COMMENT 'How many identifiers of each kind were erased',
    erased_rows Map(LowCardinality(String), UInt64) COMMENT 'How many rows of each table were deleted or changed, every stored version counted',
    remaining Map(LowCardinality(String), UInt64) COMMENT 'Rows of each table in which a search afterwards still found a name: none if all went well',
    key_id String COMMENT 'Which secret key the fingerprints were made with',
    fingerprints Array(String) COMMENT 'Keyed BLAKE2b-128 of each identifier, hexadecimal',
    refused_until Nullable(DateTime64(3, 'UTC')) COMMENT 'Events up to then are refused; null: all are',
    version UInt64 COMMENT 'Counts what was written of an erasure: the highest is current'
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY erasure_id
COMMENT 'Receipts of erasures, every version; read them through the view erasures';
-- FINAL keeps what was written last of each erasure.
CREATE OR REPLACE VIEW {database}.erasures {on_cluster}
(
    erasure_id String COMMENT 'Random id of the erasure',
    begun_at DateTime64(3, 'UTC') COMMENT 'When it began',
    done_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was done; null: it was broken off, or is under way',
    reference String COMMENT 'What the request is known by: a ticket, a letter; as given',
    later_events LowCardinality(String) COMMENT 'refuse: all later events are refused; anew: those that happened after it begin a new history',
    kinds Map(LowCardinality(String), UInt32) COMMENT 'How many identifiers of each kind were erased',
    erased_rows Map(LowCardinality(String), UInt64) COMMENT 'How many rows of each table were deleted or changed, every stored version counted',
    remaining Map(LowCardinality(String), UInt64) COMMENT 'Rows of each table in which a search afterwards still found a name: none if all went well',
    key_id String COMMENT 'Which secret key the fingerprints were made with',
    fingerprints Array(String) COMMENT 'Keyed BLAKE2b-128 of each identifier, hexadecimal',
    refused_until Nullable(DateTime64(3, 'UTC')) COMMENT 'Events up to then are refused; null: all are'
)
AS
SELECT
    erasure_id, begun_at, done_at, reference, later_events, kinds, erased_rows, remaining, key_id, fingerprints,
    refused_until
FROM {database}.erasures_store FINAL
COMMENT 'One row per erasure of a person';
