"""Lengths of time as files of rules and routes write them: "90s", "15m", "24h", "7d". Pure."""

from __future__ import annotations

import re

UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Milliseconds of each unit, the smallest first."""
EXAMPLES = '"90s", "15m", "24h" or "7d"'

_DURATION = re.compile(r"(\d{1,9})([smhd])")


def milliseconds(text: object) -> int | None:
    """The length in milliseconds; None for what is no duration."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    return None if match is None else int(match[1]) * UNITS_MS[match[2]]
