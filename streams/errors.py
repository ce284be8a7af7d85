"""Errors that are the caller's to mend: one line that says what is wrong, one that says what to do about it."""

from __future__ import annotations


class RihlaError(Exception):
    """A mistake or a missing thing that the caller can mend; never a bug of Rihla.

    The command line prints the message and the hint, without a traceback, and ends with `exit_code`.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
