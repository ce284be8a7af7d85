"""Two answers of a query side by side, as SQL: difference, its interval, and what of it is more than chance.

Each row is compared with the one of the same segment. The test of a row is z = difference / standard error, two-sided,
and the interval is difference +- 1.96 standard errors, so that both say the same. It holds for few answers and such
that are alike, too, where it lies around a difference that is a little smaller than the plain one:

- a share: one success and one failure are added to each side (Agresti and Caffo, "Simple and effective confidence
  intervals for proportions and differences of proportions result from adding two successes and two failures", The
  American Statistician 54(4), 2000);
- NPS: 3/4 promoters, 3/2 passives and 3/4 detractors on each side, the adjustment of sinks.clickhouse.answers;
- a mean: s / sqrt(n) of each side (Welch, Biometrika 34, 1947, with the normal distribution): null for fewer
  than two, and where all are alike on both sides.

Of many comparisons some differ by chance. `p_adjusted` is the p-value by Benjamini and Hochberg ("Controlling the false
discovery rate", Journal of the Royal Statistical Society B 57(1), 1995) over all rows of the answer that have one: of
those that are called significant, 5 % are expected to be chance.

The text of a query may hold, behind its last column, one of

    {compared:share:P:N}        the figure is a share P of N answers, in per cent
    {compared:net:P:D:N}        it is the difference of two shares, in points
    {compared:mean:M:V:N}       it is a mean M of N values of the variance V

and says behind `-- compared:` in its comment which column that is, and by which columns its rows are known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from sinks.clickhouse.answers import Z, adjusted_net
from sinks.clickhouse.quoting import identifier

FALSE_DISCOVERY_RATE = "0.05"
_COMPARED = re.compile(r"\{compared:(share|net|mean):([^{}]+)\}")
_PARAMETER = re.compile(r"\{(\w+):")

COLUMNS = (
    ("difference", "The figure less that of the other side"),
    ("difference_low", "Lower end of its 95 % interval"),
    ("difference_high", "Upper end"),
    ("p", "Probability of such a difference, or a greater one, by chance alone"),
    ("p_adjusted", "The same, allowing for all comparisons of the answer (Benjamini-Hochberg)"),
    ("significant", "Whether that is below 0.05"),
)
"""What a comparison adds to the columns of both sides."""


def fill(text: str, compared: bool = False) -> str:
    """The text of a query with {compared:...} filled in: with nothing, or with the columns for `side_by_side`."""
    return _COMPARED.sub(lambda found: _estimate(found[1], found[2].split(":")) if compared else "", text)


def _estimate(kind: str, given: Sequence[str]) -> str:
    if kind == "mean":
        mean, variance, n = given
        plain, centre, variance = mean, mean, f"if({n} > 1, greatest(0, round({variance}, 9)) / {n}, NULL)"
    elif kind == "share":
        share, n = given
        p = f"(({share} * {n} + 1) / ({n} + 2))"
        plain, centre, variance = f"100 * {share}", f"100 * {p}", f"10000 * {p} * (1 - {p}) / ({n} + 2)"
    else:
        high, low, n = given
        net, spread = adjusted_net(high, low, n)
        plain, centre, variance = f"100 * ({high} - {low})", f"100 * ({net})", f"10000 * {spread}"
    return f""",
    {plain} AS plain_estimate,
    {centre} AS centred_estimate,
    {variance} AS estimate_variance"""


def renamed(sql: str, names: Collection[str], prefix: str) -> str:
    """The text with these parameters called by their names behind a prefix."""
    return _PARAMETER.sub(lambda found: f"{{{prefix if found[1] in names else ''}{found[1]}:", sql)


def side_by_side(one: str, other: str, keys: Sequence[str], figure: str, sample: str, least: str | None) -> str:
    """The text of both, compared row by row; rows that one side lacks have nulls there.

    Args:
        one, other: texts with the columns of `fill`. keys: columns by which rows are matched, texts. figure, sample:
            the columns that are shown of both sides. least: parameter with the least sample of each side, if any: rows
            below it keep their samples alone, and are no comparison.
    """
    listed = ", ".join(identifier(key) for key in keys)
    enough = f"least(ifNull(q.n, 0), ifNull(q.other_n, 0)) >= {least}" if least else "1"
    shown = f"ifNull(q.n, 0) >= {least}" if least else "1"
    other_shown = f"ifNull(q.other_n, 0) >= {least}" if least else "1"
    joined = " AND ".join(f"b.{identifier(key)} = a.{identifier(key)}" for key in keys)
    sides = (
        "plain_estimate AS plain, centred_estimate AS centred, estimate_variance AS variance, "
        f"toNullable({identifier(sample)}) AS sample, toNullable({identifier(figure)}) AS figure, 1 AS present"
    )
    named = ", ".join(
        f"if(a.present = 1, a.{identifier(key)}, b.{identifier(key)}) AS {identifier(key)}" for key in keys
    )
    return f"""WITH
    {Z} AS z
