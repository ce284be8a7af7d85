-- Journeys, every version, withdrawn ones included.
CREATE TABLE IF NOT EXISTS {database}.journeys_store {on_cluster}
(
    journey_id String COMMENT 'customer_id/booking_ref, or customer_id/visit/START-EVENT' CODEC(ZSTD(1)),
    customer_id String COMMENT 'Whose journey it is' CODEC(ZSTD(1)),
    booking_ref Nullable(String) COMMENT 'Booking reference; null for a visit' CODEC(ZSTD(1)),
    kind LowCardinality(String) COMMENT 'booking or visit',
    status LowCardinality(String) COMMENT 'Where the journey stands, by its latest milestone',
    started_at DateTime64(3, 'UTC') COMMENT 'First event' CODEC(Delta(8), ZSTD(1)),
    last_event_at DateTime64(3, 'UTC') COMMENT 'Last event' CODEC(Delta(8), ZSTD(1)),
    span_start Nullable(DateTime64(3, 'UTC')) COMMENT 'First event that carries the booking_ref' CODEC(Delta(8), ZSTD(1)),
    span_end Nullable(DateTime64(3, 'UTC')) COMMENT 'Last event that carries the booking_ref' CODEC(Delta(8), ZSTD(1)),
    booked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest booking.confirmed' CODEC(Delta(8), ZSTD(1)),
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest booking.cancelled' CODEC(Delta(8), ZSTD(1)),
    no_show_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest check_in.no_show' CODEC(Delta(8), ZSTD(1)),
    checked_in_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest check_in.completed' CODEC(Delta(8), ZSTD(1)),
    arrived_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest stay.arrived' CODEC(Delta(8), ZSTD(1)),
    checked_out_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest stay.checked_out' CODEC(Delta(8), ZSTD(1)),
    interactions Int64 COMMENT 'Interactions of all channels' CODEC(T64, LZ4),
    booking_interactions Int64 COMMENT 'Interactions of channel booking' CODEC(T64, LZ4),
    check_in_interactions Int64 COMMENT 'Interactions of channel check_in' CODEC(T64, LZ4),
    stay_interactions Int64 COMMENT 'Interactions of channel stay' CODEC(T64, LZ4),
    post_travel_interactions Int64 COMMENT 'Interactions of channel post_travel' CODEC(T64, LZ4),
    score_sum Float64 COMMENT 'Sum of the scores of its interactions',
    score_count Int64 COMMENT 'Interactions that have a score' CODEC(T64, LZ4),
    lowest_score Nullable(Float64) COMMENT 'Lowest score, the low point of the journey',
    lowest_touchpoint LowCardinality(Nullable(String)) COMMENT 'Touchpoint of the lowest score',
    nps Nullable(Float64) COMMENT 'Latest NPS answer, 0 to 10',
    csat Nullable(Float64) COMMENT 'Latest CSAT answer, 1 to 5',
    ces Nullable(Float64) COMMENT 'Latest CES answer, 1 to 7, high is easy',
    stars Nullable(Float64) COMMENT 'Latest stars, 1 to 5',
    spend Map(LowCardinality(String), Int64) COMMENT 'Sum of money by currency, minor units (cents); refunds count negative',
    cases_opened Int64 COMMENT 'Cases opened in the journey' CODEC(T64, LZ4),
    cases_resolved Int64 COMMENT 'Cases resolved in the journey' CODEC(T64, LZ4),
    version UInt64 COMMENT 'epoch * 2^44 + version of the record: the highest of a key is current' CODEC(ZSTD(1)),
    withdrawn UInt8 COMMENT '1: ceased to exist, because its parts turned out to be somebody else''s'
)
ENGINE = {replicated}ReplacingMergeTree(version, withdrawn)
ORDER BY journey_id
COMMENT 'Journeys, every version; read them through the view journeys';
