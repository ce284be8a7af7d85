"""`rihla worker`: one production worker, until it is told to stop."""

from __future__ import annotations

import os
from typing import Any

import click

from streams.cli import options
from streams.topology import WORKERS_BY_NAME


@click.command(
    epilog="Exit status: 0 after SIGTERM or SIGINT, once what was under way is durable and committed; else 1."
)
@click.argument("kind", type=click.Choice(list(WORKERS_BY_NAME)))
@options.kafka
@options.clickhouse
@options.database
@options.metrics_host
@options.metrics_port
def worker(kind: str, metrics_host: str, metrics_port: int, **settings: Any) -> int:
    """Run one worker of KIND until SIGTERM or SIGINT.

    Start as many of each kind as the load wants, up to the partitions of its input (identity: one, and a second as a
    stand-by). All other settings are RIHLA_* variables: docs/operations.md lists them.
    """
    # A worker is one process of several and its batches are small: with more threads Polars spends as much CPU again on
    # handing work to them. Polars reads it once, when it is imported.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    from streams.settings import Settings
    from streams.worker.process import run

    return run(kind, Settings.from_env(metrics_port=metrics_port, **settings), metrics_host, metrics_port)
