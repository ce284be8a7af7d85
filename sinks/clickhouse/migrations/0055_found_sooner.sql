-- Found sooner. What is asked of the stores by something else than their key had to read them whole: which granules hold a
-- customer, a value or a booking reference, these filters know. FINAL stays exact with them: ClickHouse reads what
-- overlaps in other parts, too (use_skip_indexes_if_final_exact_mode). What was stored before gets them by a mutation in
-- the background.
ALTER TABLE {database}.identities_store {on_cluster}
    ADD INDEX IF NOT EXISTS by_customer customer_id TYPE bloom_filter(0.001) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_value value TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE {database}.journeys_store {on_cluster}
    ADD INDEX IF NOT EXISTS by_customer customer_id TYPE bloom_filter(0.001) GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_booking booking_ref TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE {database}.customers_store {on_cluster}
    ADD INDEX IF NOT EXISTS by_value value TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE {database}.cases_store {on_cluster}
    ADD INDEX IF NOT EXISTS by_customer customer_id TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE {database}.alerts_store {on_cluster}
    ADD INDEX IF NOT EXISTS by_customer customer_id TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE {database}.moves_store {on_cluster}
    ADD INDEX IF NOT EXISTS by_customer customer_id TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE {database}.identities_store {on_cluster} MATERIALIZE INDEX IF EXISTS by_customer, MATERIALIZE INDEX IF EXISTS by_value;
ALTER TABLE {database}.journeys_store {on_cluster} MATERIALIZE INDEX IF EXISTS by_customer, MATERIALIZE INDEX IF EXISTS by_booking;
ALTER TABLE {database}.customers_store {on_cluster} MATERIALIZE INDEX IF EXISTS by_value;
ALTER TABLE {database}.cases_store {on_cluster} MATERIALIZE INDEX IF EXISTS by_customer;
ALTER TABLE {database}.alerts_store {on_cluster} MATERIALIZE INDEX IF EXISTS by_customer;
ALTER TABLE {database}.moves_store {on_cluster} MATERIALIZE INDEX IF EXISTS by_customer;

-- The rows of the view interactions, for whom the journey is not asked for. A journey is found by all journeys of the
-- customer, which takes a join that ClickHouse makes even where nobody reads the column. Here the customer is a subquery
-- of the row, which is left out where nobody reads it: who counts, or asks by channel, reads the store alone.
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
FROM {database}.interactions_store AS i FINAL
WHERE (i.subject, i.event_id, i.epoch) NOT IN (SELECT subject, event_id, epoch FROM {database}.left_out)
    AND i.touchpoint != 'identity.linked'
COMMENT 'One row per interaction with its customer as known now, without its journey: sooner read than interactions';
