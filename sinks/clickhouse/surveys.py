"""Which touchpoints ask or tell how it was, rather than being what it was: surveys and reviews, by their names.

Their scores are of the journey, so no query may take them for places where it hurts or customers are lost. The text of
a query may hold

    {is_survey}   whether the column `touchpoint` is one of them, as a condition
"""

from __future__ import annotations

import re

PATTERN = r"[.](survey|nps|csat|ces)_(answered|declined|sent|requested)$|[.]review_(requested|posted)$"
"""Of names of touchpoints: the same in Python's and in ClickHouse's regular expressions."""


def is_survey(touchpoint: str) -> bool:
    """Whether a touchpoint asks or tells how it was."""
    return re.search(PATTERN, touchpoint) is not None


def fill(text: str) -> str:
    """The text of a query with {is_survey} filled in."""
    return text.replace("{is_survey}", f"match(toString(touchpoint), '{PATTERN}')")
