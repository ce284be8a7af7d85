"""Flags that several commands share; each is also a RIHLA_* variable, as in streams.settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]

DEFAULT_DATA = "rihla-data"


class Secret(click.Option):
    """An option that may hold a secret: instead of its variable, VARIABLE_FILE may name a file with the value."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The value that the environment gives. Raises SecretError."""
        from streams.secret_files import secret

        return secret(str(self.envvar)) or None


def _folder(ctx: click.Context, parameter: click.Parameter, value: Path) -> Path:
    if value.exists() and not value.is_dir():  # a device, a pipe: click looks for plain files alone
        raise click.BadParameter(f"{value} is no folder")
    return value


data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    callback=_folder,
    default=DEFAULT_DATA,
    envvar="RIHLA_DATA",
    show_envvar=True,
    help="Folder of the embedded pipeline.",
)
clickhouse = click.option(
    "--clickhouse",
    cls=Secret,
    envvar="RIHLA_CLICKHOUSE",
    show_envvar=True,
    metavar="URL",
    default="http://127.0.0.1:8123",
    help="ClickHouse over HTTP: http://user:password@host:8123.",
)
server = click.option(
    "--clickhouse",
    cls=Secret,
    envvar="RIHLA_CLICKHOUSE",
    show_envvar=True,
    metavar="URL",
    default=None,
    help="A server, instead of --data: http://user:password@host:8123.",
)
database = click.option(
    "--database", envvar="RIHLA_DATABASE", show_envvar=True, default="cx", help="Database in ClickHouse."
)
brokers = click.option(
    "--brokers",
    envvar="RIHLA_BROKERS",
    show_envvar=True,
    default="127.0.0.1:9092",
    metavar="HOST:PORT,...",
    help="Kafka brokers.",
)
prefix = click.option(
    "--prefix", envvar="RIHLA_PREFIX", show_envvar=True, default="cx", help="First part of all topic and group names."
)
partitions = click.option(
    "--partitions",
    envvar="RIHLA_PARTITIONS",
    show_envvar=True,
    default=4,
    type=click.IntRange(1),
    help="Partitions of topics that are missing and so are made.",
)
replication = click.option(
    "--replication",
    envvar="RIHLA_REPLICATION",
    show_envvar=True,
    default=1,
    type=click.IntRange(1),
    help="Replicas of topics that are missing and so are made.",
)
registry = click.option(
    "--registry",
    cls=Secret,
    envvar="RIHLA_REGISTRY",
    show_envvar=True,
    metavar="URL",
    default=None,
    show_default="the files of schemas/",
    help="Schema registry (Confluent's HTTP API).",
)
wire = click.option(
    "--wire",
    envvar="RIHLA_WIRE",
    show_envvar=True,
    default="single-object",
    type=click.Choice(["single-object", "confluent"]),
    help="Wire format of what is written; both are read.",
)
metrics_host = click.option(
    "--metrics-host",
    envvar="RIHLA_METRICS_HOST",
    show_envvar=True,
    default="127.0.0.1",
    help="Address of /metrics, /healthz, /readyz and /progress.",
)
metrics_port = click.option(
    "--metrics-port",
    envvar="RIHLA_METRICS_PORT",
    show_envvar=True,
    default=9100,
    type=click.IntRange(0, 65535),
    help="Port of /metrics and its neighbours; 0 takes a free one and logs it.",
)


def _broker(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    if value not in ("tansu", "kafka") and not value.rpartition(":")[2].isdigit():
        raise click.BadParameter(f"{value!r} is neither tansu, kafka nor HOST:PORT")
    return value


embedded_broker = click.option(
    "--broker",
    envvar="RIHLA_EMBEDDED_BROKER",
    show_envvar=True,
    default="tansu",
    metavar="tansu|kafka|HOST:PORT",
    callback=_broker,
    help="tansu: in memory, needs nothing. kafka: a managed Apache Kafka that keeps its log in --data, needs Java and "
    "its jars (make kafka). Or one that runs already.",
)
workers = click.option(
    "--workers",
    envvar="RIHLA_WORKERS",
    show_envvar=True,
    default=1,
    type=click.IntRange(1, 16),
    help="Processes of each of enrich, stitch and sink; the embedded broker's topics have as many partitions.",
)


def together(*options: Decorator[Any]) -> Decorator[Any]:
    """Several options as one decorator, shown in the order given."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


kafka = together(brokers, prefix, partitions, replication, registry, wire)
"""How to reach Kafka and how to write to it; the names are those of Settings."""

adapter = click.option(
    "--adapter",
    envvar="RIHLA_ADAPTER",
    show_envvar=True,
    metavar="NAME",
    default=None,
    show_default="jsonl",
    help="Format of the files: jsonl, hotel-bookings.",
)
mapping = click.option(
    "--mapping",
    envvar="RIHLA_MAPPING",
    show_envvar=True,
    metavar="MAPPING.toml",
    default=None,
    help="What CSV, TSV, JSON, Parquet or Excel files mean; rihla map init FILE proposes one.",
)
source = click.option(
    "--source",
    metavar="NAME",
    default=None,
    help="System whose events the JSON Lines are: event ids of any form then become UUIDs, of it and the id.",
)
