-- One customer
--
-- Everything about one customer, found by any identifier: who it is, how they feel, journeys that are not over, open
-- cases and alerts, the last contacts, what they like and need and how old that is, whether they may be lost, and what to
-- do next, with the reason. Best read with --format Vertical.
--
-- columns:
--   customer_id      Whom the identifier belongs to
--   identifiers      Every identifier that is this customer, kind:value
--   profile          negative, non_committal or advocate, at the last event
--   sentiment_30d    Rolling sentiment, half-life 30 days, at the last event; null: nothing was expressed
--   evidence         Effective sample size of it
--   sentiment_now    The same sentiment, faded since by the server's clock
--   profile_now      The profile by that
--   last_move        The last move between profiles: when, from, to, at which touchpoint and unit; empty: none
--   interactions     Interactions
--   first_event_at   The first of them
--   last_event_at    The last of them
--   spend            What was kept of their money so far, by currency, in major units
--   open_journeys    Journeys neither completed, cancelled nor missed: id, status, last event
--   open_cases       Cases not resolved: id, touchpoint, unit, since when
--   open_alerts      Alerts not closed: severity, rule, reason, when
--   last_contacts    The ten latest interactions: when, touchpoint, unit, score, text
--   preferences      key, value, how often it was said or shown, whole days since the last time
--   churn            Risk, the share of such customers that churned in the back-test, AUC of it; empty: not judged
--   next_action      The next best action; empty: none
--   reason           Why
-- parameters:
--   id String =      Customer id, any other identifier (loyalty number, hashed e-mail, device ...) as value or kind:value, or booking reference
WITH
-- Arrays, because these are asked for once: what stands in WITH as a query is asked for again wherever it is named.
(
    SELECT groupUniqArray(customer_id)
    FROM
    (
        -- The value alone is asked for first, which the table finds without reading all of it.
        SELECT customer_id FROM identities
        WHERE value IN ({id:String}, substring({id:String}, position({id:String}, ':') + 1))
            AND (value = {id:String} OR concat(kind, ':', value) = {id:String})
        UNION ALL
        SELECT customer_id FROM customers WHERE customer_id = {id:String}
        UNION ALL
        SELECT customer_id FROM journeys WHERE booking_ref = {id:String}
    )
) AS found,
who AS (SELECT arrayJoin(found)),
(
    SELECT groupArrayArray(arrayMap(one -> (customer_id, toString(one.1), one.2), identifiers)) FROM customers WHERE customer_id IN who
) AS called,
-- Under which names its events are stored: the table is in their order, so that nobody else's are read.
subjects AS (SELECT arrayJoin(arrayMap(one -> concat(one.2, ':', one.3), called))),
names AS
(
    -- What each was called when its alerts were raised and its moves were seen: any of its identifiers.
    SELECT one.1 AS customer_id, if(one.2 = 'customer', one.3, concat(one.2, ':', one.3)) AS name
    FROM (SELECT arrayJoin(called) AS one)
)
SELECT
    c.customer_id AS customer_id,
    arrayMap(one -> concat(one.1, ':', one.2), c.identifiers) AS identifiers,
    c.profile AS profile,
    c.sentiment_30d AS sentiment_30d,
    c.evidence AS evidence,
    -- As in the view customers_now, from the interactions that are read here anyway.
    if(i.scores = 0, NULL, i.felt / (i.weight + 1)) AS sentiment_now,
    multiIf(ifNull(sentiment_now, 0) <= -0.25, 'negative', ifNull(sentiment_now, 0) >= 0.25, 'advocate', 'non_committal') AS profile_now,
    m.moves AS last_move,
    c.interactions AS interactions,
    c.first_event_at AS first_event_at,
    c.last_event_at AS last_event_at,
    s.spend AS spend,
    j.going AS open_journeys,
    k.cases AS open_cases,
    a.alerts AS open_alerts,
    i.contacts AS last_contacts,
    arrayMap(p -> (p.key, p.value, p.evidence, intDiv(dateDiff('second', p.last_at, now64(3)), 86400)), c.preferences) AS preferences,
    r.risks AS churn,
    n.action AS next_action,
    n.reason AS reason
FROM customers AS c
LEFT ANY JOIN
(
    SELECT customer_id,
        arrayReverseSort(x -> x.3, groupArrayIf((journey_id, toString(status), last_event_at),
            status NOT IN ('completed', 'cancelled', 'no_show'))) AS going
    FROM journeys WHERE customer_id IN who GROUP BY customer_id
) AS j ON j.customer_id = c.customer_id
LEFT ANY JOIN (SELECT customer_id, spend FROM customer_spend WHERE customer_id IN who) AS s ON s.customer_id = c.customer_id
LEFT ANY JOIN
(
    SELECT customer_id, arraySort(x -> x.4, groupArray((case_id, toString(touchpoint), ifNull(toString(unit), ''),
        ifNull(reopened_at, opened_at)))) AS cases
    FROM cases WHERE status = 'open' AND customer_id IN who GROUP BY customer_id
) AS k ON k.customer_id = c.customer_id
LEFT ANY JOIN
(
    SELECT customer_id, arrayReverseSort(x -> (indexOf(['low', 'medium', 'high', 'critical'], x.1), x.4),
        groupArray((toString(severity), toString(rule), reason, occurred_at))) AS alerts
    FROM (SELECT * EXCEPT customer_id, customer_id AS raised_for FROM alerts WHERE closed_at IS NULL) AS raised
    INNER JOIN names ON names.name = raised.raised_for
    GROUP BY customer_id
) AS a ON a.customer_id = c.customer_id
LEFT ANY JOIN
(
    SELECT customer_id, arraySlice(arrayReverseSort(x -> x.1, groupArray((occurred_at, toString(touchpoint),
        ifNull(toString(unit), ''), score, ifNull(text, '')))), 1, 10) AS contacts,
        count(score) AS scores, sumIf(a, score IS NOT NULL) AS weight, sumIf(a * ifNull(score, 0), score IS NOT NULL) AS felt
    FROM
    (
        SELECT *, ifNull(score_weight, 0) * exp2(-dateDiff('millisecond', occurred_at, now64(3)) / 86400000 / 30) AS a
        FROM contacts WHERE customer_id IN who AND subject IN subjects
    )
    GROUP BY customer_id
) AS i ON i.customer_id = c.customer_id
LEFT ANY JOIN
(
    SELECT customer_id, arraySlice(arrayReverseSort(x -> x.1, groupArray((occurred_at, toString(from_profile),
        toString(to_profile), toString(touchpoint), ifNull(toString(unit), '')))), 1, 1) AS moves
    FROM (SELECT * EXCEPT customer_id, customer_id AS seen_as FROM moves) AS seen
    INNER JOIN names ON names.name = seen.seen_as
    GROUP BY customer_id
) AS m ON m.customer_id = c.customer_id
LEFT ANY JOIN
(
    SELECT customer_id, groupArray((risk, tested_churn, auc)) AS risks
    FROM churn_risk WHERE customer_id IN who GROUP BY customer_id
) AS r ON r.customer_id = c.customer_id
LEFT ANY JOIN
(
    SELECT customer_id, argMin(toString(action), (priority, evidence)) AS action, argMin(reason, (priority, evidence)) AS reason
    FROM next_best_actions WHERE customer_id IN who GROUP BY customer_id
) AS n ON n.customer_id = c.customer_id
WHERE c.customer_id IN who AND throwIf({id:String} = '', 'give an identifier: --param id=VALUE') = 0
ORDER BY customer_id
