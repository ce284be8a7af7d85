-- How the customers came to the profiles that they have, to the last one: for each profile, the sum of `customers` is the
-- number of customers that have it (in the table of customers: at their last event). By whom a change was made:
--
-- began        A customer who exists begins as non-committal, at the first event.
-- observed     A move: an event took the customer over a bound (view moves).
-- merged       Identifiers were joined or parted: the moves of who is no customer any more are taken back, and a customer
--              of several identifiers has the profile of the sum of their events. Nobody saw a move.
-- unobserved   Of customers of one identifier: what moves do not tell, because state was rebuilt or events came late.
--
-- What only follows from the clock, that an opinion has faded since the last event, is in customers_now.
CREATE OR REPLACE VIEW {database}.profile_flow {on_cluster}
(
    customer_id String COMMENT 'Who; of moves: as known at that moment',
    cause LowCardinality(String) COMMENT 'began, observed, merged or unobserved',
    at Nullable(DateTime64(3, 'UTC')) COMMENT 'When; null where nobody saw it',
    profile LowCardinality(String) COMMENT 'Profile that was entered or left',
    customers Int64 COMMENT 'More (above 0) or fewer (below 0) customers in that profile'
)
AS
WITH
    seen AS
    (
        SELECT customer_id, occurred_at, side.1 AS profile, side.2 AS customers
        FROM
        (
            SELECT
                customer_id, occurred_at,
                arrayJoin([(toString(to_profile), toInt64(1)), (toString(from_profile), toInt64(-1))]) AS side
            FROM {database}.moves_store FINAL
        )
    ),
    people AS
    (
        SELECT customer_id, first_event_at, toString(profile) AS profile FROM {database}.customers_store FINAL
    )
SELECT customer_id, 'began' AS cause, toNullable(first_event_at) AS at, 'non_committal' AS profile, toInt64(1) AS customers
FROM people
UNION ALL
SELECT customer_id, 'observed' AS cause, toNullable(occurred_at) AS at, profile, customers FROM seen
UNION ALL
SELECT
    customer_id,
    if(customer_id NOT IN (SELECT customer_id FROM people)
        OR customer_id IN (SELECT customer_id FROM {database}.identities_store FINAL GROUP BY customer_id HAVING count() > 1),
        'merged', 'unobserved') AS cause,
    CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS at,
    profile,
    sum(customers) AS customers
FROM
(
    SELECT customer_id, profile, toInt64(1) AS customers FROM people
    UNION ALL
    SELECT customer_id, 'non_committal' AS profile, toInt64(-1) AS customers FROM people
    UNION ALL
    SELECT customer_id, profile, -customers AS customers FROM seen
)
GROUP BY customer_id, profile
HAVING customers != 0
COMMENT 'Every change that led to the profiles of customers as they are stored; sums to them';
