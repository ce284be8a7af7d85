"""`rihla report`: a management report of a period, as HTML or PDF."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from streams.cli import options


@click.command(
    epilog="Exit status: 0; 1 if ClickHouse does not answer, the period cannot be read or nothing can print; 2 for "
    "wrong usage."
)
@options.data
@options.server
@options.database
@click.option(
    "--period", required=True, metavar="P", help="2026, 2026-Q1, 2026-03 or 2026-03-01/2026-03-31 (days UTC)."
)
@click.option("--unit", default="", show_default="all units", help="Of this unit alone, as by=unit has it.")
@click.option(
    "--language", type=click.Choice(["en", "ar"]), default="en", help="Of the report; Arabic is right to left."
)
@click.option(
    "--evidence",
    is_flag=True,
    help="Instead, the evidence of the unit's halal readiness at the end of the period, to print: needs with "
    "intervals, what guests said, times of prayer.",
)
@click.option(
    "--quotes/--no-quotes", default=True, show_default=True, help="With --evidence: what guests said, or not."
)
@click.option(
    "--out",
    "outputs",
    multiple=True,
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where it goes: .html, or .pdf (which needs Chromium); may be repeated.",
)
def report(
    data: Path,
    clickhouse: str | None,
    database: str,
    period: str,
    unit: str,
    language: str,
    evidence: bool,
    quotes: bool,
    outputs: tuple[Path, ...],
) -> None:
    """Write what changed in a period and why, ten journeys most worth a call, and what was done and what it did.

    Each figure is compared with the period before; only what is larger than its margin is called a change. The page is
    whole: it asks for nothing when it is opened.

    \b
      rihla report --period 2026-Q1 --out report.html --out report.pdf
      rihla report --period 2026-03 --unit MAKKAH-01 --language ar --out makkah.pdf
      rihla report --period 2026-03 --unit MAKKAH-01 --evidence --out halal.pdf
    """
    from streams.cli.query import _client
    from streams.report.asking import asking
    from streams.report.content import content
    from streams.report.evidence import evidence as asked_for
    from streams.report.evidence import pack
    from streams.report.page import page
    from streams.report.pdf import printed
    from streams.report.period import periods

    if wrong := [path for path in outputs if path.suffix not in (".html", ".pdf")]:
        raise click.UsageError(f"{wrong[0]} is neither .html nor .pdf")
    if evidence and not unit:
        raise click.UsageError("--evidence is of one unit: name it with --unit")
    span, before = periods(period)
    now = datetime.now(UTC)
    with _client(data, clickhouse, "reader", database) as client:
        if evidence:
            text = pack(asked_for(asking(client), unit, span.until, quotes), language, now)
        else:
            text = page(content(asking(client), span, before, unit), language, now)
    for path in outputs:
        path.write_bytes(printed(text) if path.suffix == ".pdf" else text.encode())
        click.echo(f"{path}: {path.stat().st_size:,} bytes")
