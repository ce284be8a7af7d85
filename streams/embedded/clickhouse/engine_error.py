"""Errors of the embedded engine, in ClickHouse's words and numbers."""

from __future__ import annotations

import re

_CODE = re.compile(r"Code: (\d+)\. (?:\w+::)+\w*Exception")  # DB::Exception, and its kin: DB::ErrnoException


class EngineError(Exception):
    """A statement that the engine refused. `code` is ClickHouse's error number, or 0 where there is none."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code

    @classmethod
    def of(cls, error: BaseException) -> EngineError:
        """From whatever chDB raised: drops chDB's own words before ClickHouse's `Code: N. DB::Exception: ...`."""
        # An error that quotes a row's bytes is no text; chDB then fails to decode it.
        text = error.object.decode(errors="replace") if isinstance(error, UnicodeDecodeError) else str(error)
        found = _CODE.search(text)
        return cls(text[found.start() :], int(found.group(1))) if found else cls(text or type(error).__name__)


def refusal(code: int, name: str, message: str) -> EngineError:
    """An error in ClickHouse's own words, with one of its codes (https://clickhouse.com/docs/interfaces/http)."""
    return EngineError(f"Code: {code}. DB::Exception: {message}. ({name})", code)
