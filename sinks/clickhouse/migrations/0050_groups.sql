-- Groups of travellers (docs/groups.md). Nothing is stored: each view is a function of the interactions and of who is who, as
-- they are known now, so what is said late, withdrawn, merged or split changes it as if it had been so from the beginning.
CREATE OR REPLACE VIEW {database}.memberships {on_cluster}
(
    customer_id String COMMENT 'Who',
    group_id String COMMENT 'Group, as group:ID',
    since DateTime64(3, 'UTC') COMMENT 'A member from then on',
    until Nullable(DateTime64(3, 'UTC')) COMMENT 'No longer a member at this time; null: no end is known',
    said_at DateTime64(3, 'UTC') COMMENT 'When the joining was said; where two hold at once, the one that began last counts, then the one said last',
    guide LowCardinality(String) COMMENT 'Guide; empty: not said',
    bus LowCardinality(String) COMMENT 'Bus',
    tent LowCardinality(String) COMMENT 'Tent',
    floor LowCardinality(String) COMMENT 'Floor of the hotel'
)
AS
SELECT
    customer_id, group_id, fromUnixTimestamp64Milli(period.1, 'UTC') AS since,
    if(period.2 = 9007199254740992, NULL, fromUnixTimestamp64Milli(period.2, 'UTC')) AS until,
    fromUnixTimestamp64Milli(period.3, 'UTC') AS said_at,
    period.4 AS guide, period.5 AS bus, period.6 AS tent, period.7 AS floor
FROM
(
    SELECT
        customer_id, group_id,
        maxIf(said, touchpoint = 'booking.group_withdrawn') AS void,
        groupArrayIf(coalesce(valid_until, said), touchpoint = 'booking.group_left') AS all_left,
        groupArrayIf(said, touchpoint = 'booking.group_left') AS all_left_said,
        groupUniqArrayIf(
            (coalesce(valid_from, said), coalesce(valid_until, 9007199254740992), said, guide, bus, tent, floor),
            touchpoint = 'booking.group_joined') AS joined,
        -- What was said until a withdrawal is void. A joining ends at its own end, or at the first leaving after it began.
        arrayFilter((at, told) -> told > void, all_left, all_left_said) AS lefts,
        arrayDistinct(arrayFilter(
            one -> one.2 > one.1,
            arrayMap(
                one -> (
                    one.1,
                    arrayMin(arrayPushBack(arrayFilter(at -> at > one.1, lefts), one.2)),
                    one.3, one.4, one.5, one.6, one.7),
                arrayFilter(one -> one.3 > void, joined)))) AS periods
    FROM
    (
        SELECT
            coalesce(
                nullIf(who.customer_id, ''),
                if(startsWith(i.subject, 'customer:'), substring(i.subject, 10), i.subject)
            ) AS customer_id,
            concat('group:', name) AS group_id,
            i.touchpoint AS touchpoint,
            toUnixTimestamp64Milli(i.occurred_at) AS said,
            i.attributes AS told,
            trimBoth(told['valid_from']) AS from_text,
            trimBoth(told['valid_until']) AS until_text,
            '^(19|20|21)[0-9][0-9]-[01][0-9]-[0-3][0-9](T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9][0-9][0-9])?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$' AS form,
            if(match(from_text, form), toUnixTimestamp64Milli(parseDateTime64BestEffortOrNull(from_text, 3, 'UTC')), NULL) AS valid_from,
            if(match(until_text, form), toUnixTimestamp64Milli(parseDateTime64BestEffortOrNull(until_text, 3, 'UTC')), NULL) AS valid_until,
            trimBoth(told['guide']) AS guide,
            trimBoth(told['bus']) AS bus,
            trimBoth(told['tent']) AS tent,
            trimBoth(told['floor']) AS floor
        FROM
        (
            SELECT subject, touchpoint, occurred_at, attributes, name FROM {database}.interactions_store FINAL
            ARRAY JOIN arrayDistinct(arrayMap(one -> one.value, arrayFilter(one -> one.kind = 'group', ids))) AS name
            WHERE touchpoint IN ('booking.group_joined', 'booking.group_left', 'booking.group_withdrawn')
                AND NOT startsWith(subject, 'group:')
                AND (subject, event_id, epoch) NOT IN (SELECT subject, event_id, epoch FROM {database}.left_out)
        ) AS i
        LEFT ANY JOIN
        (
            SELECT identifier, customer_id FROM {database}.identities_store FINAL
        ) AS who ON who.identifier = i.subject
    )
    GROUP BY customer_id, group_id
)
ARRAY JOIN periods AS period
COMMENT 'Who was a member of which group, since when and until when, and where in it';

