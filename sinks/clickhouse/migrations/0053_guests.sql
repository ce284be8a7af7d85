-- Whom we ask, and what we tell who complained: logs of observations, as alerts are. What has become of each follows from
-- events (streams/guest/plan.py).
CREATE TABLE IF NOT EXISTS {database}.invitations_store {on_cluster}
(
    invitation_id String COMMENT 'Deterministic id: the same moment of the same customer gives the same invitation; the identifier of an answer by link' CODEC(ZSTD(1)),
    customer_id String COMMENT 'Whom it asks, as known when it was decided' CODEC(ZSTD(1)),
    journey_id Nullable(String) COMMENT 'Journey that it asks about; null: none of a booking' CODEC(ZSTD(1)),
    survey LowCardinality(String) COMMENT 'Name of the invitation in guests.toml',
    asks Array(LowCardinality(String)) COMMENT 'The questions, in their order: nps, csat, ces, open',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that it asks about',
    language LowCardinality(String) COMMENT 'In which the guest is written to: en, ar, id, ms, tr, ur',
    channel LowCardinality(String) COMMENT 'By which way: email, sms, chat, app ',
    text String COMMENT 'What is written; link in braces stands for the link' CODEC(ZSTD(1)),
    event_id String COMMENT 'Event after which it is asked' CODEC(ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') COMMENT 'When that was' CODEC(Delta(8), ZSTD(1)),
    status LowCardinality(String) COMMENT 'planned, sent, answered, withheld or void',
    reason LowCardinality(Nullable(String)) COMMENT 'Why it is withheld',
    decided_at DateTime64(3, 'UTC') COMMENT 'When it was decided' CODEC(Delta(8), ZSTD(1)),
    sent_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the guest''s messaging system took it' CODEC(Delta(8), ZSTD(1)),
    answered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was answered first' CODEC(Delta(8), ZSTD(1)),
    expires_at DateTime64(3, 'UTC') COMMENT 'Until when it may be answered' CODEC(Delta(8), ZSTD(1)),
    version UInt64 COMMENT 'epoch * 2^44 + version of the record: the highest of a key is current' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (invitation_id)
COMMENT 'Invitations to answer, copies included; read them through the view invitations';

-- FINAL keeps the current version of each.
CREATE OR REPLACE VIEW {database}.invitations {on_cluster}
(
    invitation_id String COMMENT 'Deterministic id: the same moment of the same customer gives the same invitation; the identifier of an answer by link',
    customer_id String COMMENT 'Whom it asks, as known when it was decided',
    journey_id Nullable(String) COMMENT 'Journey that it asks about; null: none of a booking',
    survey LowCardinality(String) COMMENT 'Name of the invitation in guests.toml',
    asks Array(LowCardinality(String)) COMMENT 'The questions, in their order: nps, csat, ces, open',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that it asks about',
    language LowCardinality(String) COMMENT 'In which the guest is written to: en, ar, id, ms, tr, ur',
    channel LowCardinality(String) COMMENT 'By which way: email, sms, chat, app ',
    text String COMMENT 'What is written; link in braces stands for the link',
    event_id String COMMENT 'Event after which it is asked',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When that was',
    status LowCardinality(String) COMMENT 'planned, sent, answered, withheld or void',
    reason LowCardinality(Nullable(String)) COMMENT 'Why it is withheld',
    decided_at DateTime64(3, 'UTC') COMMENT 'When it was decided',
    sent_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the guest''s messaging system took it',
    answered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was answered first',
    expires_at DateTime64(3, 'UTC') COMMENT 'Until when it may be answered'
)
AS
SELECT
    invitation_id, customer_id, journey_id, survey, asks, unit, language, channel, text,
    event_id, occurred_at, status, reason, decided_at, sent_at, answered_at, expires_at
FROM {database}.invitations_store FINAL
COMMENT 'One row per invitation';

CREATE TABLE IF NOT EXISTS {database}.messages_store {on_cluster}
(
    message_id String COMMENT 'Deterministic id: the same cause of the same customer gives the same message' CODEC(ZSTD(1)),
    customer_id String COMMENT 'Whom it tells, as known when it was drafted' CODEC(ZSTD(1)),
    journey_id Nullable(String) COMMENT 'Journey that it is about; null: none of a booking' CODEC(ZSTD(1)),
    kind LowCardinality(String) COMMENT 'resolved: a case was; mended: what many complained of',
    case_id Nullable(String) COMMENT 'Case that it is about' CODEC(ZSTD(1)),
    aspect LowCardinality(Nullable(String)) COMMENT 'What the complaint was about',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that it is about',
    language LowCardinality(String) COMMENT 'In which the guest is written to',
    channel LowCardinality(String) COMMENT 'By which way: email, sms, chat, app ',
    text String COMMENT 'What is written' CODEC(ZSTD(1)),
    event_id String COMMENT 'Event that is the reason to tell' CODEC(ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') COMMENT 'When that was' CODEC(Delta(8), ZSTD(1)),
    status LowCardinality(String) COMMENT 'draft, approved, told, rejected, withheld (no consent) or void',
    judged_by LowCardinality(Nullable(String)) COMMENT 'Who approved or rejected it',
    judged_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When' CODEC(Delta(8), ZSTD(1)),
    told_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the guest was told' CODEC(Delta(8), ZSTD(1)),
    version UInt64 COMMENT 'epoch * 2^44 + version of the record: the highest of a key is current' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (message_id)
COMMENT 'Messages to guests, copies included; read them through the view messages';

-- FINAL keeps the current version of each.
CREATE OR REPLACE VIEW {database}.messages {on_cluster}
(
    message_id String COMMENT 'Deterministic id: the same cause of the same customer gives the same message',
    customer_id String COMMENT 'Whom it tells, as known when it was drafted',
    journey_id Nullable(String) COMMENT 'Journey that it is about; null: none of a booking',
    kind LowCardinality(String) COMMENT 'resolved: a case was; mended: what many complained of',
    case_id Nullable(String) COMMENT 'Case that it is about',
    aspect LowCardinality(Nullable(String)) COMMENT 'What the complaint was about',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that it is about',
    language LowCardinality(String) COMMENT 'In which the guest is written to',
    channel LowCardinality(String) COMMENT 'By which way: email, sms, chat, app ',
    text String COMMENT 'What is written',
    event_id String COMMENT 'Event that is the reason to tell',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When that was',
    status LowCardinality(String) COMMENT 'draft, approved, told, rejected, withheld (no consent) or void',
    judged_by LowCardinality(Nullable(String)) COMMENT 'Who approved or rejected it',
    judged_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When',
    told_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the guest was told'
)
AS
SELECT
    message_id, customer_id, journey_id, kind, case_id, aspect, unit, language, channel,
    text, event_id, occurred_at, status, judged_by, judged_at, told_at
FROM {database}.messages_store FINAL
COMMENT 'One row per message to a guest';
