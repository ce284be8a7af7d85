"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at: a problem stops something from working; a note only tells of what is not there."""

    verdict: Verdict
    about: str
    detail: str
    remedy: str | None = None
    """What to do; where a command mends it, that."""
