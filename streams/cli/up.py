"""`rihla up`: the embedded pipeline as a service."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli import options

if TYPE_CHECKING:
    from streams.embedded.pipeline import Pipeline


@click.command(epilog="Exit status: 0 after SIGTERM or an interrupt (Ctrl-C); 1 on an error.")
@options.data
@options.embedded_broker
@options.workers
@click.option(
    "--http-port",
    envvar="RIHLA_HTTP_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    default=None,
    show_default="8123 if free, else any",
    help="Port of ClickHouse's HTTP interface; 0 takes any free one.",
)
@click.option(
    "--broker-port",
    envvar="RIHLA_BROKER_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    default=None,
    show_default="9092 if free, else any",
    help="Port of the broker that is started; 0 takes any free one.",
)
@click.option(
    "--collect-port",
    envvar="RIHLA_COLLECT_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    default=None,
    show_default="8080 if free, else any",
    help="Port of the collector, which takes events over HTTP; 0 takes any free one.",
)
@click.option(
    "--serve-port",
    envvar="RIHLA_SERVE_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    default=None,
    show_default="8360 if free, else any",
    help="Port of Customer 360, which says what is known of a customer; 0 takes any free one.",
)
@click.option(
    "--without",
    type=click.Choice(["collect", "serve"]),
    multiple=True,
    help="Do not start collect (events over HTTP) or serve (Customer 360), some 100 MB each; repeatable.",
)
def up(
    data: Path,
    broker: str,
    workers: int,
    http_port: int | None,
    broker_port: int | None,
    collect_port: int | None,
    serve_port: int | None,
    without: tuple[str, ...],
) -> int:
    """Run the embedded pipeline until interrupted: send it events, ask its tables.

    Everything listens on 127.0.0.1 only. Workers that die are started again. With the default broker, which keeps
    nothing on disk, what it has taken and not yet stored is lost if the machine stops; --broker kafka keeps it. With a
    file of routes (RIHLA_ROUTES) people are told of alerts, too.

    \b
      rihla up                                   then, in another terminal:
      rihla produce events.jsonl --data rihla-data
      rihla query nps
    """
    import importlib.util

    from streams.lean_imports import without_collecting

    with without_collecting():
        import uvloop

        from streams.embedded.plan import Plan
        from streams.embedded.up import serve
        from streams.settings import ENVIRONMENT_PREFIX
        from streams.topology import WORKERS

    routed = bool(os.environ.get(f"{ENVIRONMENT_PREFIX}ROUTES"))
    collects = all(importlib.util.find_spec(name) for name in ("starlette", "uvicorn", "phonenumbers"))
    plan = Plan(
        data=data,
        broker=broker,
        workers=workers,
        http_port=http_port,
        broker_port=broker_port,
        kinds=tuple(one.name for one in WORKERS if not one.optional or (one.name == "deliver" and routed)),
        collects=collects and "collect" not in without,
        collect_port=collect_port,
        serves=importlib.util.find_spec("lmdb") is not None and "serve" not in without,
        serve_port=serve_port,
    )
    click.echo(f"starting on {data} ...", err=True)
    uvloop.run(
        serve(plan, lambda text: click.echo(text, err=True), lambda pipeline: click.echo(addresses(pipeline, without)))
    )
    return 0


def addresses(pipeline: Pipeline, without: Sequence[str] = ()) -> str:
    """Where everything answers, for people, and the token with which to ask. without: services not to speak of."""
    from streams.embedded.clickhouse.access import OWNER, READER
    from streams.embedded.keys import read_token

    lines = [
        f"broker      {pipeline.settings.brokers}" + ("  (no transactions)" if pipeline.settings.embedded else ""),
        f"ClickHouse  {pipeline.url}",
        *(f"metrics     {url}/metrics  ({kind})" for kind, urls in pipeline.addresses().items() for url in urls),
        "",
        *([] if "collect" in without else _collector(pipeline)),
        *([] if "serve" in without else _server(pipeline)),
        f"send events   rihla produce FILE --data {pipeline.directory.path}",
        f"ask           rihla query nps --data {pipeline.directory.path}",
        f"              curl -u reader:$(cat {pipeline.directory.keys / READER.name}) "
        f"'{pipeline.url}/?database={pipeline.settings.database}' "
        "-d 'SELECT status, count() FROM journeys GROUP BY status'",
        f"reader        {read_token(pipeline.directory.keys / READER.name)}  (user and token of clients that ask)",
        f"owner         {pipeline.directory.keys / OWNER.name}  (file with the token of the user who writes)",
        "stop          Ctrl-C",
    ]
    return "\n".join(lines)


def _collector(pipeline: Pipeline) -> list[str]:
    """Where events are taken over HTTP, and how."""
    if pipeline.collector is None:
        return ["collector     needs its extra: pip install 'rihla[collect]'"]
    token = "RIHLA_COLLECT_TOKEN" if pipeline.collect_token is None else str(pipeline.collect_token)
    shown = "$RIHLA_COLLECT_TOKEN" if pipeline.collect_token is None else f"$(cat {token})"
    return [
        f"collector     {pipeline.collector}/v1/events  (token: {token})",
        f"              curl -H \"Authorization: Bearer {shown}\" -H 'Content-Type: application/x-ndjson' "
        f"--data-binary @events.jsonl {pipeline.collector}/v1/events",
    ]


def _server(pipeline: Pipeline) -> list[str]:
    """Where customers are looked up over HTTP, and how."""
    if pipeline.server is None:
        return ["customer 360  needs its extra: pip install 'rihla[serve]'"]
    from streams.embedded.keys import read_token

    token = f"$(cat {pipeline.serve_token})" if pipeline.serve_token else "one of RIHLA_SERVE_TOKENS"
    # Behind the `#`, a browser sends the token to nobody but the page itself, which takes it out of the address.
    entry = f"#token={read_token(pipeline.serve_token)}" if pipeline.serve_token else ""
    return [
        f"the desk      {pipeline.server}/desk{entry}",
        f"customer 360  {pipeline.server}/v1/customers/IDENTIFIER",
        f'              curl -H "Authorization: Bearer {token}" {pipeline.server}/v1/alerts',
    ]
