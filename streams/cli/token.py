"""`rihla token`: a token for Customer 360, and what the file of tokens says of it."""

from __future__ import annotations

import click

ROLES = ("agent", "manager", "operations", "analyst", "engineer")


@click.command(epilog="Exit status: 0.")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="agent", show_default=True, help="What the bearer may ask.")
@click.option("--unit", "units", multiple=True, help="A unit that the bearer works for; repeat it. None: all units.")
def token(name: str, role: str, units: tuple[str, ...]) -> int:
    """Make a token for NAME, who asks `rihla worker serve`.

    The entry for the file of RIHLA_SERVE_TOKENS goes to stdout, the token itself, once, to stderr: it is kept nowhere.

    \b
      rihla token "front desk Makkah" --role agent --unit "Makkah Towers" >> tokens.toml
    """
    from streams.serve.tokens import entry, new_token

    made = new_token()
    click.echo(f"token of {name}: {made}", err=True)
    click.echo(entry(name, role, made, units), nl=False)
    return 0
