"""`rihla guests`: what guests are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from streams.cli import options


@click.group()
def guests() -> None:
    """What guests are told after a complaint: approve a draft, tell of what was mended (docs/guests.md).

    \b
      rihla query drafts
      rihla guests approve MESSAGE_ID --person Fatima
      rihla guests told cleanliness --unit MAKKAH-01 --since 2026-11-01 --done "a second shift cleans the rooms"
    """


def _reached(command: Callable[..., int]) -> Callable[..., int]:
    """The options by which a pipeline is found."""
    data = click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        envvar="RIHLA_DATA",
        show_envvar=True,
        help="The pipeline that `rihla up` runs on this folder, instead of --clickhouse and --brokers.",
    )
    with_data: Callable[..., int] = data(options.clickhouse(options.database(options.kafka(command))))
    return with_data


STATUS = "Exit status: 0 if the broker has acknowledged it; 1 on an error; 2 for wrong usage."


@guests.command(epilog=STATUS)
@click.argument("message_id", nargs=-1, required=True)
@click.option("--person", required=True, help="Who approves: a name or a staff number, no address.")
@_reached
def approve(message_id: tuple[str, ...], person: str, data: Path | None, **settings: Any) -> int:
    """Approve drafts (`rihla query drafts` lists them): they are sent by the routes, while consent holds."""
    return _judge(message_id, person, True, data, settings)


@guests.command(epilog=STATUS)
@click.argument("message_id", nargs=-1, required=True)
@click.option("--person", required=True, help="Who rejects: a name or a staff number, no address.")
@_reached
def reject(message_id: tuple[str, ...], person: str, data: Path | None, **settings: Any) -> int:
    """Reject drafts, or approved messages that are not sent yet."""
    return _judge(message_id, person, False, data, settings)


@guests.command(epilog=STATUS)
@click.argument("aspect")
@click.option("--unit", default=None, help="Only those who complained of it at this unit.")
@click.option("--since", required=True, metavar="DAY", help="The first day (UTC) of the complaints: 2026-11-01.")
@click.option("--done", required=True, help="What was done, as guests will read it.")
@click.option("--dry-run", is_flag=True, help="Only say how many have complained.")
@_reached
def told(
    aspect: str, unit: str | None, since: str, done: str, dry_run: bool, data: Path | None, **settings: Any
) -> int:
    """Draft a message to everybody who complained of ASPECT: you said, we did.

    Each is an event of the customer with an id that follows from what is said, so that the same again is no news.
    """
    from datetime import UTC, datetime

    from streams.clock import now_ms
    from streams.errors import RihlaError
    from streams.guest import events
    from streams.model.vocabulary import ASPECTS

    if aspect not in ASPECTS:
        raise RihlaError(f"{aspect!r} is no aspect", f"there are {', '.join(ASPECTS)}")
    try:
        first = datetime.fromisoformat(since).replace(tzinfo=UTC)
    except ValueError:
        raise RihlaError(f"--since {since!r} is no day", "give it as 2026-11-01") from None
    asked = {"aspect": aspect, "unit": unit or "", "since": int(first.timestamp() * 1000)}

    def make(client: Any) -> Sequence[Mapping[str, Any]]:
        rows = client.query(_COMPLAINED, asked).result_rows
        every = [events.made(customer, aspect, where, since, done, now_ms()) for customer, where in rows]
        before = {id_ for (id_,) in client.query(_MADE, {"made": events.MADE}).result_rows}
        return [one for one in every if one["event_id"] not in before]  # the same id at another time is not the same

    return _send(make, data, settings, dry_run, "customers complained of it" if dry_run else "drafts are to be made")


_COMPLAINED = """
SELECT customer_id, argMax(unit, occurred_at) FROM interactions
WHERE customer_id IS NOT NULL AND occurred_at >= fromUnixTimestamp64Milli({since:Int64})
    AND ({unit:String} = '' OR unit = {unit:String})
    AND arrayExists(one -> one.aspect = {aspect:String} AND ifNull(one.score, ifNull(score, 0)) < 0, aspects)
GROUP BY customer_id ORDER BY customer_id
"""
_MADE = "SELECT event_id FROM interactions WHERE touchpoint = {made:String}"
_MESSAGE = (
    "SELECT customer_id, journey_id, case_id, unit, event_id, status, judged_at FROM messages "
    "WHERE message_id = {id:String}"
)


def _judge(ids: Sequence[str], person: str, is_good: bool, data: Path | None, settings: Mapping[str, Any]) -> int:
    from streams.clock import now_ms
    from streams.errors import RihlaError
    from streams.guest import events

    def make(client: Any) -> Sequence[Mapping[str, Any]]:
        made = []
        for id_ in ids:
            result = client.query(_MESSAGE, {"id": id_})
            if not result.result_rows:
                raise RihlaError(f"there is no message {id_}", "rihla query drafts lists those that wait")
            row = dict(zip(result.column_names, result.result_rows[0], strict=True))
            if row["status"] not in ("draft", "approved", "rejected"):
                raise RihlaError(f"the message {id_} is {row['status']}, so there is nothing to decide")
            made.append(events.judged({**row, "version": row["judged_at"]}, is_good, person, now_ms()))
        return made

    return _send(make, data, settings, False, "approved" if is_good else "rejected")


def _send(
    make: Callable[[Any], Sequence[Mapping[str, Any]]],
    data: Path | None,
    settings: Mapping[str, Any],
    dry_run: bool,
    said: str,
) -> int:
    """Send the events that are made of what ClickHouse has."""
    import asyncio
    from contextlib import closing

    from schemas.encode import BatchEncoder
    from sinks.clickhouse.client import connect
    from streams.cli.replay import reached
    from streams.kafka.acl_check import require
    from streams.kafka.batch_producer import BatchProducer
    from streams.registries import registry_of
    from streams.sources.feeder import producing
    from streams.sources.lines import frame_of

    async def send(lines: Sequence[Mapping[str, Any]]) -> None:
        frame, keys = frame_of("post_travel", lines)
        await require(chosen, "produce")
        async with producing(chosen) as producer:
            output = BatchProducer(producer, chosen.topic("post-travel"))
            await output.send(keys, BatchEncoder("post_travel", registry_of(chosen), chosen.wire).encode(frame))
            await output.flush()

    with (
        reached(data, dry_run, dict(settings)) as chosen,
        closing(connect(chosen.clickhouse_endpoint, chosen.database)) as client,
    ):
        lines = make(client)
        if lines and not dry_run:
            asyncio.run(send(lines))
    click.echo(f"{len(lines):>12,}  {said}")
    return 0
