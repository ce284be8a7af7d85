-- Customer and journey in the row. The views found both whenever somebody asked, by joining all identities and all journeys,
-- so that what was asked of one customer read everybody. Here they stand in the row: interactions_resolved_store has each
-- interaction with its customer and journey, by week and customer.
--
-- An insert of interactions puts its rows here at once, under what the subject alone says of the customer and the booking
-- reference of the journey. What may change either leaves a mark in unresolved_store: a row that is new here, what becomes known of
-- an identifier, a journey. The sink takes marks, resolves the rows of their subjects, writes those that differ with a higher
-- stamp and a row that deletes the old one where the key is another, and only then takes back these marks, and none that came
-- meanwhile (sinks/clickhouse/resolved.py): a crash loses none.
--
-- Exact under duplicates. Of two rows of one key the higher content counts, of equal ones the later stamp. Of two copies of an
-- event under different keys (of another week) both are here until their mark is taken: then the lesser is deleted.
CREATE TABLE IF NOT EXISTS {database}.interactions_resolved_store {on_cluster}
(
    subject String COMMENT 'Strongest identifier of the event as kind:value, or booking_ref:REF where it names nobody' CODEC(ZSTD(1)),
    event_id String COMMENT 'UUID given by the source, in lower case' CODEC(ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened to the customer' CODEC(Delta(8), ZSTD(1)),
    channel LowCardinality(String) COMMENT 'booking, check_in, stay or post_travel',
    touchpoint LowCardinality(String) COMMENT 'What happened, by its name in the touchpoint catalogue',
    medium LowCardinality(String) COMMENT 'How the customer and the company met: web, app, kiosk, call_centre ...',
    ids Array(Tuple(kind LowCardinality(String), value String)) COMMENT 'Every name by which the event knows the customer' CODEC(ZSTD(1)),
    booking_ref Nullable(String) COMMENT 'Reference of the booking or trip' CODEC(ZSTD(1)),
    unit LowCardinality(Nullable(String)) COMMENT 'Where in the company: property, flight, desk',
    agent_id LowCardinality(Nullable(String)) COMMENT 'Member of staff who dealt with the customer',
    locale LowCardinality(Nullable(String)) COMMENT 'Language and region of the interaction, BCP 47',
    country LowCardinality(Nullable(String)) COMMENT 'Country of the customer, ISO 3166-1 alpha-2',
    survey Tuple(instrument LowCardinality(Nullable(String)), score Nullable(Float64)) COMMENT 'Survey answer: survey.instrument (nps, csat, ces, stars) and survey.score; both null where there is none',
    text Nullable(String) COMMENT 'What the customer wrote or said, scrubbed of personal data' CODEC(ZSTD(3)),
    money Tuple(amount_minor Nullable(Int64), currency LowCardinality(Nullable(String))) COMMENT 'Money that changed hands: money.amount_minor (cents; refunds negative) and money.currency (ISO 4217); both null where there is none',
    case_id Nullable(String) COMMENT 'Complaint or request case that this belongs to' CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) COMMENT 'Anything else the source knows' CODEC(ZSTD(1)),
    language LowCardinality(Nullable(String)) COMMENT 'Language of the text as found, ISO 639-1',
    score Nullable(Float64) COMMENT 'Sentiment in [-1, 1]; null where nothing is expressed',
    score_source LowCardinality(Nullable(String)) COMMENT 'What the score was taken from: survey, text or implicit',
    score_weight Nullable(Float64) COMMENT 'Weight of the score in rolling sentiment, in (0, 1]',
    conflict Bool COMMENT 'Survey and text of this interaction are of opposite sign',
    aspects Array(Tuple(aspect LowCardinality(String), score Nullable(Float64))) COMMENT 'What the text is about, with the sentiment of each',
    party_size Nullable(Int64) COMMENT 'Booking: travellers, children included',
    nights Nullable(Int64) COMMENT 'Booking: nights',
    lead_days Nullable(Int64) COMMENT 'Booking: days from booking to arrival',
    arrival_date Nullable(String) COMMENT 'Booking: planned arrival, ISO 8601 date as the source gave it',
    package LowCardinality(Nullable(String)) COMMENT 'Booking: package or fare sold',
    meal_plan LowCardinality(Nullable(String)) COMMENT 'Booking: SC self catering, BB bed and breakfast, HB half board, FB full board',
    room_type LowCardinality(Nullable(String)) COMMENT 'Booking: room type or cabin class',
    waiting_days Nullable(Int64) COMMENT 'Booking: days on the waiting list',
    special_requests Nullable(Int64) COMMENT 'Booking: number of special requests',
    wait_seconds Nullable(Int64) COMMENT 'Check-in, stay: time waited for service, seconds',
    delay_minutes Nullable(Int64) COMMENT 'Check-in: delay of departure or of the room, minutes',
    delay_code LowCardinality(Nullable(String)) COMMENT 'Check-in: IATA delay code',
    seat Nullable(String) COMMENT 'Check-in: seat assigned',
    room Nullable(String) COMMENT 'Check-in: room assigned',
    facility LowCardinality(Nullable(String)) COMMENT 'Stay: facility used or concerned',
    service LowCardinality(Nullable(String)) COMMENT 'Stay: service given or asked for',
    platform LowCardinality(Nullable(String)) COMMENT 'After travel: where it was said',
    reach Nullable(Int64) COMMENT 'After travel: people who can be expected to see it',
    aspect_ratings Array(Tuple(aspect LowCardinality(String), rating Float64)) COMMENT 'After travel: ratings by aspect',
    epoch UInt32 COMMENT 'Number of the history that this row was written in',
    content UInt64 COMMENT 'Version of interactions_store: of two copies of an event the higher counts' CODEC(ZSTD(1)),
    customer_id String COMMENT 'Customer, as the subject is resolved' CODEC(ZSTD(1)),
    journey_id Nullable(String) COMMENT 'Journey that it belongs to; null where its journey is not known yet' CODEC(ZSTD(1)),
    stamp UInt64 COMMENT 'When the pass that wrote this row began, epoch microseconds; 0: the insert wrote it' CODEC(ZSTD(1)),
    gone UInt8 COMMENT '1: the interaction is not under this key any more',
    rank UInt128 MATERIALIZED bitShiftLeft(toUInt128(content), 64) + stamp COMMENT 'Which row of a key counts: the highest' CODEC(ZSTD(1)),
    INDEX by_subject subject TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_journey journey_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(rank, gone)
ORDER BY (toMonday(toDate(occurred_at)), customer_id, subject, event_id)
SETTINGS index_granularity = 512
COMMENT 'Interactions with customer and journey, by week and customer; read them through the view interactions';

CREATE TABLE IF NOT EXISTS {database}.unresolved_store {on_cluster}
(
    subject String COMMENT 'Subject whose interactions or identity changed; empty where journeys of a customer did' CODEC(ZSTD(1)),
    customer_id String COMMENT 'Customer whose journeys changed; empty where a subject is named' CODEC(ZSTD(1)),
    token UInt64 COMMENT 'A random number, which tells marks of the same name apart' CODEC(NONE),
    sign Int8 COMMENT '1: a mark; -1: it is taken back'
)
ENGINE = {replicated}CollapsingMergeTree(sign)
ORDER BY (subject, customer_id, token)
COMMENT 'Whose rows of interactions_resolved_store may be out of date, until the sink has resolved them';

CREATE TABLE IF NOT EXISTS {database}.resolving_store {on_cluster}
(
    pass UInt64 COMMENT 'When the pass began, epoch microseconds',
    subject String COMMENT 'As in unresolved_store' CODEC(ZSTD(1)),
    customer_id String COMMENT 'As in unresolved_store' CODEC(ZSTD(1)),
    token UInt64 COMMENT 'As in unresolved_store' CODEC(NONE)
)
ENGINE = {replicated}MergeTree
PARTITION BY pass
ORDER BY (subject, customer_id, token)
COMMENT 'The marks that a pass under way has taken';

CREATE TABLE IF NOT EXISTS {database}.resolution_store {on_cluster}
(
    pass UInt64 COMMENT 'When the pass began, epoch microseconds',
    week Date COMMENT 'Of the row from which it is made: its week, a Monday',
    customer_id String COMMENT 'Of that row: its customer' CODEC(ZSTD(1)),
    subject String COMMENT 'Its subject' CODEC(ZSTD(1)),
    event_id String COMMENT 'Its event' CODEC(ZSTD(1)),
    to_customer String COMMENT 'Customer of the row to write' CODEC(ZSTD(1)),
    to_journey Nullable(String) COMMENT 'Journey of the row to write' CODEC(ZSTD(1)),
    gone UInt8 COMMENT '1: the row to write deletes'
)
ENGINE = {replicated}MergeTree
PARTITION BY pass
ORDER BY (week, customer_id, subject, event_id)
COMMENT 'The rows that a pass under way writes into interactions_resolved_store';

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.interactions_resolved_filled {on_cluster} TO {database}.interactions_resolved_store
AS SELECT
    subject, event_id, occurred_at, channel, touchpoint, medium, ids, booking_ref, unit, agent_id, locale, country,
    survey, text, money, case_id, attributes, language, score, score_source, score_weight, conflict, aspects,
    party_size, nights, lead_days, arrival_date, package, meal_plan, room_type, waiting_days, special_requests,
    wait_seconds, delay_minutes, delay_code, seat, room, facility, service, platform, reach, aspect_ratings, epoch,
    version AS content, if(startsWith(subject, 'customer:'), substring(subject, 10), subject) AS customer_id,
    if(booking_ref IS NULL, NULL, concat(if(startsWith(subject, 'customer:'), substring(subject, 10), subject), '/', booking_ref)) AS journey_id,
    0 AS stamp, 0 AS gone
FROM {database}.interactions_store;

-- From the table itself, so that a mark comes after the rows that it is about.
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.unresolved_by_interactions {on_cluster} TO {database}.unresolved_store
AS SELECT subject, '' AS customer_id, max(rand64()) AS token, toInt8(1) AS sign
FROM {database}.interactions_resolved_store
WHERE stamp = 0
GROUP BY subject;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.unresolved_by_identities {on_cluster} TO {database}.unresolved_store
AS SELECT identifier AS subject, '' AS customer_id, rand64() AS token, toInt8(1) AS sign FROM {database}.identities_store;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.unresolved_by_journeys {on_cluster} TO {database}.unresolved_store
AS SELECT '' AS subject, customer_id, max(rand64()) AS token, toInt8(1) AS sign FROM {database}.journeys_store GROUP BY customer_id;

-- What was stored before, in pieces that a small machine can sort. Rows that come meanwhile are there twice, which is harmless.
-- rihla migrate resolves them before the next migration has the views read them.
INSERT INTO {database}.interactions_resolved_store
(
    subject, event_id, occurred_at, channel, touchpoint, medium, ids, booking_ref, unit, agent_id, locale, country,
    survey, text, money, case_id, attributes, language, score, score_source, score_weight, conflict, aspects,
    party_size, nights, lead_days, arrival_date, package, meal_plan, room_type, waiting_days, special_requests,
    wait_seconds, delay_minutes, delay_code, seat, room, facility, service, platform, reach, aspect_ratings, epoch,
    content, customer_id, journey_id, stamp, gone
)
SELECT
    subject, event_id, occurred_at, channel, touchpoint, medium, ids, booking_ref, unit, agent_id, locale, country,
    survey, text, money, case_id, attributes, language, score, score_source, score_weight, conflict, aspects,
    party_size, nights, lead_days, arrival_date, package, meal_plan, room_type, waiting_days, special_requests,
    wait_seconds, delay_minutes, delay_code, seat, room, facility, service, platform, reach, aspect_ratings, epoch,
    version AS content, if(startsWith(subject, 'customer:'), substring(subject, 10), subject) AS customer_id,
    if(booking_ref IS NULL, NULL, concat(if(startsWith(subject, 'customer:'), substring(subject, 10), subject), '/', booking_ref)) AS journey_id,
    0 AS stamp, 0 AS gone
FROM {database}.interactions_store FINAL
SETTINGS insert_distributed_sync = 1, max_threads = 1, max_insert_threads = 1, max_block_size = 8192, min_insert_block_size_rows = 100000, min_insert_block_size_bytes = 67108864;
