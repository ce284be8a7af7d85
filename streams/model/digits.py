"""Numbers that others write as text: in headers of Kafka records and of requests, in keys. Pure.

`int` is no judge of them: it raises for more than 4,300 digits, gives numbers that no column takes, and what
`str.isdigit` lets through ("²") it refuses.
"""

from __future__ import annotations

MOST = 18
"""Digits of the longest number: every one of them fits 64 bits."""


def number_of(said: bytes | str) -> int | None:
    """The number that 1 to 18 digits of ASCII say; None where anything else is said."""
    return int(said) if 0 < len(said) <= MOST and said.isascii() and said.isdigit() else None
