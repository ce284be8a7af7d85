-- What figures can be held to
--
-- The values of the filters that the interactions have, the most frequent first, and when the last interaction was.
--
-- columns:
--   filter           unit, brand, country or medium; all: all interactions; segment and group, of customers
--   value            Value of it; empty for all
--   interactions     Interactions that have it; of a segment or a group, customers
--   last_at          The latest; when the last of them came to the segment or the group
-- parameters:
--   limit UInt32 = 200        Most values of each
SELECT filter, value, interactions, last_at
FROM
(
    SELECT
        one.1 AS filter,
        one.2 AS value,
        count() AS interactions,
        max(i.occurred_at) AS last_at
    FROM interactions AS i
    LEFT ASOF JOIN (SELECT unit, valid_from, brand FROM unit_levels) AS u
        ON u.unit = toString(ifNull(i.unit, '')) AND u.valid_from <= i.occurred_at
    ARRAY JOIN [('all', ''), ('unit', toString(ifNull(i.unit, ''))), ('brand', ifNull(u.brand, '')),
        ('country', ifNull(toString(i.country), '')), ('medium', toString(i.medium))] AS one
    WHERE value != '' OR filter = 'all'
    GROUP BY filter, value
    UNION ALL
    SELECT 'segment' AS filter, toString(s.segment) AS value, count() AS interactions, max(s.occurred_at) AS last_at
    FROM segments AS s GROUP BY value
    UNION ALL
    SELECT 'group' AS filter, m.group_id AS value, uniqExact(m.customer_id) AS interactions, max(m.since) AS last_at
    FROM memberships AS m GROUP BY value
)
ORDER BY filter, interactions DESC, value
LIMIT {limit:UInt32} BY filter
