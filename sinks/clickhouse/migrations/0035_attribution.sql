-- Whose doing it was. An answer given at home names no property; its journey does. Nothing is stored: each of these views is a
-- function of the interactions and of who is who, as they are known now, so an event that comes late, a merge or a split
-- changes it as if it had been so from the beginning. They cost a second pass over the interactions, which is why they stand
-- beside interactions, journeys, cases, alerts and moves and not in them (docs/units.md: the rule, and what it costs).
CREATE OR REPLACE VIEW {database}.stays {on_cluster}
(
    journey_id String COMMENT 'Journey',
    stays Array(Tuple(since DateTime64(3, 'UTC'), until DateTime64(3, 'UTC'), unit String, agents Array(String))) COMMENT 'Each unit that its events of channel stay name: from the first to the last of them, and who dealt with the customer; in order of time',
    ended Array(Tuple(until DateTime64(3, 'UTC'), since DateTime64(3, 'UTC'), unit String, agents Array(String))) COMMENT 'The same, in order of their ends',
    properties Array(String) COMMENT 'Units that its events of channels booking, stay and post_travel name',
    desks Array(String) COMMENT 'Units that its events of channel check_in name: flights, airports, desks'
)
AS
SELECT
    assumeNotNull(journey) AS journey_id,
    arraySort(groupArrayIf((since, until, unit, agents), stayed)) AS stays,
    arraySort(groupArrayIf((until, since, unit, agents), stayed)) AS ended,
    arraySort(groupArrayIf(unit, elsewhere)) AS properties,
    arraySort(groupArrayIf(unit, at_desk)) AS desks
FROM
(
    SELECT
        journey_id AS journey,
        toString(assumeNotNull(i.unit)) AS unit,
        minIf(occurred_at, channel = 'stay') AS since,
        maxIf(occurred_at, channel = 'stay') AS until,
        arraySort(groupUniqArrayIf(toString(ifNull(agent_id, '')), channel = 'stay' AND ifNull(agent_id, '') != '')) AS agents,
        countIf(channel = 'stay') > 0 AS stayed,
        countIf(channel != 'check_in') > 0 AS elsewhere,
        countIf(channel = 'check_in') > 0 AS at_desk
    FROM {database}.interactions AS i
    WHERE ifNull(i.unit, '') != '' AND journey_id IS NOT NULL
    GROUP BY journey, unit
)
GROUP BY journey
COMMENT 'Where each journey was: one row per journey that names a unit';
CREATE OR REPLACE VIEW {database}.interactions_attributed {on_cluster}
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
    aspect_ratings Array(Tuple(aspect LowCardinality(String), rating Float64)) COMMENT 'After travel: ratings by aspect',
    attributed_unit LowCardinality(Nullable(String)) COMMENT 'Unit, its own or that of the stay that it belongs to; null: not known',
    unit_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay, only_unit or none',
    attributed_agents Array(LowCardinality(String)) COMMENT 'Members of staff: its own, or those who served the customer in that stay',
    agents_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay or none'
)
AS
WITH
    multiIf(
        toString(ifNull(i.unit, '')) != '', (toString(ifNull(i.unit, '')), 'own'),
        toString(ifNull(i.channel, '')) = 'check_in' AND notEmpty(p.desks),
            if(length(p.desks) = 1, (p.desks[1], 'only_unit'), ('', 'none')),
        arrayExists(stay -> stay.1 <= i.occurred_at AND i.occurred_at <= stay.2, p.stays),
            (arrayLast(stay -> stay.1 <= i.occurred_at AND i.occurred_at <= stay.2, p.stays).3, 'same_stay'),
        arrayExists(stay -> stay.1 < i.occurred_at, p.ended),
            (arrayLast(stay -> stay.1 < i.occurred_at, p.ended).3, 'last_stay'),
        length(p.properties) = 1, (p.properties[1], 'only_unit'),
        ('', 'none')) AS whose,
    arrayMap(
        stay -> multiIf(
            toString(ifNull(i.agent_id, '')) != '', ([toString(ifNull(i.agent_id, ''))], 'own'),
            empty(stay.4), (CAST([], 'Array(String)'), 'none'),
            (stay.4, if(i.occurred_at <= stay.2, 'same_stay', 'last_stay'))),
        [arrayFirst(stay -> stay.3 = whose.1 AND stay.1 <= i.occurred_at, p.stays)])[1] AS served
