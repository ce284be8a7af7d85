"""Interactions into ClickHouse three ways, by CPU of everything: the sink, an insert of rows, the engine's own load.

- sink: what the sink worker does with the rows that it has decoded: to Arrow, one insert for as many as gather.
- rows: what clickhouse-connect's documentation begins with: `insert` of each poll's rows.
- arrow: the limit: the engine reads the very same rows from an Arrow file of its own machine; no client, no network.

Decoding comes before the first two, and is told apart: Polars before ours, fastavro before theirs. The engine is in
this process and answers HTTP, so the process's CPU is that of client, HTTP and engine together; only merges, which are
the same for all, are held back. Afterwards the three tables must hold the same rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from clickhouse_connect.driver.client import Client

from schemas.decode import BatchDecoder
from schemas.records import inlined
from sinks.agent import ROWS_PER_INSERT
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.tables import TABLES, to_arrow
from sinks.clickhouse.writer import INSERT_SETTINGS, Writer
from streams.embedded.clickhouse.access import OWNER
from streams.embedded.clickhouse.database import Database
from streams.embedded.clickhouse.engine import Engine
from tests.benchmarks.peers.records import Reader
from tests.benchmarks.places import places
from tests.benchmarks.processes import afresh, collecting_as_a_worker
from tests.benchmarks.report import Outcome, say, tabulate
from tests.benchmarks.sample import BATCH, REGISTRY
from tests.benchmarks.stitch import enriched

ROUNDS = 10
"""The first ones pay for new memory, which a worker that has run for a while uses again."""
ROUNDS_OF_ROWS = 2
"""Of the insert of rows, which takes long and is far away."""
LIMIT = 1.5
"""How many times the CPU of the engine's own load the sink may take."""
TOLERATED = 2.0
"""More than so many times the limit is a failed run."""
TABLE = TABLES["interactions"]
TITLES = {
    "sink": "Rihla's sink: to Arrow, insert over HTTP",
    "rows": "clickhouse-connect: insert of rows",
    "arrow": "the engine, from an Arrow file",
    "decode": "before the sink: decode",
    "decode_rows": "before insert of rows: decode (fastavro)",
}


def measure(events: int) -> Outcome:
    """Store so many interactions each way, on a disk and in memory."""
    tables: list[str] = []
    problems: list[str] = []
    found: dict[str, dict[str, Any]] = {}
    for place, folder in places().items():
        say(f"sink: {place}, {folder}")
        # In a process of its own: there is one engine a process, and memory that is free already would be cheaper.
        rows, costs, hashes = afresh(_measured_in, events, folder)
        ratio = costs["sink"] / costs["arrow"]
        table = [[title, costs[way], costs[way] / costs["arrow"]] for way, title in TITLES.items()]
        tables.append(tabulate([f"way ({place})", "us CPU a row", "x arrow"], table))
        if len(set(hashes.values())) > 1:
            problems.append(f"sink: the tables differ ({place}): {hashes}")
        if ratio > TOLERATED * LIMIT:
            problems.append(
                f"sink takes {ratio:.1f} times the engine's own load ({place}), more than twice its limit of {LIMIT:g}"
            )
        found[place] = {
            "sink_rows": rows,
            "sink_cpu_us_per_row": {way: round(costs[way], 2) for way in TITLES},
            "clickhouse_bytes_per_interaction": round(costs["disk_sink"], 1),
            "sink_vs_arrow_load": round(ratio, 2),
            "sink_with_decode_vs_arrow_load": round((costs["sink"] + costs["decode"]) / costs["arrow"], 2),
            "sink_vs_row_insert": round(costs["rows"] / costs["sink"], 2),
        }
    figures = {**found[[*found][-1]], "sink_results_match": not any("differ" in problem for problem in problems)}
    figures |= {f"sink_vs_arrow_load_{place}": figure["sink_vs_arrow_load"] for place, figure in found.items()}
    return Outcome("\n\n".join(tables), figures, problems)


def _measured_in(events: int, place: Path) -> tuple[int, dict[str, float], dict[str, tuple[Any, ...]]]:
    """Rows, and what `_measured` finds of them, in a temporary folder of a place."""
    payloads = [value for _, values in enriched(events) for value in values]
    with collecting_as_a_worker(), tempfile.TemporaryDirectory(prefix="rihla-benchmark-", dir=place) as name:
        folder = Path(name)
        with Database(folder / "engine", folder / "keys") as database:
            return len(payloads), *_measured(database, payloads, folder)