-- Customers' own scores while they were members, one mean a customer and place: sums that add up in any order. What happened to
-- the group as a whole is not among them.
CREATE OR REPLACE VIEW {database}.group_cells {on_cluster}
(
    group_id String COMMENT 'Group, as group:ID',
    guide LowCardinality(String) COMMENT 'Guide; empty: not said',
    bus LowCardinality(String) COMMENT 'Bus',
    tent LowCardinality(String) COMMENT 'Tent',
    floor LowCardinality(String) COMMENT 'Floor of the hotel',
    customers UInt64 COMMENT 'Members who said something while they were there',
    interactions UInt64 COMMENT 'How often they did',
    score_sum Float64 COMMENT 'Sum of their mean scores',
    score_squares Float64 COMMENT 'Sum of the squares of their mean scores'
)
AS
SELECT
    group_id, place.1 AS guide, place.2 AS bus, place.3 AS tent, place.4 AS floor,
    count() AS customers, sum(said) AS interactions, sum(mean) AS score_sum, sum(mean * mean) AS score_squares
FROM
(
    SELECT
        m.group_id AS group_id, i.customer_id AS customer_id,
        tupleElement(arrayLast(one -> one.1 <= i.occurred_at AND i.occurred_at < one.3, m.periods), 4) AS place,
        count() AS said, sum(i.score * i.score_weight) / sum(i.score_weight) AS mean
    FROM
    (
        SELECT
            coalesce(
                nullIf(who.customer_id, ''),
                if(startsWith(s.subject, 'customer:'), substring(s.subject, 10), s.subject)
            ) AS customer_id,
            s.occurred_at AS occurred_at, assumeNotNull(s.score) AS score, assumeNotNull(s.score_weight) AS score_weight
        FROM
        (
            SELECT subject, occurred_at, score, score_weight FROM {database}.interactions_store FINAL
            WHERE score IS NOT NULL AND score_weight > 0 AND NOT startsWith(subject, 'group:')
                AND touchpoint != 'identity.linked'
                AND (subject, event_id, epoch) NOT IN (SELECT subject, event_id, epoch FROM {database}.left_out)
        ) AS s
        LEFT ANY JOIN
        (
            SELECT identifier, customer_id FROM {database}.identities_store FINAL
        ) AS who ON who.identifier = s.subject
    ) AS i
    INNER JOIN
    (
        SELECT
            customer_id, group_id,
            arraySort(groupArray((
                since, said_at, coalesce(until, toDateTime64('2299-12-31 00:00:00', 3, 'UTC')),
                (guide, bus, tent, floor)))) AS periods
        FROM {database}.memberships
        GROUP BY customer_id, group_id
    ) AS m ON m.customer_id = i.customer_id
    WHERE arrayExists(one -> one.1 <= i.occurred_at AND i.occurred_at < one.3, m.periods)
    GROUP BY group_id, customer_id, place
)
GROUP BY group_id, place
COMMENT 'Scores of members by group, guide, bus, tent and floor, as sums: what rihla radar reads';