SELECT
    i.event_id AS event_id, i.occurred_at AS occurred_at, i.ids AS ids, i.booking_ref AS booking_ref, i.touchpoint
    AS touchpoint, i.medium AS medium, i.unit AS unit, i.agent_id AS agent_id, i.locale AS locale, i.country AS
    country, i.survey AS survey, i.text AS text, i.money AS money, i.case_id AS case_id, i.attributes AS attributes,
    i.channel AS channel, i.subject AS subject, i.customer_id AS customer_id, i.journey_id AS journey_id, i.language
    AS language, i.score AS score, i.score_source AS score_source, i.score_weight AS score_weight, i.conflict AS
    conflict, i.aspects AS aspects, i.party_size AS party_size, i.nights AS nights, i.lead_days AS lead_days,
    i.arrival_date AS arrival_date, i.package AS package, i.meal_plan AS meal_plan, i.room_type AS room_type,
    i.waiting_days AS waiting_days, i.special_requests AS special_requests, i.wait_seconds AS wait_seconds,
    i.delay_minutes AS delay_minutes, i.delay_code AS delay_code, i.seat AS seat, i.room AS room, i.facility AS
    facility, i.service AS service, i.platform AS platform, i.reach AS reach, i.aspect_ratings AS aspect_ratings,
    nullIf(whose.1, '') AS attributed_unit,
    whose.2 AS unit_basis,
    served.1 AS attributed_agents,
    served.2 AS agents_basis
FROM {database}.interactions AS i
LEFT ANY JOIN {database}.stays AS p ON p.journey_id = i.journey_id
COMMENT 'The view interactions, with the unit and the agents that each belongs to';
-- A journey belongs where an answer given after it would.
CREATE OR REPLACE VIEW {database}.journeys_attributed {on_cluster}
(
    journey_id String COMMENT 'customer_id/booking_ref, or customer_id/visit/START-EVENT',
    customer_id String COMMENT 'Whose journey it is',
    booking_ref Nullable(String) COMMENT 'Booking reference; null for a visit',
    kind LowCardinality(String) COMMENT 'booking or visit',
    status LowCardinality(String) COMMENT 'Where the journey stands, by its latest milestone',
    started_at DateTime64(3, 'UTC') COMMENT 'First event',
    last_event_at DateTime64(3, 'UTC') COMMENT 'Last event',
    span_start Nullable(DateTime64(3, 'UTC')) COMMENT 'First event that carries the booking_ref',
    span_end Nullable(DateTime64(3, 'UTC')) COMMENT 'Last event that carries the booking_ref',
    booked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest booking.confirmed',
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest booking.cancelled',
    no_show_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest check_in.no_show',
    checked_in_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest check_in.completed',
    arrived_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest stay.arrived',
    checked_out_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest stay.checked_out',
    interactions Int64 COMMENT 'Interactions of all channels',
    booking_interactions Int64 COMMENT 'Interactions of channel booking',
    check_in_interactions Int64 COMMENT 'Interactions of channel check_in',
    stay_interactions Int64 COMMENT 'Interactions of channel stay',
    post_travel_interactions Int64 COMMENT 'Interactions of channel post_travel',
    score_sum Float64 COMMENT 'Sum of the scores of its interactions',
    score_count Int64 COMMENT 'Interactions that have a score',
    lowest_score Nullable(Float64) COMMENT 'Lowest score, the low point of the journey',
    lowest_touchpoint LowCardinality(Nullable(String)) COMMENT 'Touchpoint of the lowest score',
    nps Nullable(Float64) COMMENT 'Latest NPS answer, 0 to 10',
    csat Nullable(Float64) COMMENT 'Latest CSAT answer, 1 to 5',
    ces Nullable(Float64) COMMENT 'Latest CES answer, 1 to 7, high is easy',
    stars Nullable(Float64) COMMENT 'Latest stars, 1 to 5',
    spend Map(LowCardinality(String), Int64) COMMENT 'Sum of money by currency, minor units (cents); refunds count negative',
    cases_opened Int64 COMMENT 'Cases opened in the journey',
    cases_resolved Int64 COMMENT 'Cases resolved in the journey',
    attributed_unit LowCardinality(Nullable(String)) COMMENT 'Unit, its own or that of the stay that it belongs to; null: not known',
    unit_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay, only_unit or none',
    attributed_agents Array(LowCardinality(String)) COMMENT 'Members of staff: its own, or those who served the customer in that stay',
    agents_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay or none'
)
AS
WITH
    multiIf(
        toString(ifNull('', '')) != '', (toString(ifNull('', '')), 'own'),
        toString(ifNull('post_travel', '')) = 'check_in' AND notEmpty(p.desks),
            if(length(p.desks) = 1, (p.desks[1], 'only_unit'), ('', 'none')),
        arrayExists(stay -> stay.1 <= toDateTime64('2200-01-01', 3, 'UTC') AND toDateTime64('2200-01-01', 3, 'UTC') <= stay.2, p.stays),
            (arrayLast(stay -> stay.1 <= toDateTime64('2200-01-01', 3, 'UTC') AND toDateTime64('2200-01-01', 3, 'UTC') <= stay.2, p.stays).3, 'same_stay'),
        arrayExists(stay -> stay.1 < toDateTime64('2200-01-01', 3, 'UTC'), p.ended),
            (arrayLast(stay -> stay.1 < toDateTime64('2200-01-01', 3, 'UTC'), p.ended).3, 'last_stay'),
        length(p.properties) = 1, (p.properties[1], 'only_unit'),
        ('', 'none')) AS whose,
    arrayMap(
        stay -> multiIf(
            toString(ifNull('', '')) != '', ([toString(ifNull('', ''))], 'own'),
            empty(stay.4), (CAST([], 'Array(String)'), 'none'),
            (stay.4, if(toDateTime64('2200-01-01', 3, 'UTC') <= stay.2, 'same_stay', 'last_stay'))),
        [arrayFirst(stay -> stay.3 = whose.1 AND stay.1 <= toDateTime64('2200-01-01', 3, 'UTC'), p.stays)])[1] AS served
