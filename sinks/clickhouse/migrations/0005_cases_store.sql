-- Cases, every version, withdrawn ones included.
--
-- Key (case_id, customer_id): when a case passes to another customer, the old one withdraws it and the new one
-- publishes it, each with versions of its own, which cannot be compared.
CREATE TABLE IF NOT EXISTS {database}.cases_store {on_cluster}
(
    case_id String COMMENT 'Case number given by the source' CODEC(ZSTD(1)),
    customer_id String COMMENT 'Whose case it is' CODEC(ZSTD(1)),
    journey_id Nullable(String) COMMENT 'Journey in which it was opened' CODEC(ZSTD(1)),
    status LowCardinality(String) COMMENT 'open or resolved',
    touchpoint LowCardinality(String) COMMENT 'Touchpoint that opened the case',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that has to act',
    opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First event that opened it',
    first_response_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First answer to the customer',
    resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest resolution',
    reopened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest reopening',
    contacts Int64 COMMENT 'Times that the customer had to get in touch about it' CODEC(T64, LZ4),
    version UInt64 COMMENT 'epoch * 2^44 + version of the record: the highest of a key is current' CODEC(ZSTD(1)),
    withdrawn UInt8 COMMENT '1: no longer a case of this customer'
)
ENGINE = {replicated}ReplacingMergeTree(version, withdrawn)
ORDER BY (case_id, customer_id)
COMMENT 'Cases, every version; read them through the view cases';
