-- Language coverage
--
-- Of which texts the mood is known: by language, how many were scored, and how many were not, because the language is not one
-- of ours or because the text expresses nothing. Beside a survey the survey's answer counts, so whether such a text could be
-- scored is not asked.
--
-- columns:
--   language         ISO 639-1 as found in the text; empty where it is none that Rihla knows
--   texts            Interactions with a text
--   with_survey      Of these, beside a survey
--   scored           Of the others, those that the text scorer gave a score
--   not_scored       The rest
--   not_scored_share  Their share of the texts without a survey
--   locales          Most frequent locales of what is not scored, to see what is missing
-- parameters:
--   since DateTime64(3,'UTC') = 1970-01-01 00:00:00       First moment counted
--   until DateTime64(3,'UTC') = 2200-01-01 00:00:00       First moment no longer counted
SELECT
    ifNull(toString(i.language), '') AS language,
    count() AS texts,
    countIf(i.survey.instrument IS NOT NULL) AS with_survey,
    countIf(i.survey.instrument IS NULL AND i.score_source = 'text') AS scored,
    texts - with_survey - scored AS not_scored,
    round(not_scored / nullIf(texts - with_survey, 0), 4) AS not_scored_share,
    topKIf(3)(ifNull(toString(i.locale), ''),
        i.survey.instrument IS NULL AND ifNull(i.score_source != 'text', true)) AS locales
FROM interactions AS i
WHERE i.text != '' AND i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')}
GROUP BY language
ORDER BY texts DESC, language
