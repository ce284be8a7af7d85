"""Which touchpoints are surveys or reviews and so no part of the journey itself: by their names.

Their scores rate the journey, so no query may count them as places where customers suffer or are lost. The text of a
query may hold

    {is_survey}   whether the column `touchpoint` is one of them, as a condition
"""

from __future__ import annotations

import re

PATTERN = r"[.](survey|nps|csat|ces)_(answered|declined|sent|requested)$|[.]review_(requested|posted)$"
"""Pattern of their names, with the same meaning in Python's and in ClickHouse's regular expressions."""


def is_survey(touchpoint: str) -> bool:
    """Whether a touchpoint is a survey or a review."""
    return re.search(PATTERN, touchpoint) is not None


def fill(text: str) -> str:
    """The text of a query with {is_survey} filled in."""
    return text.replace("{is_survey}", f"match(toString(touchpoint), '{PATTERN}')")