SELECT
    {", ".join(f"t.{identifier(key)} AS {identifier(key)}" for key in keys)},
    t.n AS n,
    t.value AS {identifier(figure)},
    t.other_n AS other_n,
    t.other_value AS other_{figure},
    round(t.gap, 3) AS difference,
    round(t.centre - z * t.error, 3) AS difference_low,
    round(t.centre + z * t.error, 3) AS difference_high,
    round(t.p, 6) AS p,
    round(t.adjusted, 6) AS p_adjusted,
    t.adjusted < {FALSE_DISCOVERY_RATE} AS significant
FROM
(
    SELECT
        *,
        -- The smallest of p x m / rank of all p that are not smaller, m being how many there are.
        if(p IS NULL, NULL, least(1, min(if(p IS NULL, NULL, p * tested / place)) OVER (
            ORDER BY p IS NULL DESC, p DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW))) AS adjusted
    FROM
    (
        SELECT
            *,
            count(p) OVER () AS tested,
            count() OVER (ORDER BY p IS NULL, p RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place
        FROM
        (
            SELECT
                    {", ".join(f"q.{identifier(key)} AS {identifier(key)}" for key in keys)},
                    q.at AS at,
                    q.n AS n,
                    q.other_n AS other_n,
                    if({shown}, q.value, NULL) AS value,
                    if({other_shown}, q.other_value, NULL) AS other_value,
                    if({enough}, q.plain - q.other_plain, NULL) AS gap,
                    if({enough}, q.centred - q.other_centred, NULL) AS centre,
                    if({enough}, sqrt(nullIf(q.variance + q.other_variance, 0)), NULL) AS error,
                    erfc(abs(centre / error) / sqrt(2)) AS p
                FROM
                (
                    SELECT
                        {named},
                        if(a.present = 1, a.at, 4294967295 + b.at) AS at,
                        if(a.present = 1, a.sample, NULL) AS n,
                        if(b.present = 1, b.sample, NULL) AS other_n,
                        if(a.present = 1, a.figure, NULL) AS value,
                        if(b.present = 1, b.figure, NULL) AS other_value,
                        if(a.present = 1, a.plain, NULL) AS plain,
                        if(b.present = 1, b.plain, NULL) AS other_plain,
                        if(a.present = 1, a.centred, NULL) AS centred,
                        if(b.present = 1, b.centred, NULL) AS other_centred,
                        if(a.present = 1, a.variance, NULL) AS variance,
                        if(b.present = 1, b.variance, NULL) AS other_variance
                    FROM (SELECT {listed}, {sides}, rowNumberInAllBlocks() AS at FROM
(
{one}
)) AS a
                    FULL JOIN (SELECT {listed}, {sides}, rowNumberInAllBlocks() AS at FROM
(
{other}
)) AS b ON {joined}
                ) AS q
        )
    )
) AS t
ORDER BY t.at"""
