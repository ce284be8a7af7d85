-- Who is who, as far as it is not evident: identifiers that were ever linked with others (see the view identities).
CREATE TABLE IF NOT EXISTS {database}.identities_store {on_cluster}
(
    identifier String MATERIALIZED concat(kind, ':', value) COMMENT 'kind:value, the subject of interactions' CODEC(ZSTD(1)),
    kind LowCardinality(String) COMMENT 'customer, loyalty, guest_profile, email_sha256, phone_sha256, social, device or booking_ref',
    value String COMMENT 'Value of the identifier' CODEC(ZSTD(1)),
    root String COMMENT 'Strongest identifier of the customer, kind:value' CODEC(ZSTD(1)),
    customer_id String COMMENT 'Value of the root for kind customer, else the root' CODEC(ZSTD(1)),
    shared Bool COMMENT 'Linked with too many others to tell them apart: its links count for nothing',
    version UInt64 COMMENT 'epoch * 2^44 + version of the record: the highest of a key is current' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY identifier
COMMENT 'Identifiers and their customers, every version; read them through the view identities';
