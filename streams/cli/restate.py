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
    import multiprocessing
    import tempfile

    import uvloop

    from streams.cli.display import live, show_summary
    from streams.cli.run import exit_status
    from streams.embedded.pipeline import Plan
    from streams.embedded.run import MAX_RESTARTS, Progress, run_files
    from streams.errors import RihlaError

    if new.exists() and any(new.iterdir()):
        raise RihlaError(f"{new} is not empty", "restate writes into a folder of its own")
    plan = Plan(data=new, workers=workers, max_restarts=MAX_RESTARTS)
    with tempfile.TemporaryDirectory(prefix="rihla-restate-") as folder:
        events = str(Path(folder) / "events.jsonl")
        # A process may have the engine of one folder only.
        reading = multiprocessing.get_context("spawn").Process(target=write_events, args=(str(old), events))
        reading.start()
        reading.join()
        if reading.exitcode != 0:
            raise RihlaError(f"the events of {old} could not be read: what is above says why")
        with live(progress := Progress()) as say:
            summary = uvloop.run(run_files(plan, [events], "jsonl", progress, say))
    show_summary(summary, new)
    return exit_status(summary)


def write_events(old: str, path: str) -> None:
    """Write all events that a folder has stored, in the spelling of today, as JSON Lines compressed by gzip."""
    import gzip
    import sys
    from contextlib import closing

    import orjson

    from sinks.clickhouse.client import connect
    from streams.embedded.clickhouse.access import OWNER
    from streams.embedded.datadir import DataDirectory
    from streams.embedded.reach import database_url
    from streams.errors import RihlaError
    from streams.restore.events import spelt_anew

    try:
        with (
            database_url(DataDirectory(Path(old)), "restate", OWNER) as url,
            closing(connect(url, "cx")) as client,
            gzip.open(path, "wb", compresslevel=1) as out,
        ):
            for batch in spelt_anew(client, old):
                for row in batch.frame.iter_rows(named=True):
                    out.write(orjson.dumps({"channel": batch.channel, **row}) + b"\n")
    except RihlaError as error:
        sys.exit(f"rihla: {error}")
