-- Consent
--
-- What one customer, found by any identifier, has said of being written to: what holds for each purpose and channel, and
-- all that was said before. Of several rows that are about a purpose and a channel ('any' is about all), the latest holds.
--
-- columns:
--   customer_id  Who
--   purpose      What for: survey, follow_up, marketing ...; any: for everything
--   channel      By which way: email, sms, chat ...; any: by all of them
--   state        given or withdrawn
--   since        When that was said
--   source       Where it was said; null: that is not known
--   history      All that was said of it, the latest first: when, given or withdrawn, where
-- parameters:
--   id String =      Customer id, any other identifier (loyalty number, hashed e-mail, device ...) as value or kind:value, or booking reference
WITH who AS
(
    SELECT customer_id FROM identities WHERE value = {id:String} OR concat(kind, ':', value) = {id:String}
    UNION DISTINCT
    SELECT customer_id FROM customers WHERE customer_id = {id:String}
    UNION DISTINCT
    SELECT customer_id FROM journeys WHERE booking_ref = {id:String}
)
SELECT
    c.customer_id AS customer_id,
    c.purpose AS purpose,
    c.channel AS channel,
    c.state AS state,
    c.since AS since,
    c.source AS source,
    h.history AS history
FROM consents AS c
INNER JOIN
(
    SELECT customer_id, purpose, channel,
        arrayReverseSort(groupArray((occurred_at, toString(state), ifNull(toString(source), '')))) AS history
    FROM consent_history WHERE customer_id IN who GROUP BY customer_id, purpose, channel
) AS h ON h.customer_id = c.customer_id AND h.purpose = c.purpose AND h.channel = c.channel
WHERE c.customer_id IN who AND throwIf({id:String} = '', 'give an identifier: --param id=VALUE') = 0
ORDER BY customer_id, purpose, channel
