"""`rihla rebuild`: history restated by a changed model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options

if TYPE_CHECKING:
    from streams.restore.rewrite import Rewritten


@click.command(
    epilog="Exit status: 0 when everything is rebuilt (of a server: sent to the topics); 3 if the model lets some "
    "events in no longer, which are dead letters now; 1 on an error; 2 for wrong usage."
)
@options.data
@options.embedded_broker
@options.workers
@options.server
@options.database
@options.kafka
@click.option("--again", is_flag=True, help="Of a server: a rebuild was broken off, or no worker has run since.")
def rebuild(
    data: Path, broker: str, workers: int, clickhouse: str | None, database: str, again: bool, **kafka: Any
) -> int:
    """Make everything that is stored anew by the model that RIHLA_MODEL names: scores, aspects, answers and brands of
    interactions; who is who; journeys, customers, cases and segments.

    Workers must be stopped. In a folder this starts the pipeline, waits until the tables are exact, and stops it
    (`rihla run` and `rihla up` do the same when they find another model). On a server it fills the topics; then start
    the workers with the epoch that is printed: until it is done, none starts. Broken off, it is called with --again.
    rihla verify compares afterwards.

    \b
      RIHLA_MODEL=./model rihla rebuild --data rihla-data && rihla verify --data rihla-data
      rihla rebuild --clickhouse http://user:password@clickhouse:8123 --brokers kafka:9092
    """
    if clickhouse is None:
        done = _folder(data, broker, workers)
    else:
        done = _server(again, {"clickhouse": clickhouse, "database": database, **kafka})
    return 3 if done.refused else 0


def _folder(data: Path, broker: str, workers: int) -> Rewritten:
    import uvloop

    from streams.cli.display import live
    from streams.embedded.pipeline import Pipeline
    from streams.embedded.plan import Plan
    from streams.embedded.run import MAX_RESTARTS, Progress
    from streams.embedded.up import until_exact
    from streams.errors import RihlaError

    if not (data / "clickhouse").is_dir():
        raise RihlaError(f"there is no database in {data}", "name a folder with --data, or a server with --clickhouse")
    plan = Plan(data=data, broker=broker, workers=workers, max_restarts=MAX_RESTARTS, rebuild=True)
    progress = Progress()

    async def work() -> Rewritten:
        async with Pipeline(plan, "rebuild", say, progress.restore) as pipeline:
            if pipeline.restored.events:
                await until_exact(pipeline)
            assert pipeline.rewritten is not None
            return pipeline.rewritten

    with live(progress) as say:
        done = uvloop.run(work())
    _show(done)
    click.echo(f"Rebuilt. Compare with: rihla verify --data {data}")
    return done


def _server(again: bool, flags: dict[str, Any]) -> Rewritten:
    import asyncio
    from contextlib import closing

    from sinks.clickhouse.client import connect
    from streams.restore.rebuild import rebuild
    from streams.settings import Settings

    settings = Settings.from_env(**flags)

    def progress(events: int) -> None:
        click.echo(f"{events:,} events ...", err=True)

    with closing(connect(settings.clickhouse_endpoint, settings.database)) as client:
        done = asyncio.run(rebuild(client, settings, progress, again=again))
    _show(done.rewritten)
    click.echo(
        f"{done.events:,} events sent. Start the workers with RIHLA_EPOCH={done.epoch}; once they have read them, "
        "rihla verify compares. Customer 360: remove its folder, and start it again."
    )
    return done.rewritten


def _show(done: Rewritten) -> None:
    click.echo(f"{done.events:,} interactions made anew, of which {done.changed:,} are not as they were")
    for reason, number in sorted(done.refused.items()):
        click.echo(f"{number:>12,} of them dead letters: {reason}")
