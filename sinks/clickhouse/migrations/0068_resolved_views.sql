-- The views, from the rows that have customer and journey. An event that no table counts (left_out) is looked up where there is one.
-- The setting lets conditions on the key, and no others, decide which granules are read whole: with FINAL they do not otherwise.
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
    event_id, occurred_at, ids, booking_ref, touchpoint, medium, unit, agent_id, locale, country, survey, text, money,
    case_id, attributes, channel, subject, language, score, score_source, score_weight, conflict, aspects, party_size,
    nights, lead_days, arrival_date, package, meal_plan, room_type, waiting_days, special_requests, wait_seconds,
    delay_minutes, delay_code, seat, room, facility, service, platform, reach, aspect_ratings, customer_id
FROM {database}.interactions_resolved_store FINAL
WHERE touchpoint != 'identity.linked' AND ((SELECT count() FROM {database}.left_out) = 0
    OR (subject, event_id, epoch) NOT IN (SELECT subject, event_id, epoch FROM {database}.left_out))
SETTINGS optimize_move_to_prewhere_if_final = 1
COMMENT 'One row per interaction with its customer, without its journey';

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
SELECT
    event_id, occurred_at, ids, booking_ref, touchpoint, medium, unit, agent_id, locale, country, survey, text, money,
    case_id, attributes, channel, subject, customer_id, journey_id, language, score, score_source, score_weight,
    conflict, aspects, party_size, nights, lead_days, arrival_date, package, meal_plan, room_type, waiting_days,
    special_requests, wait_seconds, delay_minutes, delay_code, seat, room, facility, service, platform, reach,
    aspect_ratings
FROM {database}.interactions_resolved_store FINAL
WHERE touchpoint != 'identity.linked' AND ((SELECT count() FROM {database}.left_out) = 0
    OR (subject, event_id, epoch) NOT IN (SELECT subject, event_id, epoch FROM {database}.left_out))
SETTINGS optimize_move_to_prewhere_if_final = 1
COMMENT 'One row per interaction (event_id of a subject), with its customer and journey';
