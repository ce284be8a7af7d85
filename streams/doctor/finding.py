"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """The result of one check. A problem stops something from working; a note only mentions something that is
    absent.
    """

    verdict: Verdict
    about: str
    detail: str
    remedy: str | None = None
    """What to do: the command, where one mends it."""