SELECT
    j.journey_id AS journey_id, j.customer_id AS customer_id, j.booking_ref AS booking_ref, j.kind AS kind, j.status
    AS status, j.started_at AS started_at, j.last_event_at AS last_event_at, j.span_start AS span_start, j.span_end
    AS span_end, j.booked_at AS booked_at, j.cancelled_at AS cancelled_at, j.no_show_at AS no_show_at,
    j.checked_in_at AS checked_in_at, j.arrived_at AS arrived_at, j.checked_out_at AS checked_out_at, j.interactions
    AS interactions, j.booking_interactions AS booking_interactions, j.check_in_interactions AS
    check_in_interactions, j.stay_interactions AS stay_interactions, j.post_travel_interactions AS
    post_travel_interactions, j.score_sum AS score_sum, j.score_count AS score_count, j.lowest_score AS
    lowest_score, j.lowest_touchpoint AS lowest_touchpoint, j.nps AS nps, j.csat AS csat, j.ces AS ces, j.stars AS
    stars, j.spend AS spend, j.cases_opened AS cases_opened, j.cases_resolved AS cases_resolved,
    nullIf(whose.1, '') AS attributed_unit,
    whose.2 AS unit_basis,
    served.1 AS attributed_agents,
    served.2 AS agents_basis
FROM {database}.journeys AS j
LEFT ANY JOIN {database}.stays AS p ON p.journey_id = j.journey_id
COMMENT 'The view journeys, with the unit and the agents of its last stay';
CREATE OR REPLACE VIEW {database}.cases_attributed {on_cluster}
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
    contacts Int64 COMMENT 'Times that the customer had to get in touch about it',
    attributed_unit LowCardinality(Nullable(String)) COMMENT 'Unit, its own or that of the stay that it belongs to; null: not known',
    unit_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay, only_unit or none',
    attributed_agents Array(LowCardinality(String)) COMMENT 'Members of staff: its own, or those who served the customer in that stay',
    agents_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay or none'
)
AS
WITH
    multiIf(
        toString(ifNull(k.unit, '')) != '', (toString(ifNull(k.unit, '')), 'own'),
        toString(ifNull(splitByChar('.', toString(k.touchpoint))[1], '')) = 'check_in' AND notEmpty(p.desks),
            if(length(p.desks) = 1, (p.desks[1], 'only_unit'), ('', 'none')),
        arrayExists(stay -> stay.1 <= assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))) AND assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))) <= stay.2, p.stays),
            (arrayLast(stay -> stay.1 <= assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))) AND assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))) <= stay.2, p.stays).3, 'same_stay'),
        arrayExists(stay -> stay.1 < assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))), p.ended),
            (arrayLast(stay -> stay.1 < assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))), p.ended).3, 'last_stay'),
        length(p.properties) = 1, (p.properties[1], 'only_unit'),
        ('', 'none')) AS whose,
    arrayMap(
        stay -> multiIf(
            toString(ifNull('', '')) != '', ([toString(ifNull('', ''))], 'own'),
            empty(stay.4), (CAST([], 'Array(String)'), 'none'),
            (stay.4, if(assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))) <= stay.2, 'same_stay', 'last_stay'))),
        [arrayFirst(stay -> stay.3 = whose.1 AND stay.1 <= assumeNotNull(coalesce(k.opened_at, k.first_response_at, k.resolved_at, k.reopened_at, toDateTime64('2200-01-01', 3, 'UTC'))), p.stays)])[1] AS served
