-- FINAL keeps the current version of each journey and leaves out what is withdrawn.
CREATE OR REPLACE VIEW {database}.journeys {on_cluster}
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
    cases_resolved Int64 COMMENT 'Cases resolved in the journey'
)
AS
SELECT
    journey_id, customer_id, booking_ref, kind, status, started_at, last_event_at, span_start, span_end, booked_at,
    cancelled_at, no_show_at, checked_in_at, arrived_at, checked_out_at, interactions, booking_interactions,
    check_in_interactions, stay_interactions, post_travel_interactions, score_sum, score_count, lowest_score,
    lowest_touchpoint, nps, csat, ces, stars, spend, cases_opened, cases_resolved
FROM {database}.journeys_store FINAL
COMMENT 'One row per journey: a booking with all that happened around it, or a visit';
