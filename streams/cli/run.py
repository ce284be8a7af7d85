"""`rihla run`: the whole pipeline, embedded, over files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli import options

if TYPE_CHECKING:
    from streams.embedded.run import Summary

SOME_REFUSED = 3
NOT_ACCOUNTED_FOR = 1


@click.command(
    epilog="Exit status: 0 if every event is stored (now or before); 3 if every event is accounted for, but some are "
    "dead letters; 1 if some are not accounted for, or on an error; 2 for wrong usage."
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@options.data
@options.adapter
@options.mapping
@options.source
@options.embedded_broker
@options.workers
def run(
    files: tuple[str, ...],
    data: Path,
    adapter: str | None,
    mapping: str | None,
    source: str | None,
    broker: str,
    workers: int,
) -> int:
    """Run the whole pipeline over files of events: start it, feed them, wait until all is stored, and print a summary.

    FILE is JSON Lines (plain, gzip, zst, bz2 or xz; - is standard input) unless --mapping or --adapter says otherwise.
    What is stored stays in --data, ready for `rihla query`. A file may be run again: nothing is stored twice.

    \b
      rihla run events.jsonl.gz
      rihla run reservations.csv --mapping mapping.toml
      rihla run hotel_bookings.csv.gz --adapter hotel-bookings --data ./hotels
    """
    from streams.lean_imports import without_collecting

    with without_collecting():
        import uvloop

        from streams.cli.display import live, show_summary
        from streams.embedded.plan import Plan
        from streams.embedded.run import MAX_RESTARTS, Progress, run_files

    plan = Plan(data=data, broker=broker, workers=workers, max_restarts=MAX_RESTARTS)
    progress = Progress()
    try:
        with live(progress) as say:
            summary = uvloop.run(run_files(plan, files, adapter, progress, say, mapping, source))
    except KeyboardInterrupt:
        click.echo("stopped before the end: run the same files again, nothing is stored twice", err=True)
        raise
    show_summary(summary, data)
    return exit_status(summary)


def exit_status(summary: Summary) -> int:
    """0, 1 or 3, as the help says."""
    if not summary.complete or summary.broken:
        return NOT_ACCOUNTED_FOR
    return SOME_REFUSED if summary.dead_letters else 0