CREATE OR REPLACE VIEW {database}.groups {on_cluster}
(
    group_id String COMMENT 'Group, as group:ID',
    customers UInt64 COMMENT 'Members, at whatever time',
    customers_now UInt64 COMMENT 'Members now',
    since Nullable(DateTime64(3, 'UTC')) COMMENT 'When the first membership begins',
    until Nullable(DateTime64(3, 'UTC')) COMMENT 'When the last one ends; null: no end is known',
    status_now LowCardinality(String) COMMENT 'planned, under_way, over, or no_members',
    interactions UInt64 COMMENT 'Events of the group',
    incidents UInt64 COMMENT 'Those of them with a score below 0',
    last_incident LowCardinality(String) COMMENT 'Touchpoint of the latest of these; empty: there was none',
    last_incident_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was',
    score_count UInt64 COMMENT 'Means of members that the sentiment rests on: one for each member and place in the group',
    sentiment Nullable(Float64) COMMENT 'Their mean, in [-1, 1]; null below ten',
    margin Nullable(Float64) COMMENT 'Half the width of its 95 % interval',
    worst_unit String COMMENT 'The guide, bus, tent or floor with the lowest mean of ten or more members, as kind name; empty: none. Whether it is to blame, rihla radar says'
)
AS
SELECT
    group_id, m.customers AS customers, m.customers_now AS customers_now,
    nullIf(m.begins_at, toDateTime64(0, 3, 'UTC')) AS since, m.ends_at AS until,
    multiIf(
        m.customers = 0, 'no_members', now64(3) < m.begins_at, 'planned', ifNull(m.ends_at <= now64(3), false), 'over',
        'under_way') AS status_now,
    e.interactions AS interactions, e.incidents AS incidents, e.last_incident AS last_incident,
    if(e.incidents = 0, NULL, e.last_incident_at) AS last_incident_at,
    c.count AS score_count,
    if(c.count < 10, NULL, c.total / c.count) AS sentiment,
    if(c.count < 10, NULL, 1.96 * sqrt(greatest(c.squares - c.total * c.total / c.count, 0) / (c.count - 1) / c.count)) AS margin,
    w.worst_unit AS worst_unit
FROM
(
    SELECT DISTINCT group_id FROM
    (
        SELECT group_id FROM {database}.memberships
        UNION ALL SELECT subject FROM {database}.interactions_store FINAL WHERE startsWith(subject, 'group:')
    )
) AS g
LEFT ANY JOIN
(
    SELECT
        group_id, uniqExact(customer_id) AS customers,
        uniqExactIf(customer_id, since <= now64(3) AND (until IS NULL OR now64(3) < until)) AS customers_now,
        min(since) AS begins_at, if(countIf(until IS NULL) > 0, NULL, max(until)) AS ends_at
    FROM {database}.memberships GROUP BY group_id
) AS m USING group_id
LEFT ANY JOIN
(
    SELECT
        subject AS group_id, count() AS interactions, countIf(ifNull(score < 0, false)) AS incidents,
        argMaxIf(touchpoint, (occurred_at, event_id), ifNull(score < 0, false)) AS last_incident,
        maxIf(occurred_at, ifNull(score < 0, false)) AS last_incident_at
    FROM {database}.interactions_store FINAL
    WHERE startsWith(subject, 'group:')
        AND (subject, event_id, epoch) NOT IN (SELECT subject, event_id, epoch FROM {database}.left_out)
    GROUP BY subject
) AS e USING group_id
LEFT ANY JOIN
(
    SELECT group_id, sum(customers) AS count, sum(score_sum) AS total, sum(score_squares) AS squares
    FROM {database}.group_cells GROUP BY group_id
) AS c USING group_id
LEFT ANY JOIN
(
    SELECT group_id, argMin(concat(place.1, ' ', place.2), (mean, place)) AS worst_unit
    FROM
    (
        SELECT group_id, place, sum(score_sum) / sum(customers) AS mean
        FROM {database}.group_cells
        ARRAY JOIN [('guide', guide), ('bus', bus), ('tent', tent), ('floor', floor)] AS place
        WHERE place.2 != ''
        GROUP BY group_id, place
        HAVING sum(customers) >= 10
    )
    GROUP BY group_id
) AS w USING group_id
COMMENT 'One row per group: size, status, incidents, sentiment with its margin, worst unit';
