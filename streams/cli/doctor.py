"""`rihla doctor`: is everything that Rihla needs there, and as it should be?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options

if TYPE_CHECKING:
    from streams.doctor import Finding

_MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "problem": ("problem", "red")}


@click.command(epilog="Exit status: 0 without problems, 1 with some, 2 for wrong usage.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    envvar="RIHLA_DATA",
    help="Look at the pipeline that runs on this folder, if one does, instead of --brokers and --clickhouse.",
)
@options.kafka
@options.clickhouse
@options.database
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    help="For people, or one JSON object a finding and line: verdict, about, detail, remedy.",
)
def doctor(data: Path | None, form: str, **settings: Any) -> int:
    """Check every connection and setting, and say what to do about each problem.

    Connections that nobody has set (by flag or RIHLA_* variable) are tried at their defaults; that nothing answers
    there is then a note and not a problem. Nothing is changed: no topic is made, no schema registered.
    """
    import asyncio
    from dataclasses import replace

    from click.core import ParameterSource

    from streams.cli.produce import pipeline_settings
    from streams.doctor import checks, unusable
    from streams.embedded.clickhouse.access import OWNER
    from streams.embedded.datadir import DataDirectory
    from streams.embedded.reach import database_url
    from streams.settings import Settings, SettingsError

    source = click.get_current_context().get_parameter_source
    given = {name for name in settings if source(name) not in (ParameterSource.DEFAULT, None)}
    try:
        if data is not None and DataDirectory(data).owner() is not None:
            with database_url(DataDirectory(data), "doctor", OWNER) as url:
                chosen, given = replace(pipeline_settings(data), clickhouse=url), set(settings)
        else:
            chosen = Settings.from_env(**settings)
            if data is not None:
                click.echo(f"no pipeline runs on {data}: looking without it", err=form == "json")
        found = asyncio.run(checks(chosen, frozenset(given), folder=data))
    except SettingsError as error:
        found = unusable(error)
    for finding in found:
        (_print_json if form == "json" else _print)(finding)
    problems = sum(finding.verdict == "problem" for finding in found)
    if form == "table":
        click.echo("no problems" if not problems else f"{problems} problem{'s' if problems > 1 else ''}")
    return 1 if problems else 0


def _print(finding: Finding) -> None:
    mark, colour = _MARKS[finding.verdict]
    click.echo(f"{click.style(f'{mark:<8}', fg=colour)} {finding.about}: {finding.detail}")
    if finding.remedy:
        click.echo(f"{'':8}   {finding.remedy}")


def _print_json(finding: Finding) -> None:
    import json
    from dataclasses import asdict

    click.echo(json.dumps(asdict(finding), ensure_ascii=False))
