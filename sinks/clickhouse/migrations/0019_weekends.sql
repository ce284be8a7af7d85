-- Days of the weekend of each country: Friday and Saturday, Saturday and Sunday, and the few that have others.
--
-- Join it by the country:  LEFT ANY JOIN weekends AS w ON w.country = i.country, then has(w.days, toDayOfWeek(i.occurred_at))
-- (the day in UTC).
--
-- The values are those of Unicode CLDR 47 by way of Babel, with three corrections, printed by `python -m sinks.calendars`.
CREATE OR REPLACE VIEW {database}.weekends {on_cluster}
(
    country String COMMENT 'ISO 3166-1 alpha-2',
    days Array(UInt8) COMMENT 'Days of its weekend, 1 Monday to 7 Sunday'
)
AS
SELECT arrayJoin(splitByChar(' ', countries)) AS country, days
FROM
(
    SELECT * FROM values('days Array(UInt8), countries String',
        ([4, 5], 'AF'),
        ([5, 7], 'BN'),
        ([5], 'IR'),
        ([7], 'IN UG'),
        ([5, 6], 'BD BH DZ EG IL IQ JO KW LY MV OM QA SA SD SY YE'),
        ([6, 7], 'AD AE AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BE BF BG BI BJ BL BM BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO EC EE EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IM IO IS IT JE JM JP KE KG KH KI KM KN KP KR KY KZ LA LB LC LI LK LR LS LT LU LV MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ PA PE PF PG PH PK PL PM PN PR PS PT PW PY RE RO RS RU RW SB SC SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UM US UY UZ VA VC VE VG VI VN VU WF WS YT ZA ZM ZW')
    )
)
COMMENT 'Weekend of each country, as it is today';
