"""The output of a run for people: progress while it goes on (stderr), a summary at its end (stdout)."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from streams.embedded import run

REFRESH_SECONDS = 0.25
LINE_SECONDS = 10.0
"""Seconds between lines of progress where there is no terminal."""


@contextmanager
def live(progress: run.Progress) -> Iterator[Callable[[str], None]]:
    """Show a run's progress while the block runs; gives a function that says a sentence above it."""
    console = Console(stderr=True, highlight=False)
    end = threading.Event()
    show = _bars if console.is_terminal else _lines
    thread = threading.Thread(target=show, args=(console, progress, end), name="progress", daemon=True)
    thread.start()
    try:
        yield lambda sentence: console.print(sentence, soft_wrap=True, markup=False)
    finally:
        end.set()
        thread.join()


def _workers(progress: run.Progress) -> dict[str, tuple[int, int]]:
    """Worker: records done and known, over all its topics."""
    totals: dict[str, tuple[int, int]] = {}
    for lag in progress.lags:
        done, known = totals.get(lag.worker, (0, 0))
        totals[lag.worker] = (done + lag.done, known + lag.known)
    return totals


def _bars(console: Console, progress: run.Progress, end: threading.Event) -> None:
    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        fed = bars.add_task("starting", total=None, figures="")
        tasks: dict[str, TaskID] = {}
        while not end.wait(REFRESH_SECONDS):
            bars.update(fed, description=progress.stage, figures=f"{progress.fed:,} read")
            for worker, (done, known) in _workers(progress).items():
                if worker not in tasks:
                    tasks[worker] = bars.add_task(worker, figures="")
                bars.update(tasks[worker], completed=done, total=known, figures=f"{done:,} of {known:,}")


def _lines(console: Console, progress: run.Progress, end: threading.Event) -> None:
    while not end.wait(LINE_SECONDS):
        figures = [f"{worker} {done:,} of {known:,}" for worker, (done, known) in _workers(progress).items()]
        console.print("; ".join([f"{progress.stage}: {progress.fed:,} read", *figures]), soft_wrap=True)


def show_summary(summary: run.Summary, data: Path, console: Console | None = None) -> None:
    """Print what a run did, and what to try next."""
    console = console or Console(highlight=False)
    account, rate = summary.account, summary.account.events / max(summary.seconds, 1e-9)
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    table.add_row("lines read", f"{summary.records:,}", "")
    table.add_row("events stored", f"{account.stored:,}", "new in the tables")
    table.add_row("duplicates", f"{account.duplicates:,}", "stored before, counted, not stored again")
    table.add_row("dead letters", f"{sum(summary.dead_letters.values()):,}", _counted(summary.dead_letters))
    if account.erased:
        table.add_row("erased", f"{account.erased:,}", "about people who were erased: refused, kept nowhere")
    if account.lost:
        table.add_row("[bold red]lost", f"[bold red]{account.lost:,}", "[bold red]events that are in no table")
    for name, count, meant in summary.unknown.lines():
        about = f"{name}: the catalogue does not know it" + (f"; did you mean {meant}?" if meant else "")
        table.add_row("unknown", f"{count:,}", Text(about))
    for name, count in summary.unread.most_common():
        table.add_row("not read", f"{count:,}", Text(f"values of {name}: they are attributes of their events"))
    table.add_row()
    table.add_row("customers", f"{summary.customers:,}", "in the tables now")
    table.add_row("journeys", f"{sum(summary.journeys.values()):,}", _counted(summary.journeys))
    table.add_row()
    about = f"{summary.joining_seconds:.1f} s until workers had joined, {summary.total_seconds:.1f} s all in all"
    table.add_row("time", f"{summary.seconds:.1f} s", about)
    table.add_row("rate", f"{rate:,.0f}", "events a second, from file to table")
    if summary.peak_memory:
        table.add_row("memory", f"{summary.peak_memory / 2**30:.2f} GiB", "all processes together, at the peak")
    if summary.restored:
        table.add_row("restored", f"{summary.restored:,}", "events that state was rebuilt from at the start")
    for worker, times in summary.restarts.items():
        table.add_row("restarted", f"{times:,}", f"{worker}, which died: see {data / 'logs'}")
    console.print(table)
    console.print()
    console.print(_verdict(summary))
    for sentence in summary.broken:
        console.print(Text(sentence, "bold red"), soft_wrap=True)
    console.print()
    for line in _next_steps(summary, data):
        console.print(Text(line), soft_wrap=True)


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in numbers.items())


def _verdict(summary: run.Summary) -> str:
    if summary.account.duplicates < 0:
        return "[bold red]The figures do not add up: more was stored than was fed. Did somebody else write, too?"
    if not summary.complete:
        return "[bold red]Not every event is accounted for. Run the same files again: nothing is stored twice."
    refused = sum(summary.dead_letters.values())
    if refused:
        return f"[yellow]Every event is accounted for; {refused:,} of them could not be used: they are dead letters."
    return "[green]Every event is accounted for."


def _next_steps(summary: run.Summary, data: Path) -> Iterator[str]:
    query = f"{_program()} query --data {data}"
    if summary.dead_letters:
        yield f"{query} dead_letters"
    yield f"{query} nps"
    yield f'{query} "SELECT status, count() FROM journeys GROUP BY status"'
    yield f"{query} --list"


def _program() -> str:
    """How to call this program from here: by its name if the shell finds it, else by its path."""
    name = Path(sys.argv[0]).name
    return "rihla" if shutil.which("rihla") or name != "rihla" else sys.argv[0]
