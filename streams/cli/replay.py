"""`rihla replay`: dead letters back in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options
from streams.cli.replay_deliveries import deliveries

if TYPE_CHECKING:
    from streams.dead_letters.resend import Replayed
    from streams.settings import Settings


def _moment(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """An ISO 8601 time as epoch milliseconds."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not an ISO 8601 time: 2026-03-01, or 2026-03-01T14:00:00Z") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _rate(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        rate = float(value.removesuffix("/s"))
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise click.BadParameter(f"{value!r} is not a number of letters a second: 100, or 100/s")
    return rate


def _reasons(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    from streams.model.dead_letter import REASONS

    for reason in value:
        if reason not in REASONS:
            raise click.BadParameter(f"{reason!r} is none of {', '.join(REASONS)}")
    return value


@click.group(
    invoke_without_command=True,
    epilog="Exit status: 0 if the broker has acknowledged all that was to be sent (perhaps nothing); 1 on an error; 2 "
    "for wrong usage.",
)
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    metavar="REASON",
    callback=_reasons,
    help="Only letters refused for this reason; may be given several times.",
)
@click.option(
    "--topic",
    "topics",
    multiple=True,
    metavar="TOPIC",
    help="Only letters of this topic, with or without the prefix, or file:PATH; may be given several times.",
)
@click.option(
    "--since", metavar="TIME", callback=_moment, help="Only letters refused at that time (ISO 8601) or later."
)
@click.option("--until", metavar="TIME", callback=_moment, help="Only letters refused before that time (ISO 8601).")
@click.option("--limit", type=click.IntRange(1), default=None, metavar="N", help="Send N letters at most.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent. Needs no broker.")
@click.option(
    "--mapping",
    metavar="MAPPING.toml",
    default=None,
    help="Read letters of files by this mapping, mended since; they are those of its files (--topic names one).",
)
@click.option("--rate", metavar="N/s", callback=_rate, help="Send N letters a second at most.")
@click.option(
    "--max-attempts",
    type=click.IntRange(2),
    default=5,
    help="A letter that was tried so often, the first time included, is given up.",
)
@click.option("--again", is_flag=True, help="Send letters that were replayed before, too.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    envvar="RIHLA_DATA",
    show_envvar=True,
    help="The pipeline that `rihla up` runs on this folder, instead of --clickhouse and --brokers.",
)
@options.clickhouse
@options.database
@options.kafka
@click.pass_context
def replay(
    context: click.Context,
    /,
    reasons: tuple[str, ...],
    topics: tuple[str, ...],
    since: int | None,
    until: int | None,
    limit: int | None,
    dry_run: bool,
    mapping: str | None,
    rate: float | None,
    max_attempts: int,
    again: bool,
    data: Path | None,
    **settings: Any,
) -> int:
    """Send dead letters again, whole and with their keys, to the topics that they came from.

    For use when the cause is cured: a schema is registered, a rule is corrected. What is refused again becomes a new
    letter with one attempt more; what was replayed once is not sent again. Lines of files are read again, by --mapping
    if a mapping read them, and fed if they are events by now. docs/dead-letters.md says more.

    \b
      rihla replay --dry-run --data rihla-data
      rihla replay --reason undecodable --since 2026-03-01 --rate 500/s --clickhouse http://ch:8123 --brokers kafka:9092
    """
    if context.invoked_subcommand is not None:
        return 0
    import asyncio
    from contextlib import closing

    from sinks.clickhouse.client import connect
    from streams.dead_letters.lines import MappedLines, OwnLines
    from streams.dead_letters.replay import Choice
    from streams.dead_letters.resend import replay as resend
    from streams.sources.mapping.model import load

    lines = OwnLines() if mapping is None else MappedLines(load(mapping))
    with (
        reached(data, dry_run, settings) as chosen,
        closing(connect(chosen.clickhouse_endpoint, chosen.database)) as client,
    ):
        names = {name for topic in topics for name in (topic, chosen.topic(topic))}
        choice = Choice(reasons, names, since, until, max_attempts, again)
        done = asyncio.run(
            resend(client, chosen, choice, limit=limit, rate=rate, dry_run=dry_run, say=_say, lines=lines)
        )
    _show(done, dry_run)
    return 0


replay.add_command(deliveries)


def _say(text: str) -> None:
    click.echo(text, err=True)


@contextmanager
def reached(data: Path | None, dry_run: bool, flags: dict[str, Any]) -> Iterator[Settings]:
    """The settings of the pipeline that is meant. A dry run opens the database of a folder where none runs."""
    from dataclasses import replace

    from streams.settings import Settings, of_owner

    if data is None:
        yield Settings.from_env(**flags)
        return
    from streams.embedded.clickhouse.access import OWNER
    from streams.embedded.datadir import DataDirectory
    from streams.embedded.reach import database_url, running

    directory = DataDirectory(data)
    owner = directory.owner() if dry_run else running(directory)
    with database_url(directory, "replay", OWNER) as url:
        yield replace(of_owner(None if owner is None else owner.settings), clickhouse=url)


def _show(done: Replayed, dry_run: bool) -> None:
    for (topic, reason), number in sorted(done.sent.items()):
        click.echo(f"{number:>12,}  {reason} of {topic}")
    click.echo(f"{done.total:>12,}  letters {'would be sent' if dry_run else 'sent'}")
    for fate, number in sorted(done.kept.items()):
        click.echo(f"{number:>12,}  {fate}")
    if done.unreadable:
        click.echo(f"{done.unreadable:>12,}  lines of files still unreadable")
    if done.beyond:
        click.echo(f"{done.beyond:>12,}  left by --limit")
