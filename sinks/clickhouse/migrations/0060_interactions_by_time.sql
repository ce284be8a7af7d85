-- The order of time. interactions_store is in the order of its key, so that a question about seven days read all of it. Here
-- the same rows lie by day; both are filled by one insert, whoever inserts.
--
-- Exact under duplicates. A copy of an event that says the same day is the same key here, and the highest version counts, as
-- there. One that says another day is another key: there the highest version counts, so here the loser must go. Which days an
-- event was ever said to have happened on, interaction_days_store knows; an insert looks its events up there, and of two that
-- differ the lesser gets a row that deletes it (rank: twice the version; of what deletes it, one more). A version is
-- a function of the content, so the lesser of two stays the lesser, in whatever order they come and however often.
CREATE TABLE IF NOT EXISTS {database}.interactions_by_time_store {on_cluster}
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
    rank UInt64 COMMENT '2 * version of interactions_store; of a row that deletes another, one more than that' CODEC(ZSTD(1)),
    gone UInt8 COMMENT '1: the event did not happen on this day, as a copy with a higher version says another',
    INDEX by_subject subject TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(rank, gone)
ORDER BY (toDate(occurred_at), subject, event_id)
SETTINGS index_granularity = 2048
COMMENT 'Interactions in the order of time, every copy; read them through the view interactions';

