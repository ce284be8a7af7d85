"""`rihla replay` on a running pipeline: cured letters get into the tables, others come back until they are given up."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from sinks.clickhouse.client import connect
from streams.dead_letters.lines import OwnLines
from streams.dead_letters.resend import FETCH
from streams.dead_letters.store import NAME, Letters
from streams.dead_letters.survey import pages_of
from streams.embedded.clickhouse.access import OWNER
from streams.embedded.keys import url_for
from streams.settings import of_owner
from tests.integration.test_run import rihla, said
from tests.integration.test_up import PATIENCE, WITHOUT_EDGES, owner_of, up
from tests.support.brokers import wait_until
from tests.support.clickhouse import ClickHouse
from tests.support.exactness import view_rows
from tests.support.workers import send_lines

pytestmark = pytest.mark.slow


def event(number: int, **changes: Any) -> bytes:
    """A line of a stay of the guest of that number."""
    made = {
        "channel": "stay",
        "event_id": f"7b0c2ad4-6a0e-4c1d-9a49-0f1f6f6f{number:04}",
        "occurred_at": "2026-03-01T10:00:00Z",
        "ids": [{"kind": "customer", "value": f"C{number}"}],
        "touchpoint": "stay.arrived",
        "medium": "web",
        **changes,
    }
    return json.dumps(made).encode()


def write_letters(url: str, *letters: tuple[str, bytes | None, bytes, str]) -> None:
    """Store letters (topic, key, payload, reason), as if their causes had been cured since."""
    columns = [*NAME[:-1], "key", "payload", "reason", "detail", "failed_at", "attempts", "version"]
    now = datetime.now(UTC)
    stored = [
        [topic, 0, 1_000_000 + at, 1, key, payload, reason, "", now, 1, "0"]
        for at, (topic, key, payload, reason) in enumerate(letters)
    ]
    with closing(connect(url, "cx")) as client:
        client.insert("dead_letters_store", stored, column_names=columns)


def counted(data: Path, sql: str) -> int:
    return int(view_rows(data, f"SELECT count() AS n FROM {sql}")[0]["n"])


def test_as_many_letters_as_are_fetched_at_a_time_fit_into_a_statement(clickhouse: ClickHouse) -> None:
    """Far from one another in a topic that has had a thousand billion records; of each place two, of two epochs."""
    clickhouse.migrated()
    clickhouse.engine.query(
        f"INSERT INTO {clickhouse.database}.dead_letters_store "
        "(topic, partition, offset, epoch, payload, reason, failed_at, attempts) "
        f"SELECT 'cx.stay', 3, 1000000000000 + 1000 * number, epoch, concat('record ', toString(number), ' ', "
        f"toString(epoch)), 'undecodable', now64(3), 1 FROM numbers({FETCH}) ARRAY JOIN [1, 2] AS epoch"
    )
    store = Letters(clickhouse.client)
    pages = [*pages_of(lambda after: store.page(after, 5000, ["cx.stay", "stay"]), 5000)]
    assert [page.height for page in pages] == [5000, 5000, 5000, 2 * FETCH - 15_000]
    known = pl.concat(pages)
    assert known.select("content", "content_rest").n_unique() == 2 * FETCH
    first = known.filter(pl.col("epoch") == 1)
    whole = store.whole(first)
    assert whole["offset"].to_list() == first["offset"].to_list()
    assert {payload.rsplit(b" ", 1)[1] for payload in whole["payload"]} == {b"1"}
    store.remember(first[7:9])
    assert store.page(None, 100)["replayed"].arg_true().to_list() == [14, 16]
    assert store.page(None, 100, ["cx.booking"]).is_empty()
    assert store.whole(first[7:10])["payload"].len() == 3


def test_what_is_cured_gets_in_and_what_is_not_comes_back_until_it_is_given_up(tmp_path: Path) -> None:
    file, data = tmp_path / "events.jsonl", tmp_path / "data"
    refused = (
        event(2, money={"amount_minor": 1, "currency": "Riyal"}),
        event(3, survey={"instrument": "nps", "score": 11}),
    )
    file.write_bytes(b"\n".join([event(1), b'{"no json']) + b"\n")

    def replayed(*options: str) -> str:
        done = rihla("replay", "--data", str(data), "--max-attempts", "3", *options)
        assert done.returncode == 0, done.stderr
        return said(done.stdout)

    with up(data, *WITHOUT_EDGES):
        assert rihla("produce", str(file), "--data", str(data)).returncode == 3
        asyncio.run(send_lines(of_owner(owner_of(data).settings), [*refused]))
        wait_until(lambda: counted(data, "dead_letters") == 3, PATIENCE, "the dead letters")
        (cured,) = BatchEncoder("stay", LocalRegistry()).encode(OwnLines().events([event(4)])[0].frame)
        letters = [("cx.stay", b"customer:C4", cured, "undecodable"), ("file:/gone.jsonl", None, event(5), "bad_time")]
        write_letters(url_for(owner_of(data).clickhouse or "", data / "keys", OWNER.name), *letters)

        dry = replayed("--dry-run")
        assert "4 letters would be sent 1 lines of files still unreadable" in dry
        assert "1 undecodable of cx.stay 1 bad_time of file:/gone.jsonl" in dry
        assert counted(data, "replays_store") == 0

        assert "1 undecodable of cx.stay 1 letters sent" in replayed("--topic", "stay", "--reason", "undecodable")
        assert "3 letters sent 1 replayed before 1 lines of files still unreadable" in replayed("--rate", "1000/s")
        wait_until(lambda: counted(data, "interactions") == 3, PATIENCE, "the cured events")
        wait_until(lambda: counted(data, "dead_letters WHERE attempts = 2") == 2, PATIENCE, "second attempts")

        limited = replayed("--topic", "cx.stay", "--limit", "1")
        assert "1 letters sent 1 replayed before 1 left by --limit" in limited
        assert "1 letters sent" in replayed()
        wait_until(lambda: counted(data, "dead_letters WHERE attempts = 3") == 2, PATIENCE, "third attempts")
        last = replayed()
        assert "0 letters sent 2 given up 2 replayed before" in last
        assert rihla("replay", "--data", str(data), "--topic", "file:/gone.jsonl", "--again").stdout.split()[0] == "1"

    refusals = "dead_letters WHERE topic = 'cx.stay' AND reason IN ('bad_money', 'bad_survey')"
    found = view_rows(data, f"SELECT count() AS letters, uniqExact(key, payload) AS records FROM {refusals}")
    assert found == [{"letters": 6, "records": 2}], "key or payload changed on the way"
    assert counted(data, "interactions") == 3
    assert rihla("verify", "--data", str(data)).returncode == 0
    stopped = rihla("replay", "--data", str(data))
    assert stopped.returncode == 1
    assert "no pipeline runs on" in stopped.stderr
    assert "0 letters would be sent" in replayed("--dry-run")
