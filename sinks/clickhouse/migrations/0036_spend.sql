-- Money for people: in major units, and apart what was kept and what was lost.
CREATE OR REPLACE VIEW {database}.currencies {on_cluster}
(
    currency String COMMENT 'ISO 4217',
    digits UInt8 COMMENT 'Decimal places of its minor unit: 2 for most, 3 for KWD, none for JPY'
)
AS
SELECT * FROM values('currency String, digits UInt8',
    ('AED', 2), ('AFN', 2), ('ALL', 2), ('AMD', 2), ('AOA', 2), ('ARS', 2), ('AUD', 2), ('AWG', 2), ('AZN', 2),
    ('BAM', 2), ('BBD', 2), ('BDT', 2), ('BGN', 2), ('BHD', 3), ('BIF', 0), ('BMD', 2), ('BND', 2), ('BOB', 2),
    ('BOV', 2), ('BRL', 2), ('BSD', 2), ('BTN', 2), ('BWP', 2), ('BYN', 2), ('BZD', 2), ('CAD', 2), ('CDF', 2),
    ('CHE', 2), ('CHF', 2), ('CHW', 2), ('CLF', 4), ('CLP', 0), ('CNY', 2), ('COP', 2), ('COU', 2), ('CRC', 2),
    ('CUP', 2), ('CVE', 2), ('CZK', 2), ('DJF', 0), ('DKK', 2), ('DOP', 2), ('DZD', 2), ('EGP', 2), ('ERN', 2),
    ('ETB', 2), ('EUR', 2), ('FJD', 2), ('FKP', 2), ('GBP', 2), ('GEL', 2), ('GHS', 2), ('GIP', 2), ('GMD', 2),
    ('GNF', 0), ('GTQ', 2), ('GYD', 2), ('HKD', 2), ('HNL', 2), ('HTG', 2), ('HUF', 2), ('IDR', 2), ('ILS', 2),
    ('INR', 2), ('IQD', 3), ('IRR', 2), ('ISK', 0), ('JMD', 2), ('JOD', 3), ('JPY', 0), ('KES', 2), ('KGS', 2),
    ('KHR', 2), ('KMF', 0), ('KPW', 2), ('KRW', 0), ('KWD', 3), ('KYD', 2), ('KZT', 2), ('LAK', 2), ('LBP', 2),
    ('LKR', 2), ('LRD', 2), ('LSL', 2), ('LYD', 3), ('MAD', 2), ('MDL', 2), ('MGA', 2), ('MKD', 2), ('MMK', 2),
    ('MNT', 2), ('MOP', 2), ('MRU', 2), ('MUR', 2), ('MVR', 2), ('MWK', 2), ('MXN', 2), ('MXV', 2), ('MYR', 2),
    ('MZN', 2), ('NAD', 2), ('NGN', 2), ('NIO', 2), ('NOK', 2), ('NPR', 2), ('NZD', 2), ('OMR', 3), ('PAB', 2),
    ('PEN', 2), ('PGK', 2), ('PHP', 2), ('PKR', 2), ('PLN', 2), ('PYG', 0), ('QAR', 2), ('RON', 2), ('RSD', 2),
    ('RUB', 2), ('RWF', 0), ('SAR', 2), ('SBD', 2), ('SCR', 2), ('SDG', 2), ('SEK', 2), ('SGD', 2), ('SHP', 2),
    ('SLE', 2), ('SOS', 2), ('SRD', 2), ('SSP', 2), ('STN', 2), ('SYP', 2), ('SZL', 2), ('THB', 2), ('TJS', 2),
    ('TMT', 2), ('TND', 3), ('TOP', 2), ('TRY', 2), ('TTD', 2), ('TWD', 2), ('TZS', 2), ('UAH', 2), ('UGX', 0),
    ('USD', 2), ('USN', 2), ('UYI', 0), ('UYU', 2), ('UYW', 4), ('UZS', 2), ('VES', 2), ('VND', 0), ('VUV', 0),
    ('WST', 2), ('XAF', 0), ('XCD', 2), ('XCG', 2), ('XOF', 0), ('XPF', 0), ('YER', 2), ('ZAR', 2), ('ZMW', 2),
    ('ZWG', 2))
COMMENT 'The currencies of ISO 4217 and their minor units; any other counts as having two';
-- What was booked, kept and lost of a journey (docs/metrics.md):
--
-- booked  what was agreed or paid: the amounts above 0, but for those charged because of a cancellation or no-show
-- kept    of a journey that is neither cancelled nor a no-show: all amounts, refunds negative. Of one that is: where money
--         was given back, all amounts, too, for then it had been paid; else what was charged for it, from its time on. An
--         amount that was agreed and neither paid back nor charged was never had.
-- lost    booked less kept
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
        any(j.customer_id) AS customer_id,
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
        SELECT journey_id, occurred_at, touchpoint, money FROM {database}.interactions
        WHERE money.amount_minor IS NOT NULL AND money.currency IS NOT NULL AND journey_id IS NOT NULL
    ) AS i
    INNER JOIN
    (
        SELECT
            journey_id, customer_id, status,
            multiIf(status = 'cancelled', assumeNotNull(cancelled_at), status = 'no_show', assumeNotNull(no_show_at),
                toDateTime64('2200-01-01', 3, 'UTC')) AS ended_at
        FROM {database}.journeys
    ) AS j ON j.journey_id = i.journey_id
    GROUP BY journey_id, currency
)
COMMENT 'One row per journey and currency: what was booked, kept and lost';
-- What customers spent, for the queries that sort them by it: the sum of journeys where it is kept anyway, which takes no
-- look at interactions, and of the others what journey_spend says.
CREATE OR REPLACE VIEW {database}.customer_spend {on_cluster}
(
    customer_id String COMMENT 'Customer',
    spend Map(String, Decimal(38, 4)) COMMENT 'What was kept of their money, by currency, in major units'
)
AS
SELECT customer_id, mapSort(CAST((groupArray(currency), groupArray(kept)), 'Map(String, Decimal(38, 4))')) AS spend
FROM
(
    SELECT customer_id, currency, sum(kept) AS kept
    FROM
    (
        SELECT
            customer_id,
            toString(one.1) AS currency,
            toDecimal128(one.2, 4) / toInt64(exp10(transform(currency,
                ['BHD', 'BIF', 'CLF', 'CLP', 'DJF', 'GNF', 'IQD', 'ISK', 'JOD', 'JPY', 'KMF', 'KRW', 'KWD', 'LYD', 'OMR', 'PYG', 'RWF', 'TND', 'UGX', 'UYI', 'UYW', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'],
                [3, 0, 4, 0, 0, 0, 3, 0, 3, 0, 0, 0, 3, 3, 3, 0, 0, 3, 0, 0, 4, 0, 0, 0, 0, 0], 2))) AS kept
        FROM {database}.journeys
        ARRAY JOIN CAST(spend, 'Array(Tuple(String, Int64))') AS one
        WHERE status NOT IN ('cancelled', 'no_show')
        UNION ALL
        SELECT customer_id, toString(currency) AS currency, spend_kept AS kept
        FROM {database}.journey_spend
        WHERE status IN ('cancelled', 'no_show')
    )
    GROUP BY customer_id, currency
)
GROUP BY customer_id
COMMENT 'What was kept of each customer''s money, by currency';
