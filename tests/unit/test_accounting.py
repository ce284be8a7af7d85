"""What was fed is noted though the database refuses for a while."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.registry import LocalRegistry
from streams.embedded import accounting
from streams.settings import Settings

KEYS = pl.DataFrame({"subject": ["customer:a"], "event_id": ["e"]})


class Full:
    """A client whose server refuses the first inserts."""

    def __init__(self, *codes: int) -> None:
        self.codes, self.inserts = [*codes], 0

    def insert_arrow(self, table: str, rows: Any) -> None:
        self.inserts += 1
        if self.codes:
            raise DatabaseError("refused", code=self.codes.pop(0))

    def command(self, sql: str) -> None:
        """Whatever it is."""


def test_keys_are_noted_when_there_is_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting, "PAUSE", 0.0)
    client = Full(243, 243, 75)
    accounting.Accounting(client, Settings(), LocalRegistry()).feed(KEYS)
    assert client.inserts == 4


def test_what_will_not_pass_and_what_is_closed_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting, "PAUSE", 0.0)
    client = Full(60)
    with pytest.raises(DatabaseError):
        accounting.Accounting(client, Settings(), LocalRegistry()).feed(KEYS)
    assert client.inserts == 1
    client = Full(*[243] * 9)
    closed = accounting.Accounting(client, Settings(), LocalRegistry())
    closed.close()
    with pytest.raises(DatabaseError):
        closed.feed(KEYS)
    assert client.inserts == 1
