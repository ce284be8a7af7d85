-- FINAL keeps the current version of each case and leaves out what is withdrawn.
CREATE OR REPLACE VIEW {database}.cases {on_cluster}
(
    case_id String COMMENT 'Case number given by the source',
    customer_id String COMMENT 'Whose case it is',
    journey_id Nullable(String) COMMENT 'Journey in which it was opened',
    status LowCardinality(String) COMMENT 'open or resolved',
    touchpoint LowCardinality(String) COMMENT 'Touchpoint that opened the case',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that has to act',
    opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First event that opened it',
    first_response_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First answer to the customer',
    resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest resolution',
    reopened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest reopening',
    contacts Int64 COMMENT 'Times that the customer had to get in touch about it'
)
AS
SELECT
    case_id, customer_id, journey_id, status, touchpoint, unit, opened_at, first_response_at, resolved_at,
    reopened_at, contacts
FROM {database}.cases_store FINAL
COMMENT 'One row per case of a customer';
