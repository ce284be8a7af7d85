"""`rihla produce`: files of events to Kafka."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options

if TYPE_CHECKING:
    from streams.settings import Settings


@click.command(
    epilog="Exit status: 0 if the broker has acknowledged every event; 3 if so, but some lines were no events and went "
    "to the dead letters; 1 on an error; 2 for wrong usage."
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@options.adapter
@options.mapping
@options.source
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Send to the pipeline that `rihla up` runs on this folder, instead of --brokers.",
)
@options.kafka
def produce(
    files: tuple[str, ...],
    adapter: str | None,
    mapping: str | None,
    source: str | None,
    data: Path | None,
    **settings: Any,
) -> int:
    """Send events of files to the channels' topics, keyed by customer.

    FILE is JSON Lines (plain, gzip, zst, bz2 or xz; - is standard input) unless --mapping or --adapter says otherwise.
    Lines that are no events at all go to the dead letters, with file and line number.

    \b
      rihla produce events.jsonl --brokers kafka:9092
      tail -f live.jsonl | rihla produce - --data rihla-data
    """
    import asyncio

    from streams.enrich.judge import Judge
    from streams.model import company
    from streams.sources.feeder import produce_files

    chosen = pipeline_settings(data, **settings)
    judge = Judge(company.load(chosen.model).nobody(chosen.nobody_values))
    fed = asyncio.run(produce_files(chosen, files, adapter, mapping, source, judge))
    for channel, number in fed.events.items():
        click.echo(f"{number:>12,} {channel} events")
    for reason, number in fed.bad.items():
        click.echo(f"{number:>12,} dead letters: {reason}")
    for name, number, meant in fed.unknown.lines():
        about = f"; did you mean {meant}?" if meant else ""
        click.echo(f"{number:>12,} events of the touchpoint {name}, which the catalogue does not know{about}")
    for name, number in fed.unread.most_common():
        click.echo(f"{number:>12,} values of {name} could not be read: they are attributes of their events")
    for sentence in fed.broken:
        click.echo(sentence, err=True)
    click.echo(f"{fed.total:>12,} lines acknowledged by {chosen.brokers}")
    if fed.interrupted:
        click.echo("interrupted: what was read is sent, up to the last whole line", err=True)
        return 130
    return 1 if fed.broken else 3 if fed.bad else 0


def pipeline_settings(data: Path | None, **settings: Any) -> Settings:
    """The settings of the pipeline that runs on `data`; without it, those given and RIHLA_* variables.

    Raises SettingsError, RihlaError when nothing runs there, and UsageError where an option of the command line (named
    in `settings`) says otherwise than `data`, which has an answer to all of them.
    """
    from click.core import ParameterSource

    from streams.settings import Settings, of_owner

    if data is None:
        return Settings.from_env(**settings)
    context = click.get_current_context(silent=True)
    typed = [
        f"--{name}"
        for name in settings
        if context is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if typed:
        raise click.UsageError(f"--data says what {', '.join(typed)} would say: leave one of both out")
    from streams.embedded.datadir import DataDirectory
    from streams.embedded.reach import running

    return of_owner(running(DataDirectory(data)).settings)
