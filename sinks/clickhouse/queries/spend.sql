-- Money: booked, kept, lost
--
-- What was agreed or paid, what of it is kept, and what was lost by cancellations, no-shows and refunds (view journey_spend),
-- each currency for itself, in major units. With a reporting currency, all in that one, at the rate (rihla rates load) of the
-- day of a journey's first amount; journeys for which there is none are in rows of their own currency.
--
-- columns:
--   segment          Value of what is grouped by; empty where it is not known
--   currency         ISO 4217
--   journeys         Journeys with money in that currency
--   booked           What was agreed or paid
--   kept             Of this, what is kept
--   lost             Of this, what is not
--   cancelled        Of what was lost, by cancellations
--   no_show          Of what was lost, by no-shows
--   kept_share       kept of booked, per cent; null where nothing was booked
-- parameters:
--   by String = all                                       What to group by: all, status, unit, brand, region, month, customer
--   {clocks}
--   currency String =                                     Reporting currency, ISO 4217; empty: each for itself
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First amount of a journey counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First amount of a journey no longer counted
SELECT
    multiIf(
        {by:String} = 'all', 'all',
        {by:String} = 'status', toString(s.status),
        {by:String} = 'unit', ifNull(toString(w.attributed_unit), ''),
        {by:String} = 'brand', ifNull(u.brand, ''),
        {by:String} = 'region', ifNull(u.region, ''),
        {by:String} = 'month', formatDateTime(s.first_at, '%Y-%m', {zone}),
        {by:String} = 'customer', s.customer_id,
        toString(throwIf(1, 'by is one of: all, status, unit, brand, region, month, customer'))) AS segment,
    s.told_in AS currency,
    count() AS journeys,
    sum(s.booked_) AS booked,
    sum(s.kept_) AS kept,
    sum(s.lost_) AS lost,
    sumIf(s.lost_, s.status = 'cancelled') AS cancelled,
    sumIf(s.lost_, s.status = 'no_show') AS no_show,
    round(100 * toFloat64(kept) / nullIf(toFloat64(booked), 0), 1) AS kept_share
FROM
(
    SELECT
        j.*,
        if(x.rate > 0 AND x.rate <= 1e12, {currency:String}, toString(j.currency)) AS told_in,
        if(x.rate > 0 AND x.rate <= 1e12, toDecimal128(toInt128(round(toFloat64(j.spend_booked) * x.rate * 10000)), 4) / 10000, j.spend_booked) AS booked_,
        if(x.rate > 0 AND x.rate <= 1e12, toDecimal128(toInt128(round(toFloat64(j.spend_kept) * x.rate * 10000)), 4) / 10000, j.spend_kept) AS kept_,
        if(x.rate > 0 AND x.rate <= 1e12, toDecimal128(toInt128(round(toFloat64(j.spend_lost) * x.rate * 10000)), 4) / 10000, j.spend_lost) AS lost_
    FROM (SELECT *, toString(currency) AS code FROM journey_spend) AS j
    LEFT ASOF JOIN (SELECT currency, valid_from, rate FROM exchange WHERE into = {currency:String}) AS x
        ON x.currency = j.code AND x.valid_from <= j.first_at
) AS s
LEFT ANY JOIN
    (
        SELECT journey_id, attributed_unit FROM journeys_attributed
        WHERE {by:String} IN ('unit', 'brand', 'region') OR ({by:String} = 'month' AND {clock_joined})
    ) AS w
    ON w.journey_id = s.journey_id
LEFT ASOF JOIN
(
    SELECT unit, valid_from, brand, region, timezone FROM unit_places
    WHERE {by:String} IN ('brand', 'region') OR ({by:String} = 'month' AND {clock_joined})
) AS u
    ON u.unit = ifNull(toString(w.attributed_unit), '') AND u.valid_from <= s.first_at
WHERE throwIf({currency:String} NOT IN (SELECT '' UNION ALL SELECT currency FROM currencies),
        'currency is an ISO 4217 code in capitals: SAR') = 0
    AND s.first_at >= {since:DateTime64(3,'UTC')} AND s.first_at < {until:DateTime64(3,'UTC')}
GROUP BY segment, currency
ORDER BY currency, booked DESC, segment
