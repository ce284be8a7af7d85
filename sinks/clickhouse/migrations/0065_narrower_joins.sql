-- Joins that do less. As in 0060: an event that carries a booking reference names its journey; the trips and visits of its
-- customer are not joined to it, which was most of what the journeys of all interactions cost.
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
) AS j ON j.customer_id = e.customer_id AND e.booking_ref IS NULL
COMMENT 'One row per interaction (event_id of a subject), with its customer and journey as they are known now';

-- As in 0036: what is asked for one customer reaches the interactions and the journeys, instead of being left to the end.
CREATE OR REPLACE VIEW {database}.journey_spend {on_cluster}
(
    journey_id String COMMENT 'Journey',
    customer_id String COMMENT 'Whose it is',
    status LowCardinality(String) COMMENT 'Where it stands',
    currency LowCardinality(String) COMMENT 'ISO 4217',
    spend_booked Decimal(38, 4) COMMENT 'Agreed or paid, in major units',
    spend_kept Decimal(38, 4) COMMENT 'Kept, in major units',
    spend_lost Decimal(38, 4) COMMENT 'Booked less kept, in major units',
    first_at DateTime64(3, 'UTC') COMMENT 'First amount in that currency'
)
AS
WITH
    transform(currency, ['BHD', 'BIF', 'CLF', 'CLP', 'DJF', 'GNF', 'IQD', 'ISK', 'JOD', 'JPY', 'KMF', 'KRW', 'KWD', 'LYD', 'OMR', 'PYG', 'RWF', 'TND', 'UGX', 'UYI', 'UYW', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'],
        [3, 0, 4, 0, 0, 0, 3, 0, 3, 0, 0, 0, 3, 3, 3, 0, 0, 3, 0, 0, 4, 0, 0, 0, 0, 0], 2) AS digits,
    if(ended, if(back > 0, paid - back, charged), paid - back) AS kept,
    paid - charged AS booked
SELECT
    journey_id, customer_id, status, currency,
    toDecimal128(booked, 4) / toInt64(exp10(digits)) AS spend_booked,
    toDecimal128(kept, 4) / toInt64(exp10(digits)) AS spend_kept,
    toDecimal128(booked - kept, 4) / toInt64(exp10(digits)) AS spend_lost,
    first_at
FROM
(
    SELECT
        assumeNotNull(i.journey_id) AS journey_id,
        j.customer_id AS customer_id,
        any(j.status) AS status,
        toString(assumeNotNull(i.money.currency)) AS currency,
        any(j.status IN ('cancelled', 'no_show')) AS ended,
        sumIf(toInt128(assumeNotNull(i.money.amount_minor)), i.money.amount_minor > 0) AS paid,
        -sumIf(toInt128(assumeNotNull(i.money.amount_minor)), i.money.amount_minor < 0) AS back,
        sumIf(toInt128(assumeNotNull(i.money.amount_minor)), i.money.amount_minor > 0 AND i.occurred_at >= j.ended_at
            AND i.touchpoint != 'booking.confirmed') AS charged,
        min(i.occurred_at) AS first_at
    FROM
    (
        SELECT journey_id, customer_id, occurred_at, touchpoint, money FROM {database}.interactions
        WHERE money.amount_minor IS NOT NULL AND money.currency IS NOT NULL AND journey_id IS NOT NULL
    ) AS i
    INNER JOIN
    (
        SELECT
            journey_id, customer_id, status,
            multiIf(status = 'cancelled', assumeNotNull(cancelled_at), status = 'no_show', assumeNotNull(no_show_at),
                toDateTime64('2200-01-01', 3, 'UTC')) AS ended_at
        FROM {database}.journeys
    ) AS j ON j.journey_id = i.journey_id AND j.customer_id = i.customer_id
    GROUP BY j.customer_id, journey_id, currency
)
COMMENT 'One row per journey and currency: what was booked, kept and lost';
