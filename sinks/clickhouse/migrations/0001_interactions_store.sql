-- Interactions as enrich wrote them. Read them through the view {database}.interactions.
--
-- Key (subject, event_id): the same pair by which stitch deduplicates, so that the rows here are the very events that
-- journeys count; and one customer's rows lie together. A key never moves to another partition, because there are none.
-- Version: two copies of an event are the same row and either will do; should a source send different rows under one
-- id, the hash of the content decides, not the order of arrival. A later epoch (history written anew) wins.
CREATE TABLE IF NOT EXISTS {database}.interactions_store {on_cluster}
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
    version UInt64 MATERIALIZED bitShiftLeft(toUInt64(epoch), 44) + cityHash64(tuple(
        occurred_at, channel, touchpoint, medium, ids, booking_ref, unit, agent_id, locale, country, survey, text, money, case_id,
        attributes, language, score, score_source, score_weight, conflict, aspects, party_size, nights, lead_days, arrival_date,
        package, meal_plan, room_type, waiting_days, special_requests, wait_seconds, delay_minutes, delay_code, seat, room,
        facility, service, platform, reach, aspect_ratings)) % bitShiftLeft(toUInt64(1), 44)
        COMMENT 'epoch * 2^44 + a hash of the content: the highest of a key is current'
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (subject, event_id)
COMMENT 'Interactions, every copy; read them through the view interactions';
