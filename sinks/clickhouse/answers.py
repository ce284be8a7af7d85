"""Which survey answers count, how much each weighs, and intervals that hold for few answers, too, as SQL.

The text of a query of answers to one survey, whose table is `interactions AS i`, may hold

    {answers}          in its comment, alone on a line: the parameters that say which answers count, and how much
    {cells:SURVEY}     its answers as a subquery, by segment and cell: answers that weigh alike are one cell. Columns:
                       segment, population (customers that the cell stands for), m (answers), their sums s1 and of
                       squares s2, ups and downs (answers that count as high and as low), w (the cell's weight)
    {effective}        the effective sample size of cells, (sum w)^2 / sum(w^2 / m): the answers where all weigh alike
    {wilson:P:N}       (low, high) of a share P of N answers, at 95 %
    {net:P:D:N}        (low, high) of a difference P - D of two shares of N answers, at 95 %

Weights are those of post-stratification (Holt and Smith, "Post Stratification", Journal of the Royal Statistical
Society A 142(1), 1979): a cell counts by its share of the customers of whom anything was heard, not by its share of the
answers. The effective sample size is Kish's ("Survey Sampling", 1965, section 11.7).

Intervals: Wilson's for a share ("Probable inference, the law of succession, and statistical inference", Journal of the
American Statistical Association 22, 1927; recommended for small samples by Brown, Cai and DasGupta, "Interval
estimation for a binomial proportion", Statistical Science 16(2), 2001). For NPS the adjusted Wald interval with three
answers more, 3/4 promoters, 3/2 passives and 3/4 detractors (Rocks, "Interval Estimation for the Net Promoter Score",
The American Statistician 70(4), 2016). Neither claims certainty where all answers are alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Z = "1.959963984540054"
"""The normal distribution's quantile of 97.5 %."""

PARAMETERS = "\n--   ".join(
    [
        "answers String = all      all, or latest: only the last of each customer, in each segment",
        "weight String =           What answers are weighted by: {weights}; empty: each counts once. customer: the",
        "      answers of a customer weigh as one; else a value weighs as many as the customers heard of who have it",
    ]
)

_BOUNDS = {"nps": ("answer >= 9", "answer <= 6"), "csat": ("answer >= 4", "answer < 4"), "ces": ("answer >= 5", "0")}
"""For each survey, what counts as high and as low."""

_LATEST = "ORDER BY answered DESC, i.occurred_at DESC, i.event_id DESC\n        LIMIT {most} BY segment, customer_id"
_MOST = "if({answers:String} = 'latest', 1, 18446744073709551615)"
_SPAN = "i.occurred_at >= {since:DateTime64(3,'UTC')} AND i.occurred_at < {until:DateTime64(3,'UTC')}"


def fill(text: str) -> str:
    """The text of a query with intervals, {answers} and {effective} filled in; {cells:...} stays."""
    text = text.replace("{answers}", PARAMETERS)
    text = text.replace("{effective}", "(pow(sum(c.w), 2) / sum(c.w * c.w / c.m))")
    text = re.sub(r"\{wilson:([^:{}]+):([^:{}]+)\}", lambda found: wilson(found[1], found[2]), text)
    return re.sub(r"\{net:([^:{}]+):([^:{}]+):([^:{}]+)\}", lambda found: net(found[1], found[2], found[3]), text)


def fill_cells(text: str, given: Mapping[str, str] | None = None) -> str:
    """The text with {cells:SURVEY} filled in: for whatever the parameters are, or for those that are given."""
    return re.sub(r"\{cells:(\w+)\}", lambda found: _cells(found[1], given), text)


def _cells(survey: str, given: Mapping[str, str] | None) -> str:
    high, low = _BOUNDS[survey]
    weight = None if given is None else given.get("weight", "")
    cell = {
        None: "multiIf({weight:String} = '', '', {weight:String} = 'customer', customer_id, stratum)",
        "": "''",
        "customer": "customer_id",
    }.get(weight, "stratum")
    weighs = {
        None: "multiIf({weight:String} = '', m, {weight:String} = 'customer', 1, population)",
        "": "m",
        "customer": "1",
    }.get(weight, "population")
    stratum = (
        "{stratum}"
        if weight not in (None, "", "customer")
        else "if({weight:String} IN ('', 'customer'), '', {stratum})"
    )
    stratum = "''" if weight in ("", "customer") else stratum
    others = "" if weight in ("", "customer") else " OR {weight:String} NOT IN ('', 'customer')"
    # An answer of each customer, else anything heard of them: for whom a cell stands is then counted once.
    latest = _LATEST.format(most=_MOST)
    known = {"all": "", "latest": _LATEST.format(most="1")}
    if given is not None:
        latest = known.get(given.get("answers", ""), latest)
    unknown = "throwIf({answers:String} NOT IN ('all', 'latest'), 'answers is one of: all, latest') = 0"
    check = "" if given is not None and given.get("answers") in known else f" AND {unknown}"
    population = "uniqExact(customer_id)" if weight is None or weighs == "population" else "0"
    return f"""(
    SELECT
        segment,
        {cell} AS cell,
        {population} AS population,
        countIf(answered) AS m,
        sumIf(answer, answered) AS s1,
        sumIf(answer * answer, answered) AS s2,
        countIf(answered AND {high}) AS ups,
        countIf(answered AND {low}) AS downs,
        {weighs} AS w
    FROM
    (
        SELECT
            {{segment}} AS segment,
            {stratum} AS stratum,
            i.customer_id AS customer_id,
            ifNull(i.survey.instrument = '{survey}', 0) AS answered,
            assumeNotNull(i.survey.score) AS answer
        FROM interactions AS i
        {{segment_joins}}
        WHERE (i.survey.instrument = '{survey}'{others}) AND {_SPAN} AND {{fits}}{check}
        {latest}
    )
    GROUP BY segment, cell
    HAVING m > 0
)"""


def wilson(share: str, n: str) -> str:
    """(low, high) of a share, an expression of SQL."""
    z2 = f"pow({Z}, 2)"
    centre = f"({share} + {z2} / (2 * {n}))"
    half = f"{Z} * sqrt({share} * (1 - {share}) / {n} + {z2} / (4 * {n} * {n}))"
    scale = f"(1 + {z2} / {n})"
    return f"(greatest(0, ({centre} - {half}) / {scale}), least(1, ({centre} + {half}) / {scale}))"


def adjusted_net(high: str, low: str, n: str) -> tuple[str, str]:
    """A difference of two shares with the three answers more, and the variance of it: expressions of SQL."""
    up, down = f"(({high} * {n} + 0.75) / ({n} + 3))", f"(({low} * {n} + 0.75) / ({n} + 3))"
    return f"{up} - {down}", f"({up} + {down} - pow({up} - {down}, 2)) / ({n} + 3)"


def net(high: str, low: str, n: str) -> str:
    """(low, high) of a difference of two shares, an expression of SQL."""
    centre, variance = adjusted_net(high, low, n)
    half = f"{Z} * sqrt({variance})"
    return f"(greatest(-1, {centre} - {half}), least(1, {centre} + {half}))"
