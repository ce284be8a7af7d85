-- Net flow between the profiles, by week
--
-- How many customers came to each profile and left it, and by whom: whether advocates are gained or lost, week by week. Profiles are of people and of no unit: weeks are those of one clock for all.
-- Without a window, the columns of the profiles sum to the customers that the query profiles counts, to the last one, with
-- the same as_of. The view profile_flow has every change, customer by customer.
--
--   began        New customers, by their first event: everybody begins as non-committal
--   observed     Moves: an event took a customer over the bound of a profile
--   merged       Identifiers were joined or parted, and opinions with them; also, the moves of who is no customer any more
--                are taken back
--   unobserved   What moves do not tell of other customers: state was rebuilt, or events came late
--   faded        Opinions that faded since the last event; only with as_of=now
--
-- columns:
--   week             Monday of the week; null where nobody saw when: such rows are there only without a window
--   cause            began, observed, merged, unobserved or faded
--   moves            Customers who came to a profile
--   negative         Customers gained by the negative profile, less those lost
--   non_committal    The same of the non-committal
--   advocate         The same of the advocates
-- parameters:
--   as_of String = last_event                             last_event: profiles at the last event; now: by the server's clock
--   {clocks}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    toMonday(toDate(formatDateTime(f.at, '%Y-%m-%d', if({timezone:String} != '', {timezone:String}, {elsewhere:String})))) AS week,
    f.cause AS cause,
    sumIf(f.customers, f.customers > 0) AS moves,
    sumIf(f.customers, f.profile = 'negative') AS negative,
    sumIf(f.customers, f.profile = 'non_committal') AS non_committal,
    sumIf(f.customers, f.profile = 'advocate') AS advocate
FROM
(
    SELECT cause, at, profile, customers FROM profile_flow
    UNION ALL
    SELECT 'faded' AS cause, NULL AS at, side.1 AS profile, side.2 AS customers
    FROM
    (
        SELECT arrayJoin([(toString(profile_now), toInt64(1)), (toString(profile), toInt64(-1))]) AS side
        FROM customers_now
        WHERE {as_of:String} = 'now' AND profile_now != profile
    )
) AS f
WHERE ({as_of:String} IN ('last_event', 'now') OR throwIf(1, 'as_of is one of: last_event, now'))
    -- Without a moment it belongs to no window: only the default one reaches until 2200.
    AND ifNull(f.at, toDateTime64('2199-12-31', 3, 'UTC')) >= {since:DateTime64(3,'UTC')}
    AND ifNull(f.at, toDateTime64('2199-12-31', 3, 'UTC')) < {until:DateTime64(3,'UTC')}
GROUP BY week, cause
ORDER BY week ASC NULLS LAST, indexOf(['began', 'observed', 'merged', 'unobserved', 'faded'], cause)
