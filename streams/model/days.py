"""Days as events name them: `2027-03-01`. Pure."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Final

_DAY: Final = re.compile("(19[3-9][0-9]|20[0-9][0-9]|21[0-9][0-9])-[0-9][0-9]-[0-9][0-9]")


@lru_cache(maxsize=4096)
def is_day(text: str) -> bool:
    """Whether a text is a day of the calendar, from 1930 to 2199: the range of the view `plans`."""
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
