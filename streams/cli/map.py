"""`rihla map`: propose a mapping for a file, and see what a mapping makes of one before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from streams.sources.mapping.check import Report

SOME_REFUSED = 3


@click.group(name="map")
def map_() -> None:
    """Say what CSV, TSV, JSON, Parquet or Excel files mean, in a mapping file (docs/ways-in.md).

    \b
      rihla map init reservations.csv --out mapping.toml
      rihla map check reservations.csv --mapping mapping.toml
      rihla run reservations.csv --mapping mapping.toml
    """


@map_.command(epilog="Exit status: 0; 1 on an error; 2 for wrong usage.")
@click.argument("file", metavar="FILE")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write, instead of the screen.")
@click.option(
    "--source", default=None, help="Name of the system; part of every event's id.", show_default="FILE's name"
)
def init(file: str, out: Path | None, source: str | None) -> None:
    """Propose a mapping from the first thousand rows of FILE, to be read and mended.

    What cannot be guessed is a comment that says so. --out never writes over a file.
    """
    from streams.errors import RihlaError
    from streams.sources.files import require_file
    from streams.sources.mapping.propose import propose

    require_file(file)
    if out is not None and out.exists():
        raise RihlaError(f"{out} is there already, and init writes over nothing")
    text = propose(file, source or Path(file).name.partition(".")[0] or "source")
    if out is None:
        click.echo(text, nl=False)
        return
    with out.open("x", encoding="utf-8") as written:
        written.write(text)
    click.echo(f"{out}: read it, mend it, then: rihla map check {file} --mapping {out}")


@map_.command(
    epilog="Exit status: 0 if every row becomes an event, or meets no condition; 3 if some would be dead letters, or "
    "would not be stored because another event has their id; 1 on an error; 2 for wrong usage."
)
@click.argument("file", metavar="FILE")
@click.option(
    "--mapping", required=True, envvar="RIHLA_MAPPING", show_envvar=True, metavar="MAPPING.toml", help="Mapping."
)
def check(file: str, mapping: str) -> int:
    """Read all of FILE and say what --mapping makes of it. Nothing is sent, nothing is written."""
    from streams.enrich.judge import Judge
    from streams.model import company
    from streams.settings import Settings
    from streams.sources.files import require_file
    from streams.sources.mapping.check import check_file
    from streams.sources.mapping.model import load

    require_file(file)
    settings = Settings.from_env()
    judge = Judge(company.load(settings.model).nobody(settings.nobody_values))
    report = check_file(file, load(mapping), judge=judge)
    for line in lines_of(report):
        click.echo(line)
    if report.broken:
        click.echo(report.broken, err=True)
        return 1
    return SOME_REFUSED if report.letters or report.ids.other else 0


@map_.command()
def schema() -> None:
    """Print the JSON Schema of mappings, for an editor that completes and checks while you type."""
    from importlib.resources import files

    click.echo(files("streams.sources.mapping").joinpath("mapping.schema.json").read_text("utf-8"), nl=False)


def lines_of(report: Report) -> Iterator[str]:
    """What `rihla map check` prints."""
    events = sum(report.events.values())
    yield f"{report.rows:>10,} rows make {events:,} events; {report.letters:,} of the rows would be dead letters"
    if report.silent:
        yield f"{report.silent:>10,} rows meet the condition of no event"
    if report.events:
        yield from ("", "Events")
        for (channel, name), count in sorted(report.events.items()):
            yield f"{count:>10,} {name}" + ("" if name.startswith(f"{channel}.") else f" (channel {channel})")
    if report.unknown.counts:
        yield from (
            "",
            "Touchpoints that the catalogue does not know (they are stored, and mean nothing to the figures)",
        )
        for name, count, meant in report.unknown.lines(most=50):
            yield f"{count:>10,} {name}" + (f": did you mean {meant}?" if meant else "")
    if report.refused:
        yield from ("", "Dead letters, by column")
        for (label, reason), refused in sorted(report.refused.items(), key=lambda item: -item[1].count):
            yield f"{refused.count:>10,} {label} ({reason})"
            yield from (f"{'':>11}line {line}: {detail}" for line, detail in refused.examples)
    if report.kept:
        yield from ("", "Optional cells that could not be read; the events stay, the cells are attributes of them")
        for label, count in report.kept.most_common():
            line, cell = report.kept_examples[label]
            yield f"{count:>10,} {label}; the first is line {line}" + (f": {cell}" if cell else "")
    if report.identifiers:
        yield from ("", "Identifiers")
        yield from (
            f"{count:>10,} of {events:,} events have {kind}" for kind, count in report.identifiers.most_common()
        )
    for one in report.suspects:
        yield f"  looks wrong: {one.events:,} of the {one.of:,} events with {one.kind} have the same one, {one.value!r}"
    about = "about " if report.ids.estimated else ""
    if report.ids.again:
        yield f"{about}{report.ids.again:,} events are the same as one before them, and are stored once"
    if report.ids.example is not None:
        first, other, name = report.ids.example
        yield (
            f"  looks wrong: {about}{report.ids.other:,} events differ from the first with their id, one of each is "
            f"stored: {name} of line {first} and of line {other}. Does the key, with the event's name, tell them apart?"
        )
    if report.unused:
        yield from ("", f"Columns that the mapping does not name: {', '.join(report.unused)}")
