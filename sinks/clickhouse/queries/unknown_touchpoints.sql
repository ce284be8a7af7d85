-- Touchpoints that the catalogue does not know, by how often they come
--
-- Their events are stored and counted, but have no sentiment, no effort and no milestone of their own. A near name of the
-- catalogue is what was probably meant: mend the source or its mapping. The others can be added to the catalogue.
--
-- columns:
--   touchpoint     Name, as the source writes it
--   channel        Channel of its events
--   events         How many
--   first_at       When the first happened
--   last_at        When the last happened
--   did_you_mean   Up to three names of the catalogue that are near, with their channel or without, the nearest first
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First event counted
--   limit UInt32 = 100                                    Most rows
WITH
    {catalogue} AS known,
    replaceRegexpAll(lower(substring(touchpoint, 1, 100)), '[^a-z0-9]+', '_') AS said,
    arrayMap(
        name ->
            (
                least(
                    editDistance(replaceOne(name, '.', '_'), said),
                    editDistance(substring(name, position(name, '.') + 1), said)
                ),
                name
            ),
        known
    ) AS distances
SELECT
    toString(touchpoint) AS touchpoint,
    toString(channel) AS channel,
    events,
    first_at,
    last_at,
    arrayMap(near -> near.2, arraySlice(arraySort(arrayFilter(near -> near.1 <= length(said) / 5, distances)), 1, 3))
        AS did_you_mean
FROM
(
    SELECT touchpoint, channel, count() AS events, min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM interactions
    WHERE occurred_at >= {since:DateTime64(3,'UTC')} AND touchpoint NOT IN {catalogue}
    GROUP BY touchpoint, channel
    ORDER BY events DESC, touchpoint, channel
    LIMIT {limit:UInt32}
)
ORDER BY events DESC, touchpoint, channel
