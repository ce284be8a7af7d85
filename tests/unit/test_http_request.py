"""What is read of a request to the embedded engine before it is known what it asks for."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

from aiohttp import StreamReader
from aiohttp.test_utils import make_mocked_request

from streams.door import Limits
from streams.embedded.clickhouse.access import OWNER
from streams.embedded.clickhouse.http_request import insert_ahead


def test_rows_that_came_in_one_piece_may_be_larger_than_a_statement() -> None:
    """On a busy machine more of a body has come than anybody has read."""
    statement, rows = b"INSERT INTO store (a) FORMAT Arrow\n", b"x" * (1 << 20)

    async def ahead() -> tuple[int, int]:
        content = StreamReader(Mock(_reading_paused=False), 1 << 22, loop=asyncio.get_running_loop())
        content.feed_data(statement + rows)
        content.feed_eof()
        request = make_mocked_request("POST", "/", payload=content)
        insert, read = await insert_ahead(request, OWNER, Limits())
        assert insert is not None
        return insert.data_from, len(read)

    assert asyncio.run(ahead()) == (len(statement), len(statement) + len(rows))
