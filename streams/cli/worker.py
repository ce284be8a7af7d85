"""`rihla worker`: one production worker, until a signal stops it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options
from streams.topology import PROCESSES, SERVICES_BY_NAME, WORKERS_BY_NAME

if TYPE_CHECKING:
    from streams.settings import Settings


@click.command(
    epilog="Exit status: 0 after SIGTERM or SIGINT, once what was under way is durable and committed; else 1."
)
@click.argument("kind", type=click.Choice(list(PROCESSES)))
@options.kafka
@options.clickhouse
@options.database
@options.metrics_host
@options.metrics_port
def worker(kind: str, metrics_host: str, metrics_port: int, **settings: Any) -> int:
    """Run one worker of KIND until SIGTERM or SIGINT.

    Start as many of each kind as the load wants, up to the partitions of its input (identity: one, and a second as a
    stand-by). collect has no input but HTTP: any number, behind a load balancer (docs/collector.md). All other settings
    are RIHLA_* variables: docs/operations.md lists them.
    """
    # A worker is one process of several and its batches are small: with more threads, Polars spends as much CPU again
    # on distributing work to them. Polars reads it once, when it is imported.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    from streams import logs
    from streams.lean_imports import without_collecting
    from streams.settings import Settings

    logs.begin(kind)
    given = Settings.from_env(metrics_port=metrics_port, **settings)
    with without_collecting():
        run = _service(kind) if kind in SERVICES_BY_NAME else _stream_worker(kind)
    return run(given, metrics_host, metrics_port)


def _stream_worker(kind: str) -> Callable[[Settings, str, int], int]:
    """What runs a worker of this kind, with all that it needs imported."""
    import importlib

    from streams.worker.process import run

    importlib.import_module(WORKERS_BY_NAME[kind].module)
    return partial(run, kind)


def _service(name: str) -> Callable[[Settings, str, int], int]:
    """What runs a service. Raises RihlaError where its extra is not installed."""
    import importlib

    from streams.errors import RihlaError

    service = SERVICES_BY_NAME[name]
    try:
        run: Callable[[Settings, str, int], int] = importlib.import_module(service.module).run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("streams", "schemas", "sinks"):
            raise
        raise RihlaError(
            f"{name} needs {error.name}, which is not installed", f"pip install 'rihla[{service.extra}]'"
        ) from None
    return run
