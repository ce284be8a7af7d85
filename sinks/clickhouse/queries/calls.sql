-- Journeys most worth a call
--
-- Whose journey went badly and can still be mended by somebody who calls: an open case first, then who was negative at
-- their last event, then
-- the lowest mean score. Journeys whose last event is in the span, with something that went badly.
--
-- columns:
--   journey_id           The journey
--   customer_id          Whose it is
--   status               Where it stands
--   last_event_at        Last event
--   cases_open           Cases opened and not resolved
--   profile              Profile of the customer, at their last event
--   sentiment            Mean score of its interactions, -1 to 1
--   lowest_touchpoint    Where its lowest score was
--   nps                  Latest NPS answer
-- parameters:
--   {clocks}
--   {filters}
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
--   limit UInt32 = 10                                     Most rows
SELECT
    j.journey_id AS journey_id,
    j.customer_id AS customer_id,
    j.status AS status,
    j.last_event_at AS last_event_at,
    j.cases_opened - j.cases_resolved AS cases_open,
    c.profile AS profile,
    round(j.score_sum / nullIf(j.score_count, 0), 3) AS sentiment,
    j.lowest_touchpoint AS lowest_touchpoint,
    j.nps AS nps
FROM journeys AS j
LEFT ANY JOIN (SELECT customer_id, toString(profile) AS profile FROM customers) AS c ON c.customer_id = j.customer_id
WHERE j.last_event_at >= {since:DateTime64(3,'UTC')} AND j.last_event_at < {until:DateTime64(3,'UTC')}
    AND (cases_open > 0 OR c.profile = 'negative' OR ifNull(sentiment < 0, 0))
    AND ({unfiltered} OR j.journey_id IN
    (
        SELECT assumeNotNull(i.journey_id)
        FROM interactions AS i
        {filter_joins}
        WHERE NOT {unfiltered} AND i.journey_id IS NOT NULL AND {fits}
    ))
ORDER BY cases_open > 0 DESC, c.profile = 'negative' DESC, sentiment IS NULL, sentiment, journey_id
LIMIT {limit:UInt32}
