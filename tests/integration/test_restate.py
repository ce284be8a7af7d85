"""`rihla restate`: what was stored under other spellings becomes what the spelling of today makes, exactly.

The test spoils what is stored as versions before the normal form left it: some events under a name with a blank behind
it, too. What follows must be what was there before.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from streams.embedded.clickhouse.access import OWNER
from streams.embedded.clickhouse.http_interface import Served
from streams.sources.simulate import Options, write
from streams.verify.topics import read
from streams.verify.verify import verify
from tests.faults.world import World, world
from tests.support.brokers import Broker
from tests.support.clickhouse import url_as
from tests.support.exactness import rihla, view_rows

pytestmark = pytest.mark.slow
TWICE = (
    "INSERT INTO interactions_store SELECT * REPLACE (concat(subject, ' ') AS subject, "
    "arrayMap(one -> (one.kind, concat(one.value, ' ')), ids) AS ids) FROM interactions_store "
    "WHERE startsWith(subject, 'customer:') AND cityHash64(event_id) % 2 = 0"
)


STATE = """
    SELECT
        (SELECT groupArray((subject, event_id)) FROM (SELECT subject, event_id FROM interactions
            ORDER BY ALL)) AS events,
        (SELECT groupArray((customer_id, interactions)) FROM (SELECT customer_id, interactions FROM customers
            ORDER BY ALL)) AS people,
        (SELECT groupArray((journey_id, status)) FROM (SELECT journey_id, status FROM journeys ORDER BY ALL)) AS trips,
        (SELECT min(customer_id) FROM customers) AS first
"""


def test_of_a_folder_who_was_erased_stays_so(tmp_path: Path) -> None:
    events, old, new = tmp_path / "events.jsonl", tmp_path / "old", tmp_path / "new"
    write(Options(customers=60, duplicates=0.1, seed=7), events)
    rihla("run", str(events), "--data", str(old))
    [everybody] = view_rows(old, STATE)
    rihla("forget", everybody["first"], "--data", str(old), "--reference", "ticket 1")
    [before] = view_rows(old, STATE)
    assert len(before["people"]) == len(everybody["people"]) - 1
    rihla("query", "--user", "owner", "--data", str(old), TWICE)
    assert view_rows(old, STATE) != [before]
    rihla("restate", str(old), str(new))
    rihla("verify", "--data", str(new))
    assert view_rows(new, STATE) == [before]
    rihla("run", str(events), "--data", str(new))  # all of it again: the person's events are refused
    assert view_rows(new, STATE) == [before]


def stored(here: World) -> Any:
    return here.client.query(STATE).first_row


async def test_of_a_server_into_topics_and_tables_of_their_own(broker: Broker, served: Served) -> None:
    """The steps of docs/personal-data.md, with the commands that it names."""
    common: dict[str, Any] = {"clickhouse": url_as(OWNER, served.url), "embedded": broker.embedded, "partitions": 2}
    async with world(broker.address, 3, **common) as old, world(broker.address, 4, **common) as new:
        command = [
            *("restate", "--from", old.settings.database, "--database", new.settings.database),
            *("--prefix", new.settings.prefix, "--brokers", broker.address, "--clickhouse", common["clickhouse"]),
        ]

        async def restated(*more: str, status: int = 0) -> None:
            await asyncio.to_thread(rihla, *command, *more, status=status)

        await old.start_all()
        await old.reading()
        await old.feed(0.12, pause=0)
        await old.settled()
        before = stored(old)
        old.client.command(TWICE)
        assert stored(old) != before
        await restated()
        await restated(status=1)  # the topics hold something now
        await new.start_all()
        await new.reading()
        await new.settled()
        assert stored(new) == before

        await old.feed(0.18, pause=0)  # what comes meanwhile
        await old.settled()
        await restated("--again")
        await new.settled()
        assert len(stored(new)[0]) > len(before[0])
        log = await read(new.settings)
        for reader in (None, lambda: log):
            assert verify(new.client, reader).differences.rows() == []
        assert old.deaths == new.deaths == []
