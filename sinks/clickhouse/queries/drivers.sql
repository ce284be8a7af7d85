-- Drivers
--
-- What the answers of NPS and CSAT went with, as `rihla drivers` computed it last: each driver's share of the variance of answers,
-- averaged over all orders (LMG, Shapley), controlled for package and season, with a bootstrap interval of 95 %. The back-test
-- (tested, tested_r2) is on the later quarter of the answers, on which was not fitted. An association is no proof of an effect.
--
-- columns:
--   metric               nps or csat
--   unit                 Whose answers; empty: of all
--   driver               aspect NAME, wait, delay or unit
--   share                Share of the variance of answers
--   low                  Lower end of the interval
--   high                 Upper end
--   effect               Points that go with one more of sentiment, of an aspect, or with twice the wait or delay (1 + minutes); null for units
--   effect_low           Lower end of the interval
--   effect_high          Upper end
--   n                    Answers
--   r2                   Adjusted R2 of the whole model
--   r2_controls          Of it, what package and season explain by themselves
--   tested               Later answers of the back-test
--   tested_r2            R2 on these
--   tested_r2_controls   The same of package and season alone
--   useful               1: the drivers predict these better than without them
--   since                First moment of the answers
--   until                First moment no longer counted
--   fitted_at            When it was computed
-- parameters:
--   unit String =        Only this unit (several: with character 31 between); empty: of all together
SELECT
    metric, unit, driver, round(share, 4) AS share, round(low, 4) AS low, round(high, 4) AS high, round(effect, 2) AS effect,
    round(effect_low, 2) AS effect_low, round(effect_high, 2) AS effect_high, n, round(r2, 4) AS r2,
    round(r2_controls, 4) AS r2_controls, tested, round(tested_r2, 4) AS tested_r2,
    round(tested_r2_controls, 4) AS tested_r2_controls, toUInt8(useful) AS useful, since, until, fitted_at
FROM drivers
WHERE has(splitByChar(char(31), {unit:String}), toString(unit))
ORDER BY metric DESC, unit, share DESC, driver
