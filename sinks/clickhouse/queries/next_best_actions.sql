-- Next best actions
--
-- What to do for customers now, the most urgent first, with the reason: critical alerts, overdue cases, valuable
-- customers who feel badly, detractors whom nobody has answered, improvements to tell, preferences to prepare for, advocates
-- to ask for a review.
-- The rules are those of the view next_best_actions, in this order; days of 24 hours count to the server's clock, and so do
-- feelings, which fade.
--
-- columns:
--   customer_id      Whom it concerns
--   priority         Number of the rule, 1 the most urgent
--   action           What to do
--   reason           Why
--   evidence         What that rests on
-- parameters:
--   customer String =         A customer_id; empty for all customers
--   best UInt8 = 1            1: only the most urgent of each customer; 0: all
--   limit UInt32 = 50         Most rows
SELECT customer_id, priority, action, reason, evidence
FROM next_best_actions
WHERE {customer:String} = '' OR customer_id = {customer:String}
ORDER BY priority, customer_id, evidence
LIMIT if({best:UInt8} = 1, 1, 1000) BY customer_id
LIMIT {limit:UInt32}
