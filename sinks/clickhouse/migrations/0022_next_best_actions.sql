-- What to do for each customer next, and why: rules in order, the first that holds for a customer is the best.
--
-- 1 call_about_case      A case is overdue: two days without an answer, or five days (since it was reopened) without a resolution.
-- 2 manager_call         The profile is negative, and money was spent: a manager calls.
-- 3 follow_up_detractor  The latest NPS (0 to 6), CSAT or stars (1, 2) of the last 30 days was bad, and nobody has answered since.
-- 4 tell_improvement     A case of the last 90 days was resolved, and the customer was not told of the improvement since.
-- 5 prepare_stay         A booking arrives within 60 days, and what the customer likes or needs was not said again with it.
-- 6 ask_for_review       An advocate of the last 90 days with a completed journey, who has neither recommended nor reviewed us.
--
-- Who wants no more messages (preference messages = no) is not asked for anything. Days count to the clock of the server.
CREATE OR REPLACE VIEW {database}.next_best_actions {on_cluster}
(
    customer_id String COMMENT 'Whom it concerns',
    priority UInt8 COMMENT 'Number of the rule: the lowest of a customer is the next best action',
    action LowCardinality(String) COMMENT 'call_about_case, manager_call, follow_up_detractor, tell_improvement, prepare_stay or ask_for_review',
    reason String COMMENT 'A sentence that says why',
    evidence String COMMENT 'What it rests on: case, survey answer, journey or figures'
)
AS
SELECT
    customer_id,
    todo.1 AS priority,
    todo.2 AS action,
    todo.3 AS reason,
    todo.4 AS evidence
