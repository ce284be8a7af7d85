-- The versions of the company's model (docs/model.md) that have made rows here, as sinks told at their start.
CREATE TABLE IF NOT EXISTS {database}.models_store {on_cluster}
(
    hash String COMMENT 'Tells this version of the model from any other: a part of the SHA-256 of what it says',
    name String COMMENT 'What people call the model',
    source String COMMENT 'Folder that it was read from, or built in',
    recorded_at DateTime64(3, 'UTC') COMMENT 'Since when it holds here',
    epoch UInt32 COMMENT 'Number of the history that is written under it',
    meaning String COMMENT 'All that it says, as JSON' CODEC(ZSTD(3))
)
ENGINE = {replicated}ReplacingMergeTree(epoch)
ORDER BY (recorded_at, hash)
COMMENT 'Versions of the model that have made rows here; read them through the view models';

CREATE OR REPLACE VIEW {database}.models {on_cluster}
(
    hash String COMMENT 'Tells this version of the model from any other',
    name String COMMENT 'What people call the model',
    source String COMMENT 'Folder that it was read from, or built in',
    recorded_at DateTime64(3, 'UTC') COMMENT 'Since when it holds here',
    until Nullable(DateTime64(3, 'UTC')) COMMENT 'When another one came; null: it holds now',
    epoch UInt32 COMMENT 'Number of the history that is written under it'
)
AS
SELECT
    hash, name, source, recorded_at,
    nullIf(leadInFrame(recorded_at) OVER (ORDER BY recorded_at, hash ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING),
        toDateTime64(0, 3, 'UTC')) AS until,
    epoch
FROM {database}.models_store FINAL
COMMENT 'One row per version of the model that has made rows here';

-- What ends each stage when nothing more is heard, as the model says.
CREATE TABLE IF NOT EXISTS {database}.stages_store {on_cluster}
(
    stage LowCardinality(String) COMMENT 'Status of a journey',
    lasts_ms Nullable(Int64) COMMENT 'How long it holds after the last that was heard; null: until an event ends it',
    becomes Nullable(String) COMMENT 'What the journey is then assumed to be',
    plan LowCardinality(String) COMMENT 'What of the plan ends it where it is known: arrival, departure or none',
    grace_ms Int64 COMMENT 'How long after the planned day it still holds',
    version Int64 COMMENT 'When it was said, epoch milliseconds'
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY stage
COMMENT 'What ends the stages of journeys, every version; read it through the view stages';

-- Those of Rihla (streams/model/stages.toml) hold until a model says otherwise.
CREATE OR REPLACE VIEW {database}.stages {on_cluster}
(
    stage String COMMENT 'Status of a journey',
    lasts_ms Nullable(Int64) COMMENT 'How long it holds after the last that was heard; null: until an event ends it',
    becomes Nullable(String) COMMENT 'What the journey is then assumed to be',
    plan String COMMENT 'What of the plan ends it where it is known: arrival, departure or none',
    grace_ms Int64 COMMENT 'How long after the planned day it still holds'
)
AS
SELECT stage, said.1 AS lasts_ms, said.2 AS becomes, said.3 AS plan, said.4 AS grace_ms
FROM
(
    SELECT stage, argMax((lasts_ms, becomes, plan, grace_ms), version) AS said
    FROM
    (
        SELECT toString(stage) AS stage, lasts_ms, becomes, toString(plan) AS plan, grace_ms, version FROM {database}.stages_store
        UNION ALL
        SELECT stage, lasts_ms, becomes, plan, grace_ms, toInt64(0) AS version
        FROM values('stage String, lasts_ms Nullable(Int64), becomes Nullable(String), plan String, grace_ms Int64',
            ('exploring', 2592000000, 'dormant', 'none', 86400000),
            ('booked', 34560000000, 'lapsed', 'departure', 259200000),
            ('checked_in', 2592000000, 'completed', 'departure', 86400000),
            ('in_stay', 2592000000, 'completed', 'departure', 86400000))
    )
    GROUP BY stage
)
COMMENT 'What ends each stage of a journey when nothing more is heard';

-- What a booking's events say of its plan: of each, the latest that can be read.
CREATE OR REPLACE VIEW {database}.plans {on_cluster}
(
    booking_ref String COMMENT 'Booking reference',
    arrival Nullable(Date32) COMMENT 'Planned day of arrival',
    nights Nullable(Int64) COMMENT 'Nights booked'
)
AS
SELECT
    assumeNotNull(booking_ref) AS booking_ref,
    argMaxIf(toDate32OrNull(arrival_date), (occurred_at, event_id), is_day) AS arrival,
    argMaxIf(nights, (occurred_at, event_id), nights BETWEEN 0 AND 1000) AS nights
FROM
(
    SELECT booking_ref, arrival_date, nights, occurred_at, event_id,
        ifNull(match(arrival_date, '^(19[3-9][0-9]|20[0-9][0-9]|21[0-9][0-9])-[0-9][0-9]-[0-9][0-9]$')
            AND toString(toDate32OrNull(arrival_date)) = arrival_date, false) AS is_day
    FROM {database}.interactions_store FINAL
    WHERE booking_ref IS NOT NULL AND (arrival_date IS NOT NULL OR nights IS NOT NULL)
        AND (subject, event_id, epoch) NOT IN (SELECT subject, event_id, epoch FROM {database}.left_out)
)
GROUP BY booking_ref
COMMENT 'One row per booking reference: when the guest is to arrive, and for how many nights';

-- What holds now. The view journeys keeps what the events say (`status`); from that, the plan and the clock follow:
--
-- held     the status, but for a cancellation or no-show of a guest who had come: that undoes no stay, unless the journey
--          was confirmed again in between. Cancelled, the stay is over; reported as a no-show, it is what it was.
-- ends_at  where the plan's day is known, and nothing shows that it was not kept to: the end of that day, UTC, and the
--          grace; else the last event and what the model gives the stage. Null: the stage holds until an event ends it.
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
    toDateTime64(planned_day + toIntervalDay(1), 3, 'UTC') + toIntervalMillisecond(s.grace_ms) AS planned_end
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
SETTINGS join_use_nulls = 1
COMMENT 'One row per journey: what the events say of it, and what holds now';
