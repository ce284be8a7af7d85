-- Rates of exchange, by day, for figures in one currency. Rows come by `rihla rates load` and by the topic rates.
CREATE TABLE IF NOT EXISTS {database}.rates_store {on_cluster}
(
    currency String COMMENT 'ISO 4217',
    base String COMMENT 'Currency in which its worth is told, ISO 4217',
    valid_from DateTime64(3, 'UTC') COMMENT 'Since when this holds',
    rate Float64 COMMENT 'Units of base for one unit of currency',
    version UInt64 COMMENT 'Time of writing, epoch ms: the highest of a key is current',
    withdrawn UInt8 COMMENT '1: was never so'
)
ENGINE = {replicated}ReplacingMergeTree(version, withdrawn)
ORDER BY (currency, base, valid_from)
COMMENT 'Rates of exchange, every version; read them through the view rates';
-- FINAL keeps what is said last of each two currencies and time; a rate that is no number above 0 is none.
CREATE OR REPLACE VIEW {database}.rates {on_cluster}
(
    currency String COMMENT 'ISO 4217',
    base String COMMENT 'Currency in which its worth is told, ISO 4217',
    valid_from DateTime64(3, 'UTC') COMMENT 'Since when this holds, until the next of the same two',
    rate Float64 COMMENT 'Units of base for one unit of currency'
)
AS
SELECT currency, base, valid_from, rate FROM {database}.rates_store FINAL
WHERE rate > 0 AND isFinite(rate)
COMMENT 'One row per two currencies and time from which another rate holds';
-- The same, and the other way around where that is not said itself.
CREATE OR REPLACE VIEW {database}.exchange {on_cluster}
(
    currency String COMMENT 'ISO 4217',
    into String COMMENT 'ISO 4217',
    valid_from DateTime64(3, 'UTC') COMMENT 'Since when this holds, until the next of the same two',
    rate Float64 COMMENT 'Units of `into` for one unit of currency'
)
AS
SELECT currency, base AS into, valid_from, rate FROM {database}.rates
UNION ALL
SELECT r.base AS currency, r.currency AS into, r.valid_from AS valid_from, 1 / r.rate AS rate FROM {database}.rates AS r
WHERE (r.base, r.currency) NOT IN (SELECT o.currency, o.base FROM {database}.rates AS o)
COMMENT 'What a currency is worth in another, and that one in it';