SELECT
    k.case_id AS case_id, k.customer_id AS customer_id, k.journey_id AS journey_id, k.status AS status, k.touchpoint
    AS touchpoint, k.unit AS unit, k.opened_at AS opened_at, k.first_response_at AS first_response_at, k.resolved_at
    AS resolved_at, k.reopened_at AS reopened_at, k.contacts AS contacts,
    nullIf(whose.1, '') AS attributed_unit,
    whose.2 AS unit_basis,
    served.1 AS attributed_agents,
    served.2 AS agents_basis
FROM {database}.cases AS k
LEFT ANY JOIN {database}.stays AS p ON p.journey_id = k.journey_id
COMMENT 'The view cases, with the unit and the agents that each belongs to';
-- An event that is not stored yet, a second at most, is placed by the journey that the alert names.
CREATE OR REPLACE VIEW {database}.alerts_attributed {on_cluster}
(
    alert_id String COMMENT 'Deterministic id: the same cause gives the same alert',
    rule LowCardinality(String) COMMENT 'Rule that raised it',
    severity LowCardinality(String) COMMENT 'How soon somebody must act: low, medium, high or critical',
    customer_id String COMMENT 'Whom it concerns, as known when it was raised',
    journey_id Nullable(String) COMMENT 'Journey that it concerns',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit that has to act',
    event_id Nullable(String) COMMENT 'Event that caused it',
    reason String COMMENT 'A sentence that says why',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Time of the cause',
    raised_at DateTime64(3, 'UTC') COMMENT 'Time at which the alert was raised',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of what resolved it; null while it is open',
    acknowledged_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the first answer to the customer; null while nobody has reacted',
    attributed_unit LowCardinality(Nullable(String)) COMMENT 'Unit, its own or that of the stay that it belongs to; null: not known',
    unit_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay, only_unit or none',
    attributed_agents Array(LowCardinality(String)) COMMENT 'Members of staff: its own, or those who served the customer in that stay',
    agents_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay or none'
)
AS
WITH
    multiIf(
        toString(ifNull(a.unit, '')) != '', (toString(ifNull(a.unit, '')), 'own'),
        toString(ifNull(e.channel, '')) = 'check_in' AND notEmpty(p.desks),
            if(length(p.desks) = 1, (p.desks[1], 'only_unit'), ('', 'none')),
        arrayExists(stay -> stay.1 <= a.occurred_at AND a.occurred_at <= stay.2, p.stays),
            (arrayLast(stay -> stay.1 <= a.occurred_at AND a.occurred_at <= stay.2, p.stays).3, 'same_stay'),
        arrayExists(stay -> stay.1 < a.occurred_at, p.ended),
            (arrayLast(stay -> stay.1 < a.occurred_at, p.ended).3, 'last_stay'),
        length(p.properties) = 1, (p.properties[1], 'only_unit'),
        ('', 'none')) AS whose,
    arrayMap(
        stay -> multiIf(
            toString(ifNull(e.agent_id, '')) != '', ([toString(ifNull(e.agent_id, ''))], 'own'),
            empty(stay.4), (CAST([], 'Array(String)'), 'none'),
            (stay.4, if(a.occurred_at <= stay.2, 'same_stay', 'last_stay'))),
        [arrayFirst(stay -> stay.3 = whose.1 AND stay.1 <= a.occurred_at, p.stays)])[1] AS served
SELECT
    a.alert_id AS alert_id, a.rule AS rule, a.severity AS severity, a.customer_id AS customer_id, a.journey_id AS
    journey_id, a.unit AS unit, a.event_id AS event_id, a.reason AS reason, a.occurred_at AS occurred_at,
    a.raised_at AS raised_at, a.closed_at AS closed_at, a.acknowledged_at AS acknowledged_at,
    nullIf(whose.1, '') AS attributed_unit,
    whose.2 AS unit_basis,
    served.1 AS attributed_agents,
    served.2 AS agents_basis
