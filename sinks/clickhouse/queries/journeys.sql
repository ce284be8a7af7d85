-- Journeys, latest first
--
-- What happened lately, one row a journey: stage, contacts, mood and lowest point.
--
-- columns:
--   journey_id           The journey
--   customer_id          Whose it is
--   status               Where it stands by its latest milestone
--   status_now           What holds now: the model ends stages of which nothing more is heard (view journeys_now)
--   started_at           First event
--   last_event_at        Last event
--   interactions         Contacts on all channels
--   sentiment            Mean score of its interactions, -1 to 1
--   lowest_score         Its lowest score
--   lowest_touchpoint    Where that was
--   nps                  Latest NPS answer
--   cases_open           Cases opened and not resolved
-- parameters:
--   customer String =          A customer_id; empty for all customers
--   status String =            A status (exploring, booked, cancelled, no_show, checked_in, in_stay, completed); empty for all
--   now String =               A status_now; empty for all
--   limit UInt32 = 20          Most rows
SELECT
    journey_id,
    customer_id,
    status,
    status_now,
    started_at,
    last_event_at,
    interactions,
    round(score_sum / nullIf(score_count, 0), 3) AS sentiment,
    lowest_score,
    lowest_touchpoint,
    nps,
    cases_opened - cases_resolved AS cases_open
FROM journeys_now
WHERE ({customer:String} = '' OR customer_id = {customer:String}) AND ({status:String} = '' OR status = {status:String})
    AND ({now:String} = '' OR status_now = {now:String})
ORDER BY last_event_at DESC, journey_id
LIMIT {limit:UInt32}
