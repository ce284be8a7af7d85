-- What identity published, and each customer's own name, so that every identifier of an event is found here or is its own customer.
CREATE OR REPLACE VIEW {database}.identities {on_cluster}
(
    kind LowCardinality(String) COMMENT 'customer, loyalty, guest_profile, email_sha256, phone_sha256, social, device or booking_ref',
    value String COMMENT 'Value of the identifier',
    customer_id String COMMENT 'Value of the root for kind customer, else the root',
    shared Bool COMMENT 'Linked with too many others to tell them apart: its links count for nothing'
)
AS
SELECT kind, value, customer_id, shared
FROM {database}.identities_store FINAL
UNION ALL
-- The identifier by which a customer is named, where it was never linked with another.
SELECT kind, value, customer_id, false AS shared
FROM {database}.customers_store FINAL
WHERE concat(kind, ':', value) NOT IN (SELECT identifier FROM {database}.identities_store FINAL)
COMMENT 'Who is who: one row per identifier';
