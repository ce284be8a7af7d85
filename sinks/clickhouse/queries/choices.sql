-- What figures can be held to
--
-- The values of the filters that the interactions have, the most frequent first, and when the last interaction was.
--
-- columns:
--   filter           unit, brand, country or medium; all: all interactions
--   value            Value of it; empty for all
--   interactions     Interactions that have it
--   last_at          The latest
-- parameters:
--   limit UInt32 = 200        Most values of each
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
ORDER BY filter, interactions DESC, value
LIMIT {limit:UInt32} BY filter
