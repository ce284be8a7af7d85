"""`rihla restate`: what is stored, in the spelling of today, into a folder or into topics and tables of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from streams.cli import options


@click.command(
    epilog="Exit status: 0 if every event is stored (of a server: sent); 3 if some are dead letters; 1 if some are not "
    "accounted for, or on an error; 2 for wrong usage."
)
@click.argument("old", required=False, type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.argument("new", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--from", "source", metavar="DATABASE", help="Of a server, instead of OLD: the database that has the events."
)
@click.option("--again", is_flag=True, help="With --from: the topics hold what an earlier restate has sent.")
@options.workers
@options.kafka
@options.clickhouse
@options.database
def restate(old: Path | None, new: Path | None, source: str | None, again: bool, workers: int, **settings: Any) -> int:
    """Read all events that the folder OLD has stored, and run them through the whole pipeline into the folder NEW.

    Identifiers and booking references are then in the spelling of today, so `C-77 ` and `C-77` are one customer, and an
    event that was stored under both is stored once. Who was erased stays so. OLD is only read. Afterwards: rihla verify
    --data NEW.

    On a server: with --from, the events of that database are sent to the channels' topics of --prefix, for workers that
    have this prefix and store in --database, both their own. docs/personal-data.md has the steps.

    \b
      rihla restate rihla-data rihla-data-new && rihla verify --data rihla-data-new
      rihla restate --from cx --database cx_new --prefix cx-new --brokers kafka:9092 --clickhouse http://...
    """
    if source is not None:
        if old is not None:
            raise click.UsageError("--from DATABASE, or the folders OLD and NEW: one of both")
        return _topics(source, again, settings)
    if old is None or new is None:
        raise click.UsageError("two folders, OLD and NEW; or of a server --from DATABASE")
    return _folders(old, new, workers)


def _topics(source: str, again: bool, settings: dict[str, Any]) -> int:
    import asyncio
    from contextlib import closing

    from sinks.clickhouse.client import connect
    from streams.errors import RihlaError
    from streams.restore.restate import restate_topics
    from streams.settings import Settings

    chosen = Settings.from_env(**settings)
    if source == chosen.database:
        raise RihlaError(
            f"--from and --database are both {source}", "events are stored anew in a database, and topics, of their own"
        )

    def progress(sent: int) -> None:
        click.echo(f"{sent:,} events sent ...", err=True)

    with (
        closing(connect(chosen.clickhouse, source)) as old,
        closing(connect(chosen.clickhouse, chosen.database)) as new,
    ):
        fed = asyncio.run(restate_topics(old, new, chosen, progress, again=again))
    for channel, number in sorted(fed.events.items()):
        click.echo(f"{number:>12,} {channel} events")
    for reason, number in sorted(fed.bad.items()):
        click.echo(f"{number:>12,} dead letters: {reason}")
    click.echo(
        f"Once the workers of {chosen.prefix} have read them: rihla verify --database {chosen.database} compares."
    )
    return 3 if fed.bad else 0


def _folders(old: Path, new: Path, workers: int) -> int:
    import tempfile

    import uvloop

    from streams.cli.display import live, show_summary
    from streams.cli.run import exit_status
    from streams.embedded.plan import Plan
    from streams.embedded.run import MAX_RESTARTS, Progress, run_files
    from streams.erasure import key
    from streams.errors import RihlaError

    if new.exists() and any(new.iterdir()):
        raise RihlaError(f"{new} is not empty", "restate writes into a folder of its own")
    plan = Plan(data=new, workers=workers, max_restarts=MAX_RESTARTS)
    with tempfile.TemporaryDirectory(prefix="rihla-restate-") as folder:
        events, receipts = (str(Path(folder) / name) for name in ("events.jsonl", "receipts"))
        # A process may have the engine of one folder only.
        _apart(read_old, f"the events of {old} could not be read", str(old), events, receipts)
        if Path(receipts).stat().st_size:
            key.copy(old, new)
        with live(progress := Progress()) as say:
            summary = uvloop.run(run_files(plan, [events], "jsonl", progress, say))
        if Path(receipts).stat().st_size:
            _apart(write_new, f"the receipts of erasures could not be written to {new}", str(new), receipts)
    show_summary(summary, new)
    return exit_status(summary)


def _apart(what: Any, failed: str, *arguments: str) -> None:
    """Run something in a process of its own. Raises RihlaError where it ends badly."""
    import multiprocessing

    from streams.errors import RihlaError

    process = multiprocessing.get_context("spawn").Process(target=what, args=arguments)
    process.start()
    process.join()
    if process.exitcode != 0:
        raise RihlaError(f"{failed}: what is above says why")


def read_old(old: str, events: str, receipts: str) -> None:
    """Write all events that a folder has stored, in the spelling of today, as JSON Lines compressed by gzip; and the
    receipts of its erasures."""
    import gzip

    import orjson

    from streams.restore import restate as stored

    with _database(old) as client, gzip.open(events, "wb", compresslevel=1) as out:
        Path(receipts).write_bytes(stored.receipts(client))
        for batch in stored.spelt_anew(client, old):
            for row in batch.frame.iter_rows(named=True):
                out.write(orjson.dumps({"channel": batch.channel, **row}) + b"\n")


def write_new(new: str, receipts: str) -> None:
    """Store the receipts of erasures in a folder, which follows them from its next start on."""
    from streams.restore.restate import keep_receipts

    with _database(new) as client:
        keep_receipts(client, Path(receipts).read_bytes())


@contextmanager
def _database(folder: str) -> Iterator[Any]:
    """A client on a folder's database, as its owner; an error ends the process with a sentence."""
    import sys
    from contextlib import closing

    from sinks.clickhouse.client import connect
    from streams.embedded.clickhouse.access import OWNER
    from streams.embedded.datadir import DataDirectory
    from streams.embedded.reach import database_url
    from streams.errors import RihlaError

    try:
        with (
            database_url(DataDirectory(Path(folder)), "restate", OWNER) as url,
            closing(connect(url, "cx")) as client,
        ):
            yield client
    except RihlaError as error:
        sys.exit(f"rihla: {error}")
