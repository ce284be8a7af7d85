"""`rihla simulate`: synthetic travellers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options

if TYPE_CHECKING:
    from streams.sources.simulate import Options

_SHARE = click.FloatRange(0, 1)


def _day(ctx: click.Context, parameter: click.Parameter, value: datetime) -> date:
    return value.date()


def _words(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(word.strip() for word in value.split(",") if word.strip())


@click.command()
@click.option("--out", default="-", metavar="FILE", help="JSON Lines to write; - is standard output.")
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What the tables must hold, beside.",
)
@click.option(
    "--units",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="The units of their world, for rihla units load.",
)
@click.option(
    "--to-kafka", is_flag=True, help="Send the events to --brokers (or to the pipeline on --data) instead of --out."
)
@click.option("--customers", default=1000, type=click.IntRange(1), help="How many people there are.")
@click.option("--seed", default=1, type=int, help="The same seed and options give the same events.")
@click.option("--trips", default=1.4, type=click.FloatRange(1, 10), help="Mean number of trips of a lead.")
@click.option(
    "--start", default="2024-01-01", type=click.DateTime(["%Y-%m-%d"]), callback=_day, help="The first day, UTC."
)
@click.option("--days", default=540, type=click.IntRange(30), help="How many days it goes on.")
@click.option("--languages", default="en,ar,id,ms,tr,ur", callback=_words, help="In which people write.")
@click.option("--caravans", default=0, type=click.IntRange(0), help="Groups of pilgrims, beside these people.")
@click.option(
    "--part-cancelled", default=0.0, type=_SHARE, help="Share of bookings for several of which a part is cancelled."
)
@click.option(
    "--unfinished",
    default=0.0,
    type=_SHARE,
    help="Share of bookings of which some milestone is the last one reported, though they go on: they time out.",
)
@click.option("--duplicates", default=0.02, type=_SHARE, help="Duplicates for each good event.")
@click.option("--disorder", default=0.1, type=_SHARE, help="0: in the order of time; 1: fully shuffled.")
@click.option("--late", default=0.02, type=_SHARE, help="Share of events that come up to 60 days late.")
@click.option("--bad", default=0.0, type=_SHARE, help="Bad events for each good one.")
@click.option("--bad-kinds", default=None, callback=_words, show_default="all", help="Of these dead-letter reasons.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="With --to-kafka: the pipeline that `rihla up` runs on this folder, instead of --brokers.",
)
@options.kafka
def simulate(
    out: str,
    truth: Path | None,
    units: Path | None,
    to_kafka: bool,
    data: Path | None,
    bad_kinds: tuple[str, ...] | None,
    brokers: str,
    prefix: str,
    partitions: int,
    replication: int,
    registry: str | None,
    wire: str,
    **chosen: Any,
) -> None:
    """Make synthetic travellers: seeded events, and with --truth what the tables must hold of them.

    People book, check in, stay and tell; on several channels, in six languages, some as a family or through an agency;
    events come late, twice, out of order and, if asked for, bad.

    \b
      rihla simulate --customers 2000 --out events.jsonl --truth truth.jsonl
      rihla simulate --bad 0.01 --to-kafka --data rihla-data
    """
    from streams.sources.simulate import Options

    if bad_kinds is not None:
        chosen["bad_kinds"] = bad_kinds
    try:
        plan = Options(**chosen)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if units is not None:
        from streams.sources.simulate.units import write_units

        write_units(units)
    if to_kafka:
        import asyncio

        from streams.cli.produce import pipeline_settings
        from streams.sources.feeder import produce_files

        settings = pipeline_settings(
            data,
            brokers=brokers,
            prefix=prefix,
            partitions=partitions,
            replication=replication,
            registry=registry,
            wire=wire,
        )
        with _temporary() as events:
            summary = _write(plan, events, truth)
            asyncio.run(produce_files(settings, [str(events)], "jsonl"))
        out = settings.brokers
    else:
        summary = _write(plan, Path("/dev/stdout") if out == "-" else Path(out), truth)
    told = f"{summary['events']:,} events of {summary['customers']:,} customers to {'stdout' if out == '-' else out}"
    click.echo(f"{told} ({summary['duplicates']:,} duplicates, {summary['bad']:,} bad)", err=True)


@contextmanager
def _temporary() -> Iterator[Path]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="rihla-") as folder:
        yield Path(folder) / "events.jsonl"


def _write(plan: Options, events: Path, truth: Path | None) -> dict[str, Any]:
    from streams.sources.simulate import write

    for file in (events, truth):
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
    return write(plan, events, truth)
