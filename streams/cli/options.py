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


def _setting(name: str, help: str, *, variable: str | None = None, **how: Any) -> Decorator[Any]:
    """The option `--name`, which the variable `RIHLA_` and the name in capitals (or `variable`) sets as well.

    help: what it is, for people. how: further arguments of click.option.
    """
    return click.option(
        f"--{name}", envvar=variable or f"RIHLA_{name.upper().replace('-', '_')}", show_envvar=True, help=help, **how
    )


def _folder(ctx: click.Context, parameter: click.Parameter, value: Path) -> Path:
    if value.exists() and not value.is_dir():  # click itself refuses plain files, but not a device or a pipe
        raise click.BadParameter(f"{value} is no folder")
    return value


data = _setting(
    "data",
    "Folder of the embedded pipeline.",
    type=click.Path(file_okay=False, path_type=Path),
    callback=_folder,
    default=DEFAULT_DATA,
)
clickhouse = _setting(
    "clickhouse",
    "ClickHouse over HTTP: http://user:password@host:8123.",
    cls=Secret,
    metavar="URL",
    default="http://127.0.0.1:8123",
)
server = _setting(
    "clickhouse",
    "A server, instead of --data: http://user:password@host:8123.",
    cls=Secret,
    metavar="URL",
    default=None,
)
database = _setting("database", "Database in ClickHouse.", default="cx")
brokers = _setting("brokers", "Kafka brokers.", default="127.0.0.1:9092", metavar="HOST:PORT,...")
prefix = _setting("prefix", "First part of all topic and group names.", default="cx")
partitions = _setting(
    "partitions", "Partitions of topics that are missing and so are made.", default=4, type=click.IntRange(1)
)
replication = _setting(
    "replication", "Replicas of topics that are missing and so are made.", default=1, type=click.IntRange(1)
)
registry = _setting(
    "registry",
    "Schema registry (Confluent's HTTP API).",
    cls=Secret,
    metavar="URL",
    default=None,
    show_default="the files of schemas/",
)
wire = _setting(
    "wire",
    "Wire format of what is written; both are read.",
    default="single-object",
    type=click.Choice(["single-object", "confluent"]),
)
metrics_host = _setting("metrics-host", "Address of /metrics, /healthz, /readyz and /progress.", default="127.0.0.1")
metrics_port = _setting(
    "metrics-port",
    "Port of /metrics and its neighbours; 0 takes a free one and logs it.",
    default=9100,
    type=click.IntRange(0, 65535),
)


def _broker(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    if value not in ("tansu", "kafka") and not value.rpartition(":")[2].isdigit():
        raise click.BadParameter(f"{value!r} is neither tansu, kafka nor HOST:PORT")
    return value


embedded_broker = _setting(
    "broker",
    "tansu: in memory, needs nothing. kafka: a managed Apache Kafka that keeps its log in --data, needs Java "
    "and its jars (make kafka). Or one that runs already.",
    variable="RIHLA_EMBEDDED_BROKER",
    default="tansu",
    metavar="tansu|kafka|HOST:PORT",
    callback=_broker,
)
workers = _setting(
    "workers",
    "Processes of each of enrich, stitch and sink; the embedded broker's topics have as many partitions.",
    default=1,
    type=click.IntRange(1, 16),
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

adapter = _setting(
    "adapter",
    "Format of the files: jsonl, hotel-bookings, or one that an installed package adds.",
    metavar="NAME",
    default=None,
    show_default="jsonl",
)
mapping = _setting(
    "mapping",
    "What CSV, TSV, JSON, Parquet or Excel files mean; rihla map init FILE proposes one.",
    metavar="MAPPING.toml",
    default=None,
)
source = click.option(
    "--source",
    metavar="NAME",
    default=None,
    help="System whose events the JSON Lines are: event ids of any form then become UUIDs, of it and the id.",
)
