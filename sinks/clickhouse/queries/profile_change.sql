-- Profiles at the beginning and at the end of a span
--
-- Who became what: of the customers who were heard of in the span, the profile at its beginning and at its end. Where a
-- span ends after the last event of a customer, the profile is that of the table of customers; in between it is that of the
-- last move before (view moves), and non_committal before the first.
--
-- columns:
--   segment          all, or the customer_id
--   from_profile     Profile at the beginning; new: nothing had been heard of them
--   to_profile       Profile at the end
--   customers        Customers
-- parameters:
--   by String = all                                       all, or customer: who they are
--   {clocks}
--   {filters}
--   from_profile String =                                 Only those with this profile at the beginning
--   to_profile String =                                   Only those with this profile at the end
--   limit UInt32 = 10000                                  Most rows
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       The beginning
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       The end: the first moment no longer counted
SELECT
    multiIf({by:String} = 'all', 'all', {by:String} = 'customer', p.customer_id,
        toString(throwIf(1, 'by is one of: all, customer'))) AS segment,
    p.began AS from_profile,
    p.ended AS to_profile,
    count() AS customers
FROM
(
    SELECT
        c.customer_id AS customer_id,
        multiIf(
            c.first_event_at >= {since:DateTime64(3,'UTC')}, 'new',
            c.last_event_at < {since:DateTime64(3,'UTC')}, toString(c.profile),
            ifNull(m.before, '') != '', assumeNotNull(m.before),
            'non_committal') AS began,
        multiIf(
            c.last_event_at < {until:DateTime64(3,'UTC')}, toString(c.profile),
            ifNull(m.after, '') != '', assumeNotNull(m.after),
            'non_committal') AS ended
    FROM (SELECT customer_id, profile, first_event_at, last_event_at FROM customers) AS c
    LEFT ANY JOIN
    (
        SELECT
            customer_id,
            argMaxIf(toString(to_profile), (occurred_at, event_id), occurred_at < {since:DateTime64(3,'UTC')}) AS before,
            argMaxIf(toString(to_profile), (occurred_at, event_id), occurred_at < {until:DateTime64(3,'UTC')}) AS after
        FROM moves
        GROUP BY customer_id
    ) AS m ON m.customer_id = c.customer_id
    WHERE c.customer_id IN
    (
        SELECT i.customer_id
        FROM interactions AS i
        {filter_joins}
        WHERE i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')} AND {fits}
    )
) AS p
WHERE ({from_profile:String} = '' OR p.began = {from_profile:String}) AND ({to_profile:String} = '' OR p.ended = {to_profile:String})
GROUP BY segment, from_profile, to_profile
ORDER BY
    indexOf(['new', 'negative', 'non_committal', 'advocate'], from_profile),
    indexOf(['negative', 'non_committal', 'advocate'], to_profile),
    segment
LIMIT {limit:UInt32}
