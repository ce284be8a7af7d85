"""`rihla acls`: the rights in Kafka that each worker and command needs, as commands that grant them."""

from __future__ import annotations

from typing import Any

import click

from streams.cli import options


@click.command()
@click.argument("who", nargs=-1)
@click.option("--principal-prefix", default="User:rihla-", help="Each is PREFIX and its name: User:rihla-enrich.")
@click.option("--principal", default=None, metavar="NAME", help="One for all instead: User:rihla, or User:CN=rihla.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["kafka-acls", "json", "strimzi"]),
    default="kafka-acls",
    help="Command lines of kafka-acls.sh, one JSON object a right, or KafkaUsers for Strimzi.",
)
@click.option("--create/--no-create", default=True, help="Without: all topics and changelogs are made by others.")
@options.brokers
@options.prefix
def acls(
    who: tuple[str, ...],
    principal_prefix: str,
    principal: str | None,
    output_format: str,
    create: bool,
    **settings: Any,
) -> None:
    """Print the rights that WHO needs: workers, commands that speak to Kafka; all workers and `produce` by default.
    `rihla feed TOPIC` is feed:TOPIC.

    \b
      rihla acls                                     then run what it prints, as the cluster's administrator
      rihla acls enrich --principal User:CN=enrich   for mutual TLS
      rihla acls --format strimzi | kubectl apply -f -
    """
    from streams.kafka.acls import ACCESS, FEED, PIPELINE, as_commands, as_json, as_strimzi, is_known
    from streams.kafka.acls import acls as rights_of
    from streams.settings import Settings
    from streams.topology import WORKERS_BY_NAME

    unknown = [name for name in who if not is_known(name)]
    if unknown:
        known = ", ".join((*ACCESS, PIPELINE, f"{FEED}TOPIC"))
        raise click.BadParameter(f"{unknown[0]!r} is none of {known}", param_hint="WHO")
    chosen = Settings.from_env({}, **settings)
    for name in who or (*WORKERS_BY_NAME, "produce"):
        rights = rights_of(chosen, name, create=create)
        user = principal or f"{principal_prefix}{name.partition(':')[0]}"
        if output_format == "json":
            click.echo(as_json(rights, user))
        elif output_format == "strimzi":
            click.echo("---\n" + as_strimzi(rights, user.removeprefix("User:")))
        else:
            click.echo(f"# {name}")
            click.echo("\n".join(as_commands(rights, user, chosen.brokers)))
