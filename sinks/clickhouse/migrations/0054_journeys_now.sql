-- As in 0049, where of several travellers of one booking one alone had the clock of the unit: INNER ANY JOIN uses a row of
-- either side once.
-- What holds now. The view journeys keeps what the events say (`status`); from that, the plan and the clock follow:
--
-- held     the status, but for a cancellation or no-show of a guest who had come: that undoes no stay, unless the journey
--          was confirmed again in between. Cancelled, the stay is over; reported as a no-show, it is what it was.
-- ends_at  where the plan's day is known, and nothing shows that it was not kept to: the end of that day, on the clock of
--          the journey's unit (UTC where it has none), and the grace; else the last event and what the model gives the stage. Null: the stage holds until an event ends it.
CREATE OR REPLACE VIEW {database}.journeys_now {on_cluster}
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
    held LowCardinality(String) COMMENT 'The status, without cancellations and no-shows that came after the guest',
    status_now String COMMENT 'What holds now: held, or what the model assumes when its time is over',
    assumed Bool COMMENT 'Whether status_now is not what the latest milestone says',
    ends_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When held ends if nothing more is heard; null: not by itself',
    becomes Nullable(String) COMMENT 'What it is from then on',
    planned_arrival Nullable(Date32) COMMENT 'Day of arrival by the plan',
    planned_departure Nullable(Date32) COMMENT 'Day of departure by the plan'
)
AS
WITH
    multiIf(s.plan = 'arrival', p.arrival, s.plan = 'departure', p.arrival + toIntervalDay(p.nights), NULL) AS planned_day,
    toDateTime64(planned_day + toIntervalDay(1), 3, 'UTC') AS midnight,
    ifNull(nullIf(u.timezone, ''), 'UTC') AS zone,
    -- The clock there shows midnight at a moment whose offset from UTC is that of the moment itself, not of UTC's midnight.
    midnight - toIntervalSecond(dateDiff('second', midnight, toDateTime64OrNull(formatDateTime(midnight, '%Y-%m-%d %H:%i:%S', zone), 3, 'UTC'))) AS near,
    midnight - toIntervalSecond(dateDiff('second', near, toDateTime64OrNull(formatDateTime(near, '%Y-%m-%d %H:%i:%S', zone), 3, 'UTC')))
        + toIntervalMillisecond(s.grace_ms) AS planned_end
SELECT
    journey_id, customer_id, booking_ref, kind, status, started_at, last_event_at, span_start,
    span_end, booked_at, cancelled_at, no_show_at, checked_in_at, arrived_at, checked_out_at,
    interactions, booking_interactions, check_in_interactions, stay_interactions,
    post_travel_interactions, score_sum, score_count, lowest_score, lowest_touchpoint, nps,
    csat, ces, stars, spend, cases_opened, cases_resolved,
    held,
    if(ends_at IS NOT NULL AND ends_at <= now64(3), assumeNotNull(s.becomes), held) AS status_now,
    status_now != toString(status) AS assumed,
    multiIf(
        s.lasts_ms IS NULL, NULL,
        planned_end > since, planned_end,
        last_event_at + toIntervalMillisecond(assumeNotNull(s.lasts_ms))) AS ends_at,
    s.becomes AS becomes,
    p.arrival AS planned_arrival,
    p.arrival + toIntervalDay(p.nights) AS planned_departure
FROM
(
    WITH
        toDateTime64(0, 3, 'UTC') AS never,
        greatest(ifNull(arrived_at, never), ifNull(checked_out_at, never)) AS came_at
    SELECT *,
        multiIf(
            status NOT IN ('cancelled', 'no_show') OR came_at = never OR ifNull(booked_at, never) > came_at, toString(status),
            status = 'cancelled' OR ifNull(checked_out_at, never) >= ifNull(arrived_at, never), 'completed',
            'in_stay') AS held,
        multiIf(held = 'booked', booked_at, held = 'checked_in', checked_in_at, held = 'in_stay', arrived_at, NULL) AS since
    FROM {database}.journeys
) AS h
LEFT ANY JOIN (SELECT booking_ref AS ref, arrival, nights FROM {database}.plans) AS p ON p.ref = h.booking_ref
LEFT ANY JOIN {database}.stages AS s ON s.stage = h.held
-- Without any unit in the master no clock is looked for.
LEFT ANY JOIN
(
    SELECT w.journey_id AS of_journey, o.timezone AS timezone
    FROM
    (
        SELECT a.journey_id AS journey_id, ifNull(toString(a.attributed_unit), '') AS unit,
            assumeNotNull(ifNull(toDateTime64(q.arrival + toIntervalDay(ifNull(q.nights, 0)) + 1, 3, 'UTC'), toDateTime64(0, 3, 'UTC'))) AS at
        FROM {database}.journeys_attributed AS a
        INNER JOIN {database}.plans AS q ON q.booking_ref = a.booking_ref
        WHERE (SELECT count() FROM {database}.units_store) > 0
    ) AS w
    ASOF JOIN (SELECT unit, valid_from, timezone FROM {database}.unit_places) AS o
        ON o.unit = w.unit AND o.valid_from <= w.at
) AS u ON u.of_journey = h.journey_id
SETTINGS join_use_nulls = 1
COMMENT 'One row per journey: what the events say of it, and what holds now';
