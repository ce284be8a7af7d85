"""`rihla restate`: what a folder has stored, in the spelling of today, into a new folder."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli import options


@click.command(
    epilog="Exit status: 0 if every event is stored; 3 if some are dead letters; 1 if some are not accounted for, or "
    "on an error; 2 for wrong usage."
)
@click.argument("old", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.argument("new", type=click.Path(file_okay=False, path_type=Path))
@options.workers
def restate(old: Path, new: Path, workers: int) -> int:
    """Read all events that the folder OLD has stored, and run them through the whole pipeline into the folder NEW.

    Identifiers and booking references are then in the spelling of today, so `C-77 ` and `C-77` are one customer, and an
    event that was stored under both is stored once. OLD is only read. Afterwards: rihla verify --data NEW.

    \b
      rihla restate rihla-data rihla-data-new && rihla verify --data rihla-data-new
    """
    from contextlib import closing

    import uvloop

    from sinks.clickhouse.client import connect
    from streams.cli.display import live, show_summary
    from streams.cli.run import exit_status
    from streams.embedded.clickhouse.access import OWNER
    from streams.embedded.datadir import DataDirectory
    from streams.embedded.pipeline import Plan
    from streams.embedded.reach import database_url
    from streams.embedded.run import MAX_RESTARTS, Progress, run_sources
    from streams.errors import RihlaError
    from streams.restore.events import spelt_anew

    if new.exists() and any(new.iterdir()):
        raise RihlaError(f"{new} is not empty", "restate writes into a folder of its own")
    with (
        database_url(DataDirectory(old), "restate", OWNER) as url,
        closing(connect(url, "cx")) as client,
        live(progress := Progress()) as say,
    ):
        plan = Plan(data=new, broker="embedded", workers=workers, max_restarts=MAX_RESTARTS)
        summary = uvloop.run(run_sources(plan, [spelt_anew(client, str(old))], progress, say))
    show_summary(summary, new)
    return exit_status(summary)
