"""`rihla restate`: what was stored under other spellings becomes what the spelling of today makes, exactly.

Both tests spoil what is stored as versions before the normal form left it: some events under a name with a blank behind
it, too, some under that name alone. What follows must be what was there before.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sinks.clickhouse.migrate import migrate
from streams.embedded.clickhouse.access import OWNER
from streams.embedded.clickhouse.http_interface import Served
from streams.erasure import receipt
from streams.errors import RihlaError
from streams.restore.restate import restate_topics
from streams.sources import jsonl
from streams.sources.simulate import Options, write
from streams.verify.topics import read
from streams.verify.verify import verify
from tests.faults.world import world
from tests.support.brokers import Broker
from tests.support.by_columns import Enricher
from tests.support.clickhouse import ClickHouse, url_as
from tests.support.exactness import rihla, view_rows

pytestmark = pytest.mark.slow
NOW = 1_900_000_000_000  # later than anything simulated, epoch milliseconds
TWICE = (
    "INSERT INTO interactions_store SELECT * REPLACE (concat(subject, ' ') AS subject, "
    "arrayMap(one -> (one.kind, concat(one.value, ' ')), ids) AS ids) FROM interactions_store "
    "WHERE startsWith(subject, 'customer:') AND cityHash64(event_id) % 2 = 0"
)
ONCE = (
    "ALTER TABLE interactions_store DELETE WHERE startsWith(subject, 'customer:') AND NOT endsWith(subject, ' ') "
    "AND cityHash64(event_id) % 4 = 0 SETTINGS mutations_sync = 2"
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


async def test_of_a_server_into_topics_and_tables_of_their_own(
    embedded_broker: Broker, served: Served, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    write(Options(customers=60, duplicates=0.1, seed=8), events)
    enricher = Enricher()
    batches = jsonl.read(str(events), batch_size=2000)
    frame = pl.concat(enricher.enrich({batch.channel: batch.frame}, NOW).interactions for batch in batches)
    await asyncio.to_thread(migrate, clickhouse.client, clickhouse.database)
    await asyncio.to_thread(clickhouse.write, "interactions", frame)
    count = "SELECT uniqExact(subject, event_id) FROM interactions_store"
    stored = int(str(clickhouse.rows(count)[0][0]))
    clickhouse.client.command(TWICE)
    clickhouse.client.command(ONCE)
    assert int(str(clickhouse.rows(count)[0][0])) > stored
    erased = receipt.Receipt("refuse", fingerprints=["a" * 64], key_id="k")
    erased.write(clickhouse.client)
    sent: list[int] = []
    common: dict[str, Any] = {"clickhouse": url_as(OWNER, served.url), "embedded": True, "partitions": 1}
    async with world(embedded_broker.address, 1, **common) as new:
        await new.start_all()
        await new.reading()
        fed = await restate_topics(clickhouse.client, new.client, new.settings, sent.append)
        assert (fed.bad, sent[-1]) == ({}, fed.total)
        await new.settled()
        with pytest.raises(RihlaError, match="holds records"):
            await restate_topics(clickhouse.client, new.client, new.settings, sent.append)
        await restate_topics(clickhouse.client, new.client, new.settings, sent.append, again=True)
        await new.settled()
        assert new.deaths == []
        (found,) = new.client.query(count).result_rows[0]
        assert found == stored
        log = await read(new.settings)
        assert verify(new.client, lambda: log).differences.rows() == []
        assert receipt.stored(new.client) == erased.erasures
        customers = {row[0] for row in new.client.query("SELECT customer_id FROM customers").result_rows}
        assert not any(name.endswith(" ") for name in customers)