FROM
(
    SELECT
        c.customer_id AS customer_id,
        arrayConcat(
            arrayMap(late -> (1, 'call_about_case',
                concat('Case ', late.1, if(late.2 = '', '', concat(' of ', late.2)), ' has been open for ', toString(late.3), ' days',
                    if(late.4, ', without any answer', ', answered but not resolved')),
                concat('case ', late.1)), k.overdue),
            if(c.profile = 'negative' AND notEmpty(j.spent), [(2, 'manager_call',
                concat('Feels badly about us (30-day sentiment ', toString(round(ifNull(c.sentiment_30d, 0), 2)), ') and has spent ',
                    arrayStringConcat(arrayMap((currency, minor) -> concat(toString(minor), ' ', currency),
                        mapKeys(j.spent), mapValues(j.spent)), ', '), ' (minor units)'),
                concat('profile negative, evidence ', toString(round(c.evidence, 1))))], []),
            if(s.bad_at > s.answered_at AND s.bad_at > now64(3) - INTERVAL 30 DAY AND s.bad_at = s.survey_at, [(3, 'follow_up_detractor',
                concat('Answered ', s.survey.1, ' with ', toString(s.survey.2), ' on ', toString(toDate(s.bad_at)),
                    if(s.survey.3 = '', '', concat(' about ', s.survey.3)), ', and nobody has answered since'),
                concat('event ', s.survey.4))], []),
            if(notEmpty(k.resolved) AND k.resolved[1].1 > s.told_at AND k.resolved[1].1 > now64(3) - INTERVAL 90 DAY, [(4, 'tell_improvement',
                concat('Case ', k.resolved[1].2, ' was resolved on ', toString(toDate(k.resolved[1].1)),
                    ', and the customer was not told what was improved'),
                concat('case ', k.resolved[1].2))], []),
            arrayMap(trip -> (5, 'prepare_stay',
                concat('Arrives on ', toString(trip.2), ' and has asked for or used before: ', arrayStringConcat(arrayMap(
                    known -> concat(known.key, if(known.value = 'yes', '', concat(' ', known.value)), ' (',
                        toString(known.evidence), 'x, last ', toString(toDate(known.last_at)), ')'),
                    arrayFilter(known -> known.last_at < trip.3 AND known.value != 'no' AND known.key NOT IN
                        ('language', 'meal_plan', 'room_type', 'messages'), c.preferences)), ', ')),
                concat('journey ', trip.1)),
                arrayFilter(trip -> arrayExists(known -> known.last_at < trip.3 AND known.value != 'no' AND known.key NOT IN
                    ('language', 'meal_plan', 'room_type', 'messages'), c.preferences), j.coming)),
            if(c.profile = 'advocate' AND j.completed > 0 AND c.last_event_at > now64(3) - INTERVAL 90 DAY AND s.spoke_at <= toDateTime64(0, 3, 'UTC')
                AND c.open_cases = 0 AND NOT arrayExists(known -> known.key = 'messages' AND known.value = 'no', c.preferences),
                [(6, 'ask_for_review',
                concat('An advocate (30-day sentiment ', toString(round(ifNull(c.sentiment_30d, 0), 2)), ') with ', toString(j.completed),
                    if(j.completed = 1, ' completed journey', ' completed journeys'), ' who has not recommended or reviewed us yet'),
                concat('profile advocate, evidence ', toString(round(c.evidence, 1))))], [])
        ) AS todos
    FROM {database}.customers_store AS c FINAL
    LEFT ANY JOIN
    (
        SELECT
            customer_id,
            arraySort(groupArrayIf(
                (case_id, ifNull(toString(unit), ''), dateDiff('day', assumeNotNull(since), now64(3)), first_response_at IS NULL),
                status = 'open' AND since IS NOT NULL
                AND (since < now64(3) - INTERVAL 5 DAY OR (first_response_at IS NULL AND since < now64(3) - INTERVAL 2 DAY)))) AS overdue,
            arrayReverseSort(groupArrayIf((assumeNotNull(resolved_at), case_id), status = 'resolved' AND resolved_at IS NOT NULL)) AS resolved
        FROM (SELECT *, ifNull(greatest(ifNull(opened_at, reopened_at), ifNull(reopened_at, opened_at)), NULL) AS since FROM {database}.cases_store FINAL)
        GROUP BY customer_id
    ) AS k ON k.customer_id = c.customer_id
    LEFT ANY JOIN
    (
        SELECT
            customer_id,
            mapFilter((currency, minor) -> minor > 0, CAST(sumMap(spend), 'Map(String, Int64)')) AS spent,
            countIf(status = 'completed') AS completed,
            arraySort(groupArrayIf((journey_id, arrives, assumeNotNull(booked_at)),
                status IN ('booked', 'checked_in') AND booked_at IS NOT NULL AND arrives >= today() AND arrives <= today() + 60)) AS coming
        FROM
        (
            SELECT t.*, ifNull(a.arrives, toDate(0)) AS arrives
            FROM {database}.journeys_store AS t FINAL
            LEFT ANY JOIN
            (
                SELECT booking_ref AS ref, argMax(toDateOrZero(ifNull(arrival_date, '')), (occurred_at, event_id)) AS arrives
                FROM {database}.interactions_store FINAL
                WHERE booking_ref IS NOT NULL AND arrival_date IS NOT NULL
                GROUP BY ref
            ) AS a ON a.ref = t.booking_ref
        )
        GROUP BY customer_id
    ) AS j ON j.customer_id = c.customer_id
    LEFT ANY JOIN
    (
        SELECT
            customer_id,
            maxIf(occurred_at, survey.instrument IN ('nps', 'csat', 'stars')) AS survey_at,
            argMaxIf((toString(survey.instrument), ifNull(survey.score, 0), ifNull(toString(unit), ''), event_id), (occurred_at, event_id),
                survey.instrument IN ('nps', 'csat', 'stars')) AS survey,
            maxIf(occurred_at, (survey.instrument = 'nps' AND survey.score <= 6) OR (survey.instrument IN ('csat', 'stars') AND survey.score <= 2)) AS bad_at,
            maxIf(occurred_at, match(toString(touchpoint), '_(answered|resolved|paid|given|told|done|delivered|traced|returned)$')
                AND survey.instrument IS NULL) AS answered_at,
            maxIf(occurred_at, touchpoint = 'post_travel.improvement_told') AS told_at,
            maxIf(occurred_at, touchpoint IN ('post_travel.referral_made', 'post_travel.review_posted', 'post_travel.review_requested')) AS spoke_at
        FROM {database}.interactions
        GROUP BY customer_id
    ) AS s ON s.customer_id = c.customer_id
    SETTINGS join_use_nulls = 0
)
ARRAY JOIN todos AS todo
COMMENT 'What to do next for each customer, by rules that say why';
