"""`rihla forget`: erase a person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options
from streams.errors import RihlaError

if TYPE_CHECKING:
    from streams.erasure.forget import Outcome
    from streams.erasure.receipt import Receipt

REMAINS = 4


@click.command(
    epilog="Exit status: 0 if no table holds a name of the person any more; 4 if a search still finds one (where, is "
    "said); 1 on an error; 2 for wrong usage."
)
@click.argument("identifier", metavar="ID")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    envvar="RIHLA_DATA",
    show_envvar=True,
    help="An embedded pipeline, running or not, instead of --clickhouse and --brokers.",
)
@options.clickhouse
@options.database
@options.kafka
@click.option(
    "--later-events",
    type=click.Choice(["refuse", "anew"]),
    default="refuse",
    envvar="RIHLA_ERASED",
    show_envvar=True,
    help="Events of the person that arrive later: refuse all, or let those that happen from now on begin anew.",
)
@click.option("--reference", default="", metavar="TEXT", help="What the request is known by; kept in the receipt.")
@click.option(
    "--delete-records",
    is_flag=True,
    help="Delete from the input and output topics, too, everything (of everybody) that Rihla has stored already.",
)
def forget(
    identifier: str,
    data: Path | None,
    clickhouse: str,
    database: str,
    later_events: str,
    reference: str,
    delete_records: bool,
    **kafka: Any,
) -> int:
    """Erase the person that ID (a customer_id, or KIND:VALUE) belongs to, with every identifier joined to it.

    State, the identity graph, compacted topics, dead letters and every ClickHouse table lose the person; the table
    erasures gets a receipt that names nobody. Works while events flow. docs/erasure.md says what remains, and where.

    Outside of --data, RIHLA_ERASURE_KEY must be the same secret here as in every worker.

    \b
      rihla forget C001234 --data rihla-data
      rihla forget email_sha256:9f86... --clickhouse http://ch:8123 --brokers kafka:9092 --reference "letter 17"
    """
    from streams.erasure.receipt import Receipt

    receipt = Receipt(later_events, reference)
    if data is not None:
        outcome = _embedded(data, identifier, receipt, delete_records)
    else:
        outcome = _production(identifier, receipt, delete_records, clickhouse=clickhouse, database=database, **kafka)
    _show(outcome)
    return REMAINS if outcome.receipt.remaining else 0


def _say(text: str) -> None:
    click.echo(text, err=True)


def _production(identifier: str, receipt: Receipt, delete_records: bool, **settings: Any) -> Outcome:
    import asyncio
    from contextlib import closing

    from sinks.clickhouse.client import connect
    from streams.erasure.forget import forget as erase
    from streams.erasure.key import VARIABLE, from_environment
    from streams.settings import Settings

    key = from_environment()
    if key is None:
        raise RihlaError(f"{VARIABLE} is not set", "set it to the same secret here and for every worker")
    chosen = Settings.from_env(**settings)
    with closing(connect(chosen.clickhouse_endpoint, chosen.database)) as client:
        return asyncio.run(erase(client, chosen, {}, identifier, receipt, key, _say, delete_records=delete_records))


def _embedded(data: Path, identifier: str, receipt: Receipt, delete_records: bool) -> Outcome:
    import asyncio
    from contextlib import closing
    from dataclasses import replace

    from sinks.clickhouse.client import connect
    from streams.embedded.clickhouse.access import OWNER
    from streams.embedded.datadir import DataDirectory
    from streams.embedded.reach import database_url
    from streams.erasure import forget as erasing
    from streams.erasure.key import VARIABLE, from_environment, of_folder
    from streams.settings import of_owner

    directory = DataDirectory(data)
    owner, history = directory.owner(), directory.history()
    if owner is None and history is not None and history.broker != "tansu":
        raise RihlaError(
            f"the broker of {data} keeps a log, from which the person can be erased only while the pipeline runs",
            f"start it first: rihla up --data {data} --broker {history.broker}",
        )
    with database_url(directory, "forget", OWNER) as url:
        key = from_environment({VARIABLE: of_folder(data)})
        assert key is not None
        settings = replace(of_owner(None if owner is None else owner.settings), clickhouse=url)
        with closing(connect(url, settings.database)) as client:
            if owner is None:
                _migrated(url, settings.database)
                return erasing.forget_stored(client, identifier, receipt, key, _say)
            addresses: dict[str, list[str]] = {}
            for name, address in owner.workers.items():
                addresses.setdefault(name.partition("-")[0], []).append(address)
            return asyncio.run(
                erasing.forget(
                    client, settings, addresses, identifier, receipt, key, _say, delete_records=delete_records
                )
            )


def _migrated(url: str, database: str) -> None:
    """A folder that an earlier version wrote has no table for the receipt yet."""
    from contextlib import closing

    from sinks.clickhouse.client import connect
    from sinks.clickhouse.migrate import migrate

    with closing(connect(url, None)) as client:
        migrate(client, database)


def _show(outcome: Outcome) -> None:
    receipt = outcome.receipt
    kinds = ", ".join(f"{count} {kind}" for kind, count in receipt.kinds.items())
    click.echo(f"erased        {kinds}")
    for table, rows in receipt.erased_rows.items():
        click.echo(f"{rows:>12,}  rows of {table}, every stored version counted")
    later = "refused" if receipt.refused_until is None else f"refused up to {receipt.refused_until:%Y-%m-%dT%H:%M:%SZ}"
    click.echo(f"later events  {later}")
    click.echo(f"receipt       {receipt.erasure_id} in the table erasures")
    for topic, how_long in outcome.kept:
        click.echo(f"still in      {topic}: {how_long}")
    for refused in outcome.not_deleted:
        click.echo(f"not deleted   {refused}")
    if receipt.remaining:
        for table, rows in receipt.remaining.items():
            click.echo(f"REMAINS       {rows:,} rows of {table} hold a name of the person in some text")
    else:
        click.echo("searched      no table holds a name of the person")
