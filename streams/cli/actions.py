"""`rihla actions`: the register of what was done, and what it changed."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options

if TYPE_CHECKING:
    from streams.model.forms import DoneForm


@click.command(
    epilog="Exit status: 0; 1 if the model cannot be used, or ClickHouse does not answer; 2 for wrong usage."
)
@options.data
@options.server
@options.database
@click.option(
    "--model",
    "folder",
    envvar="RIHLA_MODEL",
    show_envvar=True,
    type=click.Path(file_okay=False),
    help="Folder of the model, whose register.toml says what was done.",
)
@click.option("--keep/--show", default=True, help="Whether to store it, for the desk and the view action_effects.")
def actions(data: Path, clickhouse: str | None, database: str, folder: str | None, keep: bool) -> None:
    """Say what each action of the register (register.toml) changed: a difference in differences against other units.

    The interval of 95 % has the unit as its cluster. Beside it: how many of the other units changed at least as much
    (p), and how often the same, computed at earlier dates at which nothing was done, rightly said nothing.
    docs/why.md.

    \b
      rihla actions --model ./model
    """
    from sinks.clickhouse.stored import last_event_at
    from streams.cli.query import _client
    from streams.embedded.clickhouse.access import OWNER
    from streams.model import company
    from streams.trends import store

    register = company.load(folder).register
    if not register:
        click.echo("the register is empty: register.toml of the model says what was done (docs/why.md)")
        return
    with _client(data, clickhouse, OWNER.name, database) as client:
        known_until = (last_event_at(client) + timedelta(days=1)).date()
        for done in register:
            for metric in done.metrics or store.METRICS:
                _measure(client, done, metric, known_until, keep)


def _measure(client: Any, done: DoneForm, metric: str, known_until: date, keep: bool) -> None:
    from streams.trends import store
    from streams.trends.effects import EARLIER, TooFewError, effect

    days = min(done.days, (known_until - done.on).days)
    head = f"{done.name}, {done.on}, {metric}"
    if days < 1:
        click.echo(f"{head}: nothing is known yet of the days from then on")
        return
    since, until = done.on - timedelta(days=days * (EARLIER + 1)), done.on + timedelta(days=days)
    found, acted = store.split(store.cells(client, metric, since, until), done)
    try:
        one = effect(found, acted, done.on, days)
    except TooFewError as error:
        click.echo(f"{head}: {error}")
        return
    if keep:
        store.save_effect(client, done, metric, days, one)
    figures = f"{one.verdict}, {one.effect:+.2f} ({one.low:+.2f} to {one.high:+.2f}) in {days} days"
    there = f"{one.n_before:,} answers before and {one.n_after:,} from then on at {one.units} units"
    others = f"{one.n_comparable:,} at {one.comparable} others, p {one.p:.2f}"
    click.echo(f"{head}: {figures}; {there}, {others}; back-test: {one.covered} of {one.placebos} dates say nothing")