-- Small granules, which an insert reads: one for each of its events. Neither column is worth compressing but the owner.
CREATE TABLE IF NOT EXISTS {database}.interaction_days_store {on_cluster}
(
    owner UInt64 COMMENT 'Hash of the subject, by which interactions are spread over shards, too' CODEC(ZSTD(1)),
    event UInt64 COMMENT 'Hash of the event_id' CODEC(NONE),
    day Date COMMENT 'Day on which a copy says that it happened',
    version UInt64 COMMENT 'Version of that copy' CODEC(NONE)
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (owner, event, day, version)
SETTINGS index_granularity = 256, min_compress_block_size = 4096
COMMENT 'On which days each interaction was ever said to have happened, by hashes: what keeps interactions_by_time_store exact';

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.interactions_by_time_filled {on_cluster} TO {database}.interactions_by_time_store
AS SELECT
    subject, event_id, occurred_at, channel, touchpoint, medium, ids, booking_ref, unit, agent_id, locale, country,
    survey, text, money, case_id, attributes, language, score, score_source, score_weight, conflict, aspects,
    party_size, nights, lead_days, arrival_date, package, meal_plan, room_type, waiting_days, special_requests,
    wait_seconds, delay_minutes, delay_code, seat, room, facility, service, platform, reach, aspect_ratings, epoch,
    version * 2 AS rank, 0 AS gone
FROM {database}.interactions_store;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.interaction_days_filled {on_cluster} TO {database}.interaction_days_store
AS SELECT cityHash64(subject) AS owner, sipHash64(event_id) AS event, toDate(occurred_at) AS day, version
FROM {database}.interactions_store;

-- interactions_store is here, wherever it stands, what is being inserted: two copies of an event may come in one insert.
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.interactions_by_time_corrected {on_cluster} TO {database}.interactions_by_time_store
AS SELECT
    i.subject AS subject, i.event_id AS event_id, toDateTime64(if(i.version < o.version, i.day, o.day), 3, 'UTC') AS occurred_at,
    toUInt32(bitShiftRight(least(i.version, o.version), 44)) AS epoch, least(i.version, o.version) * 2 + 1 AS rank, 1 AS gone
FROM
(
    SELECT subject, event_id, cityHash64(subject) AS owner, sipHash64(event_id) AS event, toDate(occurred_at) AS day, version
    FROM {database}.interactions_store
) AS i
INNER JOIN
(
    SELECT owner, event, day, version FROM {database}.interaction_days_store
    WHERE (owner, event) IN (SELECT cityHash64(subject), sipHash64(event_id) FROM {database}.interactions_store)
    UNION ALL
    SELECT cityHash64(subject) AS owner, sipHash64(event_id) AS event, toDate(occurred_at) AS day, version FROM {database}.interactions_store
) AS o ON o.owner = i.owner AND o.event = i.event
WHERE o.day != i.day;

-- What was stored before, in pieces that a small machine can sort. Rows that come meanwhile are there twice, which is harmless.
INSERT INTO {database}.interaction_days_store
SELECT cityHash64(subject) AS owner, sipHash64(event_id) AS event, toDate(occurred_at) AS day, version
FROM {database}.interactions_store FINAL
SETTINGS insert_distributed_sync = 1;

INSERT INTO {database}.interactions_by_time_store
(
    subject, event_id, occurred_at, channel, touchpoint, medium, ids, booking_ref, unit, agent_id, locale, country,
    survey, text, money, case_id, attributes, language, score, score_source, score_weight, conflict, aspects,
    party_size, nights, lead_days, arrival_date, package, meal_plan, room_type, waiting_days, special_requests,
    wait_seconds, delay_minutes, delay_code, seat, room, facility, service, platform, reach, aspect_ratings, epoch,
    rank, gone
)
SELECT
    subject, event_id, occurred_at, channel, touchpoint, medium, ids, booking_ref, unit, agent_id, locale, country,
    survey, text, money, case_id, attributes, language, score, score_source, score_weight, conflict, aspects,
    party_size, nights, lead_days, arrival_date, package, meal_plan, room_type, waiting_days, special_requests,
    wait_seconds, delay_minutes, delay_code, seat, room, facility, service, platform, reach, aspect_ratings, epoch,
    version * 2 AS rank, 0 AS gone
FROM {database}.interactions_store FINAL
SETTINGS insert_distributed_sync = 1, max_threads = 1, max_insert_threads = 1, max_block_size = 8192, min_insert_block_size_rows = 100000, min_insert_block_size_bytes = 67108864;

-- The views, from there. Where nothing is left out, which is nearly always, no row is looked up among what is.
CREATE OR REPLACE VIEW {database}.contacts {on_cluster}
(
    event_id String COMMENT 'UUID given by the source, in lower case',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened to the customer',
    ids Array(Tuple(kind LowCardinality(String), value String)) COMMENT 'Every name by which the event knows the customer',
    booking_ref Nullable(String) COMMENT 'Reference of the booking or trip',
    touchpoint LowCardinality(String) COMMENT 'What happened, by its name in the touchpoint catalogue',
    medium LowCardinality(String) COMMENT 'How the customer and the company met: web, app, kiosk, call_centre ...',
    unit LowCardinality(Nullable(String)) COMMENT 'Where in the company: property, flight, desk',
    agent_id LowCardinality(Nullable(String)) COMMENT 'Member of staff who dealt with the customer',
    locale LowCardinality(Nullable(String)) COMMENT 'Language and region of the interaction, BCP 47',
    country LowCardinality(Nullable(String)) COMMENT 'Country of the customer, ISO 3166-1 alpha-2',
    survey Tuple(instrument LowCardinality(Nullable(String)), score Nullable(Float64)) COMMENT 'Survey answer: survey.instrument (nps, csat, ces, stars) and survey.score; both null where there is none',
    text Nullable(String) COMMENT 'What the customer wrote or said, scrubbed of personal data',
    money Tuple(amount_minor Nullable(Int64), currency LowCardinality(Nullable(String))) COMMENT 'Money that changed hands: money.amount_minor (cents; refunds negative) and money.currency (ISO 4217); both null where there is none',
    case_id Nullable(String) COMMENT 'Complaint or request case that this belongs to',
    attributes Map(LowCardinality(String), String) COMMENT 'Anything else the source knows',
    channel LowCardinality(String) COMMENT 'booking, check_in, stay or post_travel',
    subject String COMMENT 'Strongest identifier of the event as kind:value, or booking_ref:REF where it names nobody',
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
    customer_id String COMMENT 'Customer, as the subject is resolved now'
)
AS
SELECT
    i.event_id AS event_id, i.occurred_at AS occurred_at, i.ids AS ids, i.booking_ref AS booking_ref,
    i.touchpoint AS touchpoint, i.medium AS medium, i.unit AS unit, i.agent_id AS agent_id, i.locale AS locale,
    i.country AS country, i.survey AS survey, i.text AS text, i.money AS money, i.case_id AS case_id,
    i.attributes AS attributes, i.channel AS channel, i.subject AS subject, i.language AS language,
    i.score AS score, i.score_source AS score_source, i.score_weight AS score_weight, i.conflict AS conflict,
    i.aspects AS aspects, i.party_size AS party_size, i.nights AS nights, i.lead_days AS lead_days,
    i.arrival_date AS arrival_date, i.package AS package, i.meal_plan AS meal_plan, i.room_type AS room_type,
    i.waiting_days AS waiting_days, i.special_requests AS special_requests, i.wait_seconds AS wait_seconds,
    i.delay_minutes AS delay_minutes, i.delay_code AS delay_code, i.seat AS seat, i.room AS room,
    i.facility AS facility, i.service AS service, i.platform AS platform, i.reach AS reach,
    i.aspect_ratings AS aspect_ratings,
    -- An identifier that was never linked with another is a customer of its own.
    coalesce(
        nullIf((SELECT w.customer_id FROM {database}.identities_store AS w FINAL WHERE w.identifier = i.subject), ''),
        if(startsWith(i.subject, 'customer:'), substring(i.subject, 10), i.subject)
    ) AS customer_id
FROM {database}.interactions_by_time_store AS i FINAL
WHERE ((SELECT count() FROM {database}.left_out) = 0
        OR (i.subject, i.event_id, i.epoch) NOT IN (SELECT subject, event_id, epoch FROM {database}.left_out))
    AND i.touchpoint != 'identity.linked'
COMMENT 'One row per interaction with its customer as known now, without its journey: sooner read than interactions';

CREATE OR REPLACE VIEW {database}.interactions {on_cluster}
(
    event_id String COMMENT 'UUID given by the source, in lower case',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened to the customer',
    ids Array(Tuple(kind LowCardinality(String), value String)) COMMENT 'Every name by which the event knows the customer',
    booking_ref Nullable(String) COMMENT 'Reference of the booking or trip',
    touchpoint LowCardinality(String) COMMENT 'What happened, by its name in the touchpoint catalogue',
    medium LowCardinality(String) COMMENT 'How the customer and the company met: web, app, kiosk, call_centre ...',
    unit LowCardinality(Nullable(String)) COMMENT 'Where in the company: property, flight, desk',
    agent_id LowCardinality(Nullable(String)) COMMENT 'Member of staff who dealt with the customer',
    locale LowCardinality(Nullable(String)) COMMENT 'Language and region of the interaction, BCP 47',
    country LowCardinality(Nullable(String)) COMMENT 'Country of the customer, ISO 3166-1 alpha-2',
    survey Tuple(instrument LowCardinality(Nullable(String)), score Nullable(Float64)) COMMENT 'Survey answer: survey.instrument (nps, csat, ces, stars) and survey.score; both null where there is none',
    text Nullable(String) COMMENT 'What the customer wrote or said, scrubbed of personal data',
    money Tuple(amount_minor Nullable(Int64), currency LowCardinality(Nullable(String))) COMMENT 'Money that changed hands: money.amount_minor (cents; refunds negative) and money.currency (ISO 4217); both null where there is none',
    case_id Nullable(String) COMMENT 'Complaint or request case that this belongs to',
    attributes Map(LowCardinality(String), String) COMMENT 'Anything else the source knows',
    channel LowCardinality(String) COMMENT 'booking, check_in, stay or post_travel',
    subject String COMMENT 'Strongest identifier of the event as kind:value, or booking_ref:REF where it names nobody',
    customer_id String COMMENT 'Customer, as the subject is resolved now',
    journey_id Nullable(String) COMMENT 'Journey that it belongs to; null in the moment before its journey is stored',
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
    aspect_ratings Array(Tuple(aspect LowCardinality(String), rating Float64)) COMMENT 'After travel: ratings by aspect'
)
AS
WITH
    -- Booking journeys of the customer whose span, widened by 30 days on both sides, contains the event.
    arrayFilter(
        trip -> trip.1 - INTERVAL 30 DAY <= e.occurred_at AND e.occurred_at <= trip.3 + INTERVAL 30 DAY, j.bookings
    ) AS around,
    -- The latest start not after the event, else the earliest start; of equal starts, the smaller booking reference.
    arraySort(
        trip -> (trip.1 > e.occurred_at,
                 if(trip.1 > e.occurred_at, 1, -1) * toUnixTimestamp64Milli(trip.1),
                 trip.2),
        around
    ) AS candidates
SELECT
    e.event_id, e.occurred_at, e.ids, e.booking_ref, e.touchpoint, e.medium, e.unit, e.agent_id, e.locale,
    e.country, e.survey, e.text, e.money, e.case_id, e.attributes, e.channel, e.subject,
    e.customer_id,
    multiIf(
        e.booking_ref IS NOT NULL, concat(e.customer_id, '/', e.booking_ref),
        notEmpty(around), candidates[1].2,
        nullIf(arrayFirst(visit -> visit.1 <= e.occurred_at AND e.occurred_at <= visit.3, j.visits).2, '')
    ) AS journey_id,
    e.language, e.score, e.score_source, e.score_weight, e.conflict, e.aspects, e.party_size, e.nights, e.lead_days,
    e.arrival_date, e.package, e.meal_plan, e.room_type, e.waiting_days, e.special_requests, e.wait_seconds,
    e.delay_minutes, e.delay_code, e.seat, e.room, e.facility, e.service, e.platform, e.reach, e.aspect_ratings
FROM
(
    SELECT
        i.*,
        -- An identifier that was never linked with another is a customer of its own.
        coalesce(
            nullIf(who.customer_id, ''),
            if(startsWith(i.subject, 'customer:'), substring(i.subject, 10), i.subject)
        ) AS customer_id
    FROM {database}.interactions_by_time_store AS i FINAL
    LEFT ANY JOIN
    (
        SELECT identifier, customer_id FROM {database}.identities_store FINAL
    ) AS who ON who.identifier = i.subject
    WHERE ((SELECT count() FROM {database}.left_out) = 0
        OR (i.subject, i.event_id, i.epoch) NOT IN (SELECT subject, event_id, epoch FROM {database}.left_out))
        AND i.touchpoint != 'identity.linked'
) AS e
LEFT ANY JOIN
(
    SELECT
        customer_id,
        groupArrayIf((assumeNotNull(span_start), journey_id, assumeNotNull(span_end)), kind = 'booking') AS bookings,
        groupArrayIf((started_at, journey_id, last_event_at), kind = 'visit') AS visits
    FROM {database}.journeys_store FINAL
    GROUP BY customer_id
) AS j ON j.customer_id = e.customer_id
COMMENT 'One row per interaction (event_id of a subject), with its customer and journey as they are known now';
