-- What the model says of actions for customers: their ranks, and what is proposed.
CREATE TABLE IF NOT EXISTS {database}.actions_known_store {on_cluster}
(
    action LowCardinality(String) COMMENT 'Name of the action',
    rank UInt8 COMMENT '1 is proposed first',
    propose Bool COMMENT 'Whether it is proposed at all',
    uplift Nullable(Float64) COMMENT 'What it was found to change; null: not measured',
    version Int64 COMMENT 'When it was said, epoch milliseconds'
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY action
COMMENT 'What the model says of actions, every version; read it through the view actions_known';

CREATE OR REPLACE VIEW {database}.actions_known {on_cluster}
(
    action String COMMENT 'Name of the action',
    rank UInt8 COMMENT '1 is proposed first',
    propose Bool COMMENT 'Whether it is proposed at all',
    uplift Nullable(Float64) COMMENT 'What it was found to change; null: not measured'
)
AS
SELECT toString(action) AS action, rank, propose, uplift FROM {database}.actions_known_store FINAL
UNION ALL
SELECT action, toUInt8(rank), true, NULL
FROM values('action String, rank UInt8', ('answer_alert', 1), ('call_about_case', 2), ('manager_call', 3),
    ('follow_up_detractor', 4), ('tell_improvement', 5), ('prepare_stay', 6), ('ask_for_review', 7))
WHERE (SELECT count() FROM {database}.actions_known_store) = 0
COMMENT 'What the model says of actions for customers';

-- What to do for each customer next, and why: rules in order, the first that holds for a customer is the best. Version 4:
-- what the model proposes no longer is left out, and what was measured has its rank (view actions_known); journeys stand where they stand now (view journeys_now): a stay that nobody ended is completed by its plan.
--
-- 1 answer_alert         A critical alert is open.
-- 2 call_about_case      A case is overdue: two days without an answer, or five days (since it was reopened) without a resolution.
-- 3 manager_call         The profile is negative now (view customers_now), and money was spent: a manager calls.
-- 4 follow_up_detractor  The latest NPS (0 to 6), CSAT or stars (1, 2) of the last 30 days was bad, and nobody has answered since.
-- 5 tell_improvement     A case was resolved in the last 90 days, and the customer was not told of its improvement since (view improvements_told).
-- 6 prepare_stay         A booking arrives within 60 days, and what the customer likes or needs was not said again with it.
-- 7 ask_for_review       An advocate, now, of the last 90 days with a completed journey, without an open case or alert, who has
--                        neither recommended nor reviewed us.
--
-- Who wants no more messages (preference messages = no) is not asked for anything. Moments are by the clock of the server,
-- days of it are 24 hours; days of arrival are dates, UTC.
CREATE OR REPLACE VIEW {database}.next_best_actions {on_cluster}
(
    customer_id String COMMENT 'Whom it concerns',
    priority UInt8 COMMENT 'Rank of the action: the lowest of a customer is the next best action',
    action LowCardinality(String) COMMENT 'answer_alert, call_about_case, manager_call, follow_up_detractor, tell_improvement, prepare_stay or ask_for_review',
    reason String COMMENT 'A sentence that says why',
    evidence String COMMENT 'What it rests on: alert, case, survey answer, journey or figures'
)
AS
WITH (SELECT groupArray((action, rank, propose)) FROM {database}.actions_known) AS known
SELECT
    customer_id,
    arrayFirst(one -> one.1 = todo.2, known).2 AS priority,
    todo.2 AS action,
    todo.3 AS reason,
    todo.4 AS evidence
FROM
(
    SELECT
        c.customer_id AS customer_id,
        if(s.scores = 0, NULL, s.felt / (s.weight + 1)) AS sentiment_now,
        arrayConcat(
            arrayMap(alert -> (1, 'answer_alert',
                concat('A critical alert (', alert.2, if(alert.3 = '', '', concat(', ', alert.3)), ') is open since ',
                    toString(toDate(alert.1)), ': ', alert.4),
                concat('alert ', alert.5)), a.open),
            arrayMap(late -> (2, 'call_about_case',
                concat('Case ', late.1, if(late.2 = '', '', concat(' of ', late.2)), ' has been open for ', toString(late.3), ' days',
                    if(late.4, ', without any answer', ', answered but not resolved')),
                concat('case ', late.1)), k.overdue),
            if(ifNull(sentiment_now <= -0.25, 0) AND notEmpty(j.spent), [(3, 'manager_call',
                concat('Feels badly about us (30-day sentiment ', toString(round(ifNull(sentiment_now, 0), 2)), ' now) and has spent ',
                    arrayStringConcat(arrayMap((currency, minor) -> concat(toString(minor), ' ', currency),
                        mapKeys(j.spent), mapValues(j.spent)), ', '), ' (minor units)'),
                concat('profile negative, evidence ', toString(round(s.evidence, 1))))], []),
            if(s.bad_at > s.answered_at AND s.bad_at > now64(3) - INTERVAL 30 DAY AND s.bad_at = s.survey_at, [(4, 'follow_up_detractor',
                concat('Answered ', s.survey.1, ' with ', toString(s.survey.2), ' on ', toString(toDate(s.bad_at)),
                    if(s.survey.3 = '', '', concat(' about ', s.survey.3)), ', and nobody has answered since'),
                concat('event ', s.survey.4))], []),
            arrayMap(done -> (5, 'tell_improvement',
                concat('Case ', done.2, ' was resolved on ', toString(toDate(done.1)),
                    ', and the customer was not told what was improved'),
                concat('case ', done.2)), k.untold),
            arrayMap(trip -> (6, 'prepare_stay',
                concat('Arrives on ', toString(trip.2), ' and has asked for or used before: ', arrayStringConcat(arrayMap(
                    known -> concat(known.key, if(known.value = 'yes', '', concat(' ', known.value)), ' (',
                        toString(known.evidence), 'x, last ', toString(toDate(known.last_at)), ')'),
                    arrayFilter(known -> known.last_at < trip.3 AND known.value != 'no' AND known.key NOT IN
                        ('language', 'meal_plan', 'room_type', 'messages'), c.preferences)), ', ')),
                concat('journey ', trip.1)),
                arrayFilter(trip -> arrayExists(known -> known.last_at < trip.3 AND known.value != 'no' AND known.key NOT IN
                    ('language', 'meal_plan', 'room_type', 'messages'), c.preferences), j.coming)),
            if(ifNull(sentiment_now >= 0.25, 0) AND j.completed > 0 AND c.last_event_at > now64(3) - INTERVAL 90 DAY AND s.spoke_at <= toDateTime64(0, 3, 'UTC')
                AND c.open_cases = 0 AND a.alerts = 0 AND NOT arrayExists(known -> known.key = 'messages' AND known.value = 'no', c.preferences),
                [(7, 'ask_for_review',
                concat('An advocate (30-day sentiment ', toString(round(ifNull(sentiment_now, 0), 2)), ' now) with ', toString(j.completed),
                    if(j.completed = 1, ' completed journey', ' completed journeys'), ' who has not recommended or reviewed us yet'),
                concat('profile advocate, evidence ', toString(round(s.evidence, 1))))], [])
        ) AS todos
    FROM {database}.customers_store AS c FINAL
    LEFT ANY JOIN
    (
        SELECT
            customer_id,
            arraySort(groupArrayIf(
                (case_id, ifNull(toString(unit), ''), intDiv(dateDiff('second', assumeNotNull(since), now64(3)), 86400), first_response_at IS NULL),
                status = 'open' AND since IS NOT NULL
                AND (since < now64(3) - INTERVAL 5 DAY OR (first_response_at IS NULL AND since < now64(3) - INTERVAL 2 DAY)))) AS overdue,
            arrayReverseSort(groupArrayIf((assumeNotNull(resolved_at), case_id), status = 'resolved'
                AND resolved_at > now64(3) - INTERVAL 90 DAY AND told_at < resolved_at)) AS untold
        FROM
        (
            SELECT
                t.*,
                greatest(ifNull(t.opened_at, t.reopened_at), ifNull(t.reopened_at, t.opened_at)) AS since,
                ifNull(m.told_at, toDateTime64(0, 3, 'UTC')) AS told_at
            FROM {database}.cases_store AS t FINAL
            LEFT ANY JOIN {database}.improvements_told AS m ON m.customer_id = t.customer_id AND m.case_id = t.case_id
        )
        GROUP BY customer_id
    ) AS k ON k.customer_id = c.customer_id
    LEFT ANY JOIN
    (
        -- An alert names its customer as known when it was raised: whose it is now, identities tell.
        SELECT
            coalesce(nullIf(who.customer_id, ''), t.customer_id) AS customer_id,
            count() AS alerts,
            arraySort(groupArrayIf((t.occurred_at, toString(t.rule), ifNull(toString(t.unit), ''), t.reason, t.alert_id),
                t.severity = 'critical')) AS open
        FROM {database}.alerts_store AS t FINAL
        LEFT ANY JOIN
        (
            SELECT if(kind = 'customer', value, identifier) AS name, customer_id FROM {database}.identities_store FINAL
        ) AS who ON who.name = t.customer_id
        WHERE t.closed_at IS NULL
        GROUP BY customer_id
    ) AS a ON a.customer_id = c.customer_id
    LEFT ANY JOIN
    (
        SELECT
            customer_id,
            mapFilter((currency, minor) -> minor > 0, CAST(sumMap(spend), 'Map(String, Int64)')) AS spent,
            countIf(status_now = 'completed') AS completed,
            arraySort(groupArrayIf((journey_id, arrives, assumeNotNull(booked_at)),
                status_now IN ('booked', 'checked_in') AND booked_at IS NOT NULL AND arrives >= today() AND arrives <= today() + 60)) AS coming
        FROM
        (
            SELECT journey_id, customer_id, spend, status_now, booked_at, ifNull(planned_arrival, toDate32(0)) AS arrives
            FROM {database}.journeys_now
        )
        GROUP BY customer_id
    ) AS j ON j.customer_id = c.customer_id
    LEFT ANY JOIN
    (
        SELECT
            customer_id,
            -- As in the view customers_now.
            countIf(score IS NOT NULL) AS scores,
            sumIf(a, score IS NOT NULL) AS weight,
            sumIf(a * ifNull(score, 0), score IS NOT NULL) AS felt,
            if(weight = 0, 0, pow(weight, 2) / sumIf(a * a, score IS NOT NULL)) AS evidence,
            maxIf(occurred_at, survey.instrument IN ('nps', 'csat', 'stars')) AS survey_at,
            argMaxIf((toString(survey.instrument), ifNull(survey.score, 0), ifNull(toString(unit), ''), event_id), (occurred_at, event_id),
                survey.instrument IN ('nps', 'csat', 'stars')) AS survey,
            maxIf(occurred_at, (survey.instrument = 'nps' AND survey.score <= 6) OR (survey.instrument IN ('csat', 'stars') AND survey.score <= 2)) AS bad_at,
            maxIf(occurred_at, match(toString(touchpoint), '_(answered|resolved|paid|given|told|done|delivered|traced|returned)$')
                AND survey.instrument IS NULL) AS answered_at,
            maxIf(occurred_at, touchpoint IN ('post_travel.referral_made', 'post_travel.review_posted', 'post_travel.review_requested')) AS spoke_at
        FROM
        (
            SELECT *, ifNull(score_weight, 0) * exp2(-dateDiff('millisecond', occurred_at, now64(3)) / 86400000 / 30) AS a
            FROM {database}.interactions
        )
        GROUP BY customer_id
    ) AS s ON s.customer_id = c.customer_id
    SETTINGS join_use_nulls = 0
)
ARRAY JOIN todos AS todo
WHERE arrayFirst(one -> one.1 = todo.2, known).3
COMMENT 'What to do next for each customer, by rules that say why';

-- Who was chosen for a call on a day, and the chance that each candidate had (rihla calls).
CREATE TABLE IF NOT EXISTS {database}.calls_store {on_cluster}
(
    day Date COMMENT 'Day of the calls',
    unit LowCardinality(String) COMMENT 'Unit that calls',
    place UInt32 COMMENT 'Place in the list of the unit',
    customer_id String COMMENT 'Who is to be called' CODEC(ZSTD(1)),
    action LowCardinality(String) COMMENT 'Why: the next best action',
    priority UInt8 COMMENT 'Its rank on that day',
    about String COMMENT 'What it rests on: the dice are its hash and the day' CODEC(ZSTD(1)),
    capacity UInt32 COMMENT 'How many could be called at the unit',
    chosen Bool COMMENT 'Whether to be called',
    drawn Bool COMMENT 'Whether chance decided',
    propensity Float64 COMMENT 'Chance to be chosen',
    language LowCardinality(String) COMMENT 'Language of the customer; empty: not known',
    case_touchpoint LowCardinality(String) COMMENT 'What opened their latest case; empty: none',
    decided_at DateTime64(3, 'UTC') COMMENT 'When it was decided'
)
ENGINE = {replicated}ReplacingMergeTree(decided_at)
ORDER BY (day, unit, customer_id)
COMMENT 'Lists of calls, copies included; read them through the view calls';

CREATE OR REPLACE VIEW {database}.calls {on_cluster}
(
    day Date COMMENT 'Day of the calls',
    unit LowCardinality(String) COMMENT 'Unit that calls',
    place UInt32 COMMENT 'Place in the list of the unit',
    customer_id String COMMENT 'Who is to be called',
    action LowCardinality(String) COMMENT 'Why: the next best action',
    priority UInt8 COMMENT 'Its rank on that day',
    about String COMMENT 'What it rests on',
    capacity UInt32 COMMENT 'How many could be called at the unit',
    chosen Bool COMMENT 'Whether to be called',
    drawn Bool COMMENT 'Whether chance decided',
    propensity Float64 COMMENT 'Chance to be chosen',
    language LowCardinality(String) COMMENT 'Language of the customer; empty: not known',
    case_touchpoint LowCardinality(String) COMMENT 'What opened their latest case; empty: none',
    decided_at DateTime64(3, 'UTC') COMMENT 'When it was decided'
)
AS
SELECT day, unit, place, customer_id, action, priority, about, capacity, chosen, drawn, propensity, language, case_touchpoint, decided_at
FROM {database}.calls_store FINAL
COMMENT 'One row per day, unit and customer who needed a call';
