"""`rihla whatif`: what another model would make of the same events."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from streams.cli import options


@click.command(
    epilog="Exit status: 0; 1 if a model cannot be used, or ClickHouse does not answer; 2 for wrong usage. "
    "Everything is held in memory at once."
)
@click.option(
    "--model",
    "folder",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the other model.",
)
@options.data
@options.server
@options.database
@click.option(
    "--since", type=click.DateTime(), help="First day, UTC, of alerts and answers that count; all by default."
)
@click.option("--limit", default=20, type=click.IntRange(1), show_default=True, help="Most rows of each difference.")
def whatif(folder: Path, data: Path, clickhouse: str | None, database: str, since: datetime | None, limit: int) -> None:
    """Fold the stored interactions again under another model, and show what would differ. Nothing is written.

    Compared with the model that RIHLA_MODEL names: journeys by status, and by what holds now; customers by profile;
    whose identifiers are; alerts a day by rule and unit; who would have been reached, and how much earlier; NPS by
    unit. Alerts about a drop of sentiment are left out.

    \b
      rihla model init ./model        # then change it
      rihla whatif --model ./model --since 2026-01-01
    """
    import polars as pl

    from streams.cli.query import _client
    from streams.clock import now_ms
    from streams.embedded.clickhouse.access import OWNER
    from streams.model import company
    from streams.settings import Settings
    from streams.verify import store
    from streams.verify import whatif as folding

    settings = Settings.from_env()
    one = company.load(settings.model, settings.alert_rules)
    other = company.load(str(folder))
    first = None if since is None else int(since.replace(tzinfo=UTC).timestamp() * 1000)
    with _client(data, clickhouse, OWNER.name, database) as client:
        store.check(client, database)
        log = store.log(client, folding.columns(one, other))
        levels = store.of_units(client, "unit_levels")
    found = folding.differences(log, one, other, now_ms(), first, levels)
    click.echo(f"{log.height:,} interactions under {one.hash} ({one.name}) and under {other.hash} ({other.name})")
    with pl.Config(tbl_rows=limit, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_width_chars=120):
        for difference in found:
            rows = difference.rows
            click.echo(f"\n{difference.title}" + ("" if rows.height else ": no difference"))
            if rows.height:
                click.echo(
                    str(rows.head(limit)) + (f"\nand {rows.height - limit:,} more" if rows.height > limit else "")
                )