FROM {database}.alerts AS a
LEFT ANY JOIN
(
    SELECT event_id, journey_id, channel, agent_id FROM {database}.interactions
    WHERE event_id IN (SELECT event_id FROM {database}.alerts_store)
) AS e ON e.event_id = a.event_id
LEFT ANY JOIN {database}.stays AS p ON p.journey_id = coalesce(e.journey_id, a.journey_id)
COMMENT 'The view alerts, with the unit that has to act and the agents';
CREATE OR REPLACE VIEW {database}.moves_attributed {on_cluster}
(
    move_id String COMMENT 'Deterministic id: the same move, observed again, is the same row',
    customer_id String COMMENT 'Who moved, as known at that moment',
    from_profile LowCardinality(String) COMMENT 'Profile before: negative, non_committal or advocate; everybody begins as non_committal',
    to_profile LowCardinality(String) COMMENT 'Profile after',
    touchpoint LowCardinality(String) COMMENT 'What happened: the touchpoint of the event that moved the customer',
    event_id String COMMENT 'That event',
    journey_id Nullable(String) COMMENT 'Booking journey of that event',
    unit LowCardinality(Nullable(String)) COMMENT 'Unit of that event',
    score Float64 COMMENT 'Rolling sentiment, half-life 30 days, after the move',
    evidence Float64 COMMENT 'Effective sample size of that score',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Time of that event',
    attributed_unit LowCardinality(Nullable(String)) COMMENT 'Unit, its own or that of the stay that it belongs to; null: not known',
    unit_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay, only_unit or none',
    attributed_agents Array(LowCardinality(String)) COMMENT 'Members of staff: its own, or those who served the customer in that stay',
    agents_basis LowCardinality(String) COMMENT 'What that rests on: own, same_stay, last_stay or none'
)
AS
WITH
    multiIf(
        toString(ifNull(m.unit, '')) != '', (toString(ifNull(m.unit, '')), 'own'),
        toString(ifNull(e.channel, '')) = 'check_in' AND notEmpty(p.desks),
            if(length(p.desks) = 1, (p.desks[1], 'only_unit'), ('', 'none')),
        arrayExists(stay -> stay.1 <= m.occurred_at AND m.occurred_at <= stay.2, p.stays),
            (arrayLast(stay -> stay.1 <= m.occurred_at AND m.occurred_at <= stay.2, p.stays).3, 'same_stay'),
        arrayExists(stay -> stay.1 < m.occurred_at, p.ended),
            (arrayLast(stay -> stay.1 < m.occurred_at, p.ended).3, 'last_stay'),
        length(p.properties) = 1, (p.properties[1], 'only_unit'),
        ('', 'none')) AS whose,
    arrayMap(
        stay -> multiIf(
            toString(ifNull(e.agent_id, '')) != '', ([toString(ifNull(e.agent_id, ''))], 'own'),
            empty(stay.4), (CAST([], 'Array(String)'), 'none'),
            (stay.4, if(m.occurred_at <= stay.2, 'same_stay', 'last_stay'))),
        [arrayFirst(stay -> stay.3 = whose.1 AND stay.1 <= m.occurred_at, p.stays)])[1] AS served
SELECT
    m.move_id AS move_id, m.customer_id AS customer_id, m.from_profile AS from_profile, m.to_profile AS to_profile,
    m.touchpoint AS touchpoint, m.event_id AS event_id, m.journey_id AS journey_id, m.unit AS unit, m.score AS
    score, m.evidence AS evidence, m.occurred_at AS occurred_at,
    nullIf(whose.1, '') AS attributed_unit,
    whose.2 AS unit_basis,
    served.1 AS attributed_agents,
    served.2 AS agents_basis
FROM {database}.moves AS m
LEFT ANY JOIN
(
    SELECT event_id, journey_id, channel, agent_id FROM {database}.interactions
    WHERE event_id IN (SELECT event_id FROM {database}.moves_store)
) AS e ON e.event_id = m.event_id
LEFT ANY JOIN {database}.stays AS p ON p.journey_id = coalesce(e.journey_id, m.journey_id)
COMMENT 'The view moves, with the unit and the agents of the event that moved the customer';
