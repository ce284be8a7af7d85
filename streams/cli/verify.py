"""`rihla verify`: are the tables what the events make of them?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options

if TYPE_CHECKING:
    from schemas.endpoint import Endpoint
    from streams.model.company import Model
    from streams.settings import Settings
    from streams.verify.topics import Log
    from streams.verify.verify import Report


CURE = (
    "rihla restore sends stored events to stitch and identity again; events that are not stored come again from the "
    "channels, once the group of enrich is reset to the earliest offsets (docs/delivery.md)"
)


@click.command(
    epilog="Exit status: 0 without differences; 1 if there are some, or on an error; 2 for wrong usage. Everything is "
    "held in memory at once: about 2 GB a million interactions."
)
@options.data
@options.server
@options.database
@click.option(
    "--source",
    type=click.Choice(["table", "topics"]),
    default="table",
    help="Recompute from the interactions stored in ClickHouse, or from the topics interactions and links, which must "
    "still hold everything; then the stored interactions and the links are compared, too.",
)
@options.brokers
@options.prefix
@options.registry
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    default=10.0,
    metavar="SECONDS",
    help="Of data in motion, a difference counts if it lasts so long without change, because events may be under way. "
    "What still changes after three times as long is not judged. 0 for data at rest.",
)
@click.option("--limit", type=click.IntRange(0), default=20, help="Differences to show; all are counted.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="A summary for people, or one JSON object.",
)
def verify(
    data: Path,
    clickhouse: str | None,
    database: str,
    source: str,
    settle: float,
    limit: int,
    output_format: str,
    **kafka: Any,
) -> int:
    """Recompute every table from the log of interactions, and compare with what the tables say.

    Who is who is computed anew from the identifiers of the events; then journeys, customers, cases and identities, by
    plain queries that share no code with the workers; then each interaction's customer and journey. Every value that
    differs is told by table, row and column. (Alerts are observations of a moment, and not verified; nor is how often
    an event arrived again.)

    Of a pipeline that runs (`rihla up`), --source topics asks its own broker.

    \b
      rihla verify --data rihla-data
      rihla verify --clickhouse http://user:password@clickhouse:8123 --source topics --brokers kafka:9092
    """
    from contextlib import closing

    from sinks.clickhouse.client import connect
    from streams.model import company
    from streams.registries import registry_of
    from streams.verify import store
    from streams.verify import verify as verification

    with _reached(data, clickhouse, source) as (url, settings, at_rest), closing(connect(url, database)) as client:
        if at_rest:  # nobody else has the folder: an older version's tables are mended here, as `rihla run` would
            store.bring_up_to_date(client, database)
        store.check(client, database)
        model = company.load(settings(kafka).model)
        _say_model(model, store.model(client))
        report = verification.verify(
            client,
            _reader(settings(kafka)) if source == "topics" else None,
            registry=registry_of(settings(kafka)),
            model=model,
            settle=0.0 if at_rest else settle,
            say=lambda text: click.echo(f"{text} ...", err=True),
        )
    if output_format == "json":
        click.echo(_as_json(report, limit))
    else:
        _show(report, limit)
    return 1 if report.differences.height else 0


def _say_model(model: Model, told: tuple[str, str, str] | None) -> None:
    """Say which model is verified with, and that the tables are of another one."""
    if told is None or told[0] == model.hash:
        click.echo(f"verifying by the model {model.hash} ({model.name}) ...", err=True)
        return
    click.echo(
        f"The tables are made under the model {told[0]} ({told[1]}, {told[2]}), and this one is {model.hash} "
        f"({model.name}, {model.source}): what differs between them will differ here. RIHLA_MODEL names the folder; "
        "where the model is the new one, restate history: docs/model.md.",
        err=True,
    )


@contextmanager
def _reached(
    data: Path, clickhouse: str | None, source: str
) -> Iterator[tuple[str | Endpoint, Callable[[dict[str, Any]], Settings], bool]]:
    """Where ClickHouse answers, what makes Kafka's settings of the flags, and whether nothing can be under way."""
    from streams.settings import Settings, of_owner

    if clickhouse is not None:
        yield (
            Settings.from_env(clickhouse=clickhouse).clickhouse_endpoint,
            lambda flags: Settings.from_env(**flags),
            False,
        )
        return
    from streams.embedded.clickhouse.access import OWNER
    from streams.embedded.datadir import DataDirectory
    from streams.embedded.reach import database_url, running

    directory = DataDirectory(data)
    owner = running(directory) if source == "topics" else directory.owner()
    with database_url(directory, "verify", OWNER) as url:
        yield url, lambda flags: of_owner(owner.settings if owner else None), owner is None


def _reader(settings: Settings) -> Callable[[], Log]:
    import asyncio

    from streams.verify.topics import read

    return lambda: asyncio.run(read(settings))


def _show(report: Report, limit: int) -> None:
    """The report for people, on stdout."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("table")
    table.add_column("rows compared", justify="right")
    table.add_column("rows that differ", justify="right")
    for name, differing in report.differing_rows.items():
        table.add_row(
            name, f"{report.rows.get(name, 0):,}", Text(f"{differing:,}", style="bold red" if differing else "")
        )
    console.print(table)
    console.print(f"\nrecomputed from {report.events:,} interactions in {report.seconds:.1f} s")
    if report.moving.height:
        console.print(f"{report.moving['key'].n_unique():,} rows were still changing, and are not judged")
    if report.unheard:
        console.print(
            f"{report.unheard:,} rows differ and are not judged: news of who is who, or parts, of their customers "
            "could not be processed (dead letters of identities and parts); rihla restore sends them again",
            soft_wrap=True,
        )
    number = report.differences.height
    if not number:
        console.print(Text("No differences.", style="green"))
        return
    said = "1 value is not as it should be:" if number == 1 else f"{number:,} values are not as they should be:"
    console.print(Text(said, style="bold red"))
    for row in report.differences.head(limit).iter_rows():
        name, key, column, expected, found = (value if value is not None else "nothing" for value in row)
        console.print(Text(f"  {name} {key}: {column}: expected {expected}, found {found}"), soft_wrap=True)
    if number > limit:
        console.print(f"  and {number - limit:,} more (--limit)")
    for said in report.missed:
        console.print(Text(f"  {said}", style="yellow"), soft_wrap=True)
    if report.missed:
        console.print(Text(f"What may mend it: {CURE}"), soft_wrap=True)


def _as_json(report: Report, limit: int) -> str:
    """The report as one JSON object."""
    import orjson

    differing = report.differing_rows
    return orjson.dumps(
        {
            "source": report.source,
            "interactions": report.events,
            "tables": {
                name: {"rows": report.rows.get(name, 0), "rows_that_differ": rows} for name, rows in differing.items()
            },
            "differences": report.differences.height,
            "missed": report.missed,
            "unheard": report.unheard,
            "moving": report.moving.height,
            "shown": report.differences.head(limit).to_dicts(),
            "looks": report.looks,
            "seconds": round(report.seconds, 3),
        }
    ).decode()
