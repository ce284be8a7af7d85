-- What a stay that was had brought in is kept, whatever was cancelled after it, as in journeys_now: 800 paid, stayed, and cancelled
-- a day after the check-out was 800 lost. And money given back for a part of a booking says nothing about the rest: of three
-- rooms of which one was cancelled and given back, and the others not shown up, the charge is kept, as without the part.
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
    if(ended AND back_for_all = 0, charged, paid - back) AS kept,
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
        any(j.ended) AS ended,
        sumIf(toInt128(assumeNotNull(i.money.amount_minor)), i.money.amount_minor > 0) AS paid,
        -sumIf(toInt128(assumeNotNull(i.money.amount_minor)), i.money.amount_minor < 0) AS back,
        -sumIf(toInt128(assumeNotNull(i.money.amount_minor)), i.money.amount_minor < 0
            AND i.touchpoint != 'booking.part_cancelled') AS back_for_all,
        sumIf(toInt128(assumeNotNull(i.money.amount_minor)), i.money.amount_minor > 0 AND j.ended AND i.occurred_at >= j.ended_at
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
            toDateTime64(0, 3, 'UTC') AS never,
            greatest(ifNull(arrived_at, never), ifNull(checked_out_at, never)) AS came_at,
            status IN ('cancelled', 'no_show') AND (came_at = never OR ifNull(booked_at, never) > came_at) AS ended,
            if(status = 'cancelled', ifNull(cancelled_at, never), ifNull(no_show_at, never)) AS ended_at
        FROM {database}.journeys
    ) AS j ON j.journey_id = i.journey_id AND j.customer_id = i.customer_id
    GROUP BY j.customer_id, journey_id, currency
)
COMMENT 'One row per journey and currency: what was booked, kept and lost';
