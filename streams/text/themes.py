"""Themes that nobody listed: phrases that rise in what is said of a unit, against the unit's own past, named by their
own words. Pure.

In the week looked at, each phrase of one to three words is compared with the weeks before: given in how many texts it
was said in all, how many of them fall into this week follows a binomial distribution whose share is that of this week's
texts, if nothing has changed (the conditional test of two Poisson rates, Przyborowski and Wilenski 1940). Texts of a
week resemble each other, so counts are divided by the phrase's own index of dispersion in the past where that is above
1. The level of a week is ALARMS / WEEKS over the number of phrases tested of the unit (Bonferroni): where nothing
changes, at most one theme a unit and year is false.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Final

from streams.text import normalise

ALARMS, WEEKS = 1.0, 52.2
"""False themes a unit and year at most, and the weeks of a year."""
LEAST: Final = 4
"""Texts of the week that must say a phrase."""
PAST: Final = 4
"""Weeks with texts before it that a unit needs."""
LONGEST: Final = 3
"""Words of a phrase."""
QUOTES: Final = 3


@dataclass(frozen=True, slots=True)
class Said:
    """A text of a unit, in a week counted from any first one."""

    unit: str
    week: int
    text: str


@dataclass(frozen=True, slots=True)
class Theme:
    """texts: of the week that say the phrase, of so many. expected: as many as the past would have. chance: of so many
    or more if nothing changed, times the number of phrases tested. quotes: some of the texts."""

    unit: str
    phrase: str
    texts: int
    of: int
    expected: float
    chance: float
    quotes: tuple[str, ...]


def themes(said: Iterable[Said], week: int) -> list[Theme]:
    """The themes of each unit in a week, the clearest first; texts of later weeks are left out."""
    found: list[Theme] = []
    rows = sorted((one for one in said if one.week <= week), key=lambda one: (one.unit, one.week, one.text))
    for unit, some in groupby(rows, key=lambda one: one.unit):
        found += _of_unit(unit, list(some), week)
    return found


def _of_unit(unit: str, said: Sequence[Said], week: int) -> list[Theme]:
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    texts = Counter(one.week for one in said)
    if not texts[week] or len(texts) <= PAST:
        return []
    now: list[str] = []
    spoken: list[frozenset[str]] = []
    for one in said:
        some = phrases(one.text)
        for phrase in some:
            counts[phrase][one.week] += 1
        if one.week == week:
            now.append(one.text)
            spoken.append(some)
    # Chosen by what was said in all weeks together: the test is one given that sum, so that the choice does not favour
    # phrases that happen to be frequent this week.
    tested = [phrase for phrase, weekly in counts.items() if weekly.total() >= LEAST]
    if not tested:
        return []
    level = ALARMS / WEEKS / len(tested)
    share = len(now) / len(said)
    rising = []
    for phrase in sorted(tested):
        mine, total = counts[phrase][week], counts[phrase].total()
        if mine < LEAST:
            continue
        spread = _dispersion(counts[phrase], texts, week)
        chance = _at_least(math.floor(mine / spread), math.ceil(total / spread), share)
        if chance <= level:
            past = (total - mine) / (len(said) - len(now))
            rising.append((chance * len(tested), phrase, mine, past * len(now)))
    return list(_named(unit, sorted(rising), now, spoken))


def _named(
    unit: str, rising: Iterable[tuple[float, str, int, float]], now: Sequence[str], spoken: Sequence[frozenset[str]]
) -> Iterator[Theme]:
    """One theme for phrases that mostly stand in the same texts: the longest of those that are as clear."""
    left = list(rising)
    while left:
        first = left[0]
        where = {at for at, some in enumerate(spoken) if first[1] in some}
        same = [one for one in left if _overlap(where, {at for at, some in enumerate(spoken) if one[1] in some}) > 0.5]
        best = max(
            (one for one in same if one[2] >= 0.6 * first[2]), key=lambda one: (len(one[1].split()), -one[0], one[1])
        )
        quotes = sorted((now[at] for at in where), key=lambda text: (len(text), text))[:QUOTES]
        yield Theme(unit, best[1], best[2], len(now), round(best[3], 2), min(1.0, best[0]), tuple(quotes))
        left = [one for one in left if one not in same]


def _overlap(one: set[int], other: set[int]) -> float:
    """The share of the smaller set that is in both."""
    return len(one & other) / min(len(one), len(other))


def _dispersion(counts: Counter[int], texts: Counter[int], week: int) -> float:
    """The index of dispersion of a phrase in the weeks before, 1 at least: Pearson's chi-square over its degrees."""
    weeks = [one for one in texts if one != week]
    rate = sum(counts[one] for one in weeks) / sum(texts[one] for one in weeks)
    if not rate:
        return 1.0
    return max(
        1.0, sum((counts[one] - rate * texts[one]) ** 2 / (rate * texts[one]) for one in weeks) / (len(weeks) - 1)
    )


def _at_least(successes: int, trials: int, share: float) -> float:
    """The chance of so many successes or more in so many trials."""
    if successes <= 0:
        return 1.0
    if share >= 1.0:
        return 1.0
    logs = math.log(share), math.log1p(-share)
    return min(
        1.0,
        sum(
            math.exp(
                math.lgamma(trials + 1)
                - math.lgamma(k + 1)
                - math.lgamma(trials - k + 1)
                + k * logs[0]
                + (trials - k) * logs[1]
            )
            for k in range(successes, trials + 1)
        ),
    )


def phrases(text: str) -> frozenset[str]:
    """The phrases of a text: words that stand next to each other, neither first nor last a word without meaning."""
    found = set[str]()
    words: list[str] = []
    dull = _dull()
    for kind, token, _ in [*normalise.tokens(normalise.clean(text)), ("end", "", 0)]:
        if kind == "word":
            words.append(token.lower())
            continue
        for at in range(len(words)):
            for end in range(at + 1, min(at + LONGEST, len(words)) + 1):
                some = words[at:end]
                if some[0] in dull or some[-1] in dull or min(len(some[0]), len(some[-1])) < 3:
                    continue
                found.add(" ".join(some))
        words = []
    return frozenset(found)


@cache
def _dull() -> frozenset[str]:
    """Words that name nothing, in the languages that are scored: lexicons/dull.tsv."""
    lines = (files("streams.text.lexicons") / "dull.tsv").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