def _measured(
    database: Database, payloads: list[bytes], folder: Path
) -> tuple[dict[str, float], dict[str, tuple[Any, ...]]]:
    """Microseconds a row of each way, the least of the rounds; count and hash of what each stored last."""
    url = database.url_of(OWNER)
    costs: dict[str, float] = {}

    def timed(way: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        found = work()
        cost = (time.process_time() - began) / len(payloads) * 1e6
        costs[way] = min(cost, costs.get(way, cost))
        return found

    file, hashes = folder / "interactions.arrow", dict[str, tuple[Any, ...]]()
    with contextlib.ExitStack() as kept:  # connections, and what the writer has: as in a worker
        clients = {way: kept.enter_context(_fresh(database, f"bench_{way}")) for way in ("sink", "arrow", "rows")}
        loop = kept.enter_context(asyncio.Runner())
        writer = kept.enter_context(contextlib.closing(Writer(lambda: connect(url, clients["sink"].database), TABLE)))
        for number in range(ROUNDS):
            say(f"sink: round {number + 1} of {ROUNDS}")
            frames = timed("decode", lambda: _decoded(payloads))
            arrow = to_arrow(pl.concat(frames), TABLE, 0)
            with pa.OSFile(str(file), "wb") as out, pa.ipc.new_file(out, arrow.schema) as arrow_file:
                arrow_file.write_table(arrow)
            ways: dict[str, Callable[[], Any]] = {
                "sink": partial(loop.run, _write(writer, frames)),
                "arrow": partial(_load, database.engine, "bench_arrow", file),
            }
            if number < ROUNDS_OF_ROWS:
                records = timed("decode_rows", lambda: _records(payloads))
                ways["rows"] = partial(_insert_rows, clients["rows"], records)
            for way, store in ways.items():
                client = clients[way]
                client.command(f"TRUNCATE TABLE {TABLE.store}")
                timed(way, store)
                columns = ", ".join(arrow.column_names)
                found = client.query(f"SELECT count(), sum(sipHash64(toString(({columns})))) FROM {TABLE.store} FINAL")
                hashes[way] = tuple(found.result_rows[0])
                disk = client.query(
                    "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts"
                    f" WHERE active AND database = currentDatabase() AND table = '{TABLE.store}'"
                )
                costs[f"disk_{way}"] = float(disk.result_rows[0][0])
    return costs, hashes


@contextlib.contextmanager
def _fresh(database: Database, name: str) -> Iterator[Client]:
    """A client of an engine's database with empty tables, without merges; gone afterwards."""
    url = database.url_of(OWNER)
    with contextlib.closing(connect(url, None)) as client:
        migrate(client, name)
        database.engine.query(f"SYSTEM STOP MERGES {name}.{TABLE.store}")  # which nobody may over HTTP
        with contextlib.closing(connect(url, name)) as own:
            yield own
        client.command(f"DROP DATABASE {name}")


def _decoded(payloads: list[bytes]) -> list[pl.DataFrame]:
    """A frame for each insert: what has come together is decoded together."""
    decoder = BatchDecoder(TABLE.schema, REGISTRY)
    starts = range(0, len(payloads), ROWS_PER_INSERT)
    return [decoder.decode(payloads[at : at + ROWS_PER_INSERT]).frame for at in starts]


async def _write(writer: Writer, frames: list[pl.DataFrame]) -> None:
    for frame in frames:
        await writer.write(frame, 0)


def _records(payloads: list[bytes]) -> list[list[Any]]:
    read = Reader()
    return [[*(_value(*field) for field in read(payload).items()), 0] for payload in payloads]


def _value(name: str, value: Any) -> Any:
    """A field as `insert` wants it: tuples for records, a dict for a map."""
    if name in TABLE.maps:
        return {item["key"]: item["value"] for item in value}
    if name in ("survey", "money"):
        return tuple(value.values()) if value else (None, None)
    if isinstance(value, list):
        return [tuple(item.values()) for item in value]
    return value


def _insert_rows(client: Client, records: list[list[Any]]) -> None:
    columns = [*(field["name"] for field in inlined(TABLE.schema)["fields"]), "epoch"]
    for start in range(0, len(records), BATCH):
        client.insert(TABLE.store, records[start : start + BATCH], columns)


def _load(engine: Engine, database: str, file: Path) -> None:
    # Over HTTP nobody may read files.
    settings = {name: value for name, value in INSERT_SETTINGS.items() if name != "wait_end_of_query"}
    engine.query(f"INSERT INTO {TABLE.store} SELECT * FROM file('{file}', Arrow)", database=database, settings=settings)
