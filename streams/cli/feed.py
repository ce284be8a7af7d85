"""`rihla feed`: a topic of somebody else's, by a mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from streams.cli import options


@click.command(
    epilog="Exit status: 0 when it was stopped (Ctrl-C, SIGTERM), or has read to the end; 1 on an error; 2 for wrong "
    "usage."
)
@click.argument("topic")
@click.option(
    "--mapping", required=True, envvar="RIHLA_MAPPING", show_envvar=True, metavar="MAPPING.toml", help="Mapping."
)
@click.option(
    "--group",
    default=None,
    metavar="GROUP",
    help="Group of consumers; PREFIX-feed-TOPIC without it. Another one reads the topic from its beginning.",
)
@click.option(
    "--schema",
    type=click.Path(exists=True, path_type=Path),
    default=None,
    help="File of the schema of all values, where no registry has it: .avsc, or .desc of Protobuf. Of Glue's registry, "
    "a folder of them: UUID.avsc of each version.",
)
@click.option("--to-end", is_flag=True, help="Stop where the topic ends now.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Read and send on the broker of the pipeline that `rihla up` runs on this folder, instead of --brokers.",
)
@options.kafka
def feed(
    topic: str,
    mapping: str,
    group: str | None,
    schema: Path | None,
    to_end: bool,
    data: Path | None,
    **settings: Any,
) -> int:
    """Read TOPIC, which others write in their own form, and send what --mapping makes of it to the channels' topics.

    Values are JSON, or Avro, Protobuf and JSON Schema with the header of Confluent's, Karapace's, Redpanda's or
    Apicurio's registry (--registry), or of AWS Glue with --schema. It reads on where its group left off; a record that
    is read twice makes the same events, which are stored once. docs/ways-in.md says more.

    \b
      rihla feed pms.reservations --mapping pms.toml --brokers kafka:9092 --registry http://registry:8081
    """
    import asyncio
    import signal

    from schemas.foreign import ForeignReader
    from schemas.registry import HttpRegistry
    from streams.cli.produce import pipeline_settings
    from streams.kafka.acls import feed_group
    from streams.registries import registry_of
    from streams.settings import Settings
    from streams.sources.mapping.model import load
    from streams.sources.topics import Read, feed_topic

    registry = registry_of(Settings.from_env(**settings))  # the topic's; that of the pipeline on --data is its own
    chosen = pipeline_settings(
        data, **{name: one for name, one in settings.items() if data is None or name != "registry"}
    )
    reader = ForeignReader(registry if isinstance(registry, HttpRegistry) else None, schema)

    async def main() -> Read:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await feed_topic(
            chosen,
            topic,
            load(mapping),
            reader,
            group=group or feed_group(chosen, topic),
            to_end=to_end,
            stop=stop,
        )

    read = asyncio.run(main())
    click.echo(f"{read.records:>12,} records of {topic}")
    for channel, number in sorted(read.events.items()):
        click.echo(f"{number:>12,} {channel} events")
    for reason, number in sorted(read.letters.items()):
        click.echo(f"{number:>12,} dead letters: {reason}; the first, of {read.examples[reason]}")
    if read.tombstones:
        click.echo(f"{read.tombstones:>12,} tombstones")
    if read.silent:
        click.echo(f"{read.silent:>12,} records meet the condition of no event")
    if read.uncommitted:
        click.echo(f"{read.uncommitted:>12,} not read: behind a transaction that is open")
    return 0
