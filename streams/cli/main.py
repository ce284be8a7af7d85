"""`rihla`: one command for each thing that runs, imported only when called, so that help costs no start-up time."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Any

import click

from schemas.masking import hidden, mask_handlers
from streams import compiled, logs
from streams.errors import RihlaError
from streams.lean_imports import leave_out_pandas

# name: where the command is, what it does. In the order in which somebody meets them.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("streams.cli.run:run", "Run the whole pipeline, embedded, over files of events."),
    "up": ("streams.cli.up:up", "Run the embedded pipeline as a service until interrupted."),
    "query": ("streams.cli.query:query", "Ask ClickHouse: any SQL, or a named query."),
    "export": ("streams.cli.export:export", "Tables as partitioned Parquet files, days that changed alone."),
    "report": ("streams.cli.report:report", "Write a management report of a period: HTML or PDF."),
    "targets": ("streams.cli.targets:targets", "Whether what the model wants of scores is met."),
    "drivers": ("streams.cli.drivers:drivers", "What NPS and CSAT go with: aspects, waits, units."),
    "actions": ("streams.cli.actions:actions", "What was done, and what it changed."),
    "anomalies": ("streams.cli.anomalies:anomalies", "Which days of which units are out of the ordinary."),
    "radar": ("streams.cli.radar:radar", "Which guide, bus or tent of a group is to blame."),
    "churn": ("streams.cli.churn:churn", "Who will not come back: fit, back-test, store the risks."),
    "calls": ("streams.cli.calls:calls", "Whom to call today, when not everybody can be."),
    "uplift": ("streams.cli.uplift:uplift", "What calls have changed, and what to propose no longer."),
    "simulate": ("streams.cli.simulate:simulate", "Make synthetic events, with the truth beside them."),
    "produce": ("streams.cli.produce:produce", "Send files of events to Kafka."),
    "feed": ("streams.cli.feed:feed", "Read a topic of another system, by a mapping."),
    "units": ("streams.cli.units:units", "Say what the company's units are: places, brands, clocks."),
    "rates": ("streams.cli.rates:rates", "Say what currencies are worth in each other, by day."),
    "model": ("streams.cli.model:model", "What the company's events mean: make a model, check it."),
    "whatif": ("streams.cli.whatif:whatif", "What another model would make of the same events."),
    "guests": ("streams.cli.guests:guests", "What guests are told: approve drafts, tell of what was mended."),
    "drift": ("streams.cli.drift:drift", "Whether a system holds what our state says of segments."),
    "map": ("streams.cli.map:map_", "Say what a file means: propose a mapping, check it."),
    "score": ("streams.cli.score:score", "Score texts: JSON lines in, JSON lines out."),
    "themes": ("streams.cli.themes:themes", "What people newly speak of, unit by unit, in their own words."),
    "replay": ("streams.cli.replay:replay", "Send dead letters, or dead deliveries, again."),
    "verify": ("streams.cli.verify:verify", "Recompute all tables from the log, and compare."),
    "forget": ("streams.cli.forget:forget", "Erase a person from state, topics and tables."),
    "restore": ("streams.cli.restore:restore", "Send what ClickHouse has stored to the topics again."),
    "restate": ("streams.cli.restate:restate", "Store anew, in today's spelling, what a folder has stored."),
    "rebuild": ("streams.cli.rebuild:rebuild", "Restate history by a changed model."),
    "repartition": ("streams.cli.repartition:repartition", "Move topics and state to N partitions."),
    "doctor": ("streams.cli.doctor:doctor", "Check every connection and setting."),
    "acls": ("streams.cli.acls:acls", "Print the rights in Kafka that workers and commands need."),
    "migrate": ("streams.cli.migrate:migrate", "Bring ClickHouse to this version's schema."),
    "token": ("streams.cli.token:token", "Make a token for somebody who looks customers up."),
    "worker": ("streams.cli.worker:worker", "Run one production worker."),
}


# Exceptions of libraries that the caller can mend, by name (importing them costs start-up time), and what to do about
# it.
EXPECTED: dict[str, str | None] = {
    "streams.settings.SettingsError": "settings are flags, or RIHLA_* variables: rihla worker --help lists them",
    "streams.sources.events.SourceError": None,
    "streams.embedded.clickhouse.engine.EngineBusyError": None,
    "streams.embedded.clickhouse.engine.EngineError": None,
    "sinks.clickhouse.migrate.MigrationError": "use the version that made the tables, or another --data or --database",
    "sinks.clickhouse.errors.ClickHouseRefusedError": "rihla doctor checks every connection",
    "schemas.endpoint.EndpointError": None,
    "schemas.tls.TlsError": None,
    "schemas.registry.RegistryError": "rihla doctor checks every connection",
    "aiokafka.errors.KafkaError": "is the broker up? rihla doctor checks every connection",
    "clickhouse_connect.driver.exceptions.Error": "rihla doctor checks every connection",
}


log = logging.getLogger(__name__)

_COMPLETE = "_RIHLA_COMPLETE"
"""Variable by which a shell asks what may follow on its command line; the name is click's."""
PANIC = "PanicException"
"""Name of the exception that libraries written in Rust raise for an unexpected state. It is no subclass of
Exception.
"""
PANICKED = "is the file whole, and of the format that it is said to be? --debug shows where it stopped"


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        if not any(parameter.name == "debug" for parameter in command.params):
            command.params.append(_debug_option())
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            found = super().resolve_command(ctx, args)
        except click.UsageError as error:
            error.message += f" Commands: {', '.join(COMMANDS)}."
            raise
        if found[0] != "doctor":  # which tells of it among other things
            compiled.refuse_stale()
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


def _remember_debug(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_root().meta["rihla.debug"] = True


def _debug_option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        envvar="RIHLA_DEBUG",
        expose_value=False,
        callback=_remember_debug,
        help="Show the traceback of an error.",
    )


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rihla")
    except PackageNotFoundError:
        return "unknown (not installed)"


def _print_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"rihla {_version()}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 110},
    params=[
        _debug_option(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        ),
    ],
)
def cli() -> None:
    """Rihla: exact, live customer journeys and rolling sentiment for travel. Kafka in, ClickHouse out.

    Try: rihla simulate --out events.jsonl, then rihla run events.jsonl, then rihla query nps.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted; others see --help.

    What the caller can mend (RihlaError, OSError, wrong usage) is one line on stderr; anything else is a bug and keeps
    its traceback. With --debug (or RIHLA_DEBUG=1) every error shows its traceback.
    """
    if arguments is None and (asked := os.environ.get(_COMPLETE)):
        from click.shell_completion import shell_complete

        leave_out_pandas()
        return shell_complete(cli, {}, "rihla", _COMPLETE, asked)
    state: dict[str, Any] = {}
    os.environ["RUST_BACKTRACE"] = "0"  # a panic of Polars is caught; its stack takes a tenth of a second to write
    leave_out_pandas()
    if not logs.begin():
        _mask()
    _quieten()
    try:
        with cli.make_context("rihla", list(sys.argv[1:] if arguments is None else arguments)) as context:
            state = context.meta
            result = cli.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone (`| head`): there is nobody to report to
        return 1
    except BaseException as error:
        if type(error).__name__ == PANIC and not state.get("rihla.debug"):
            return _complain(
                RihlaError(f"a library stopped at what it was given: {str(error).splitlines()[0]}", PANICKED)
            )
        if not isinstance(error, Exception):
            raise
        if state.get("rihla.debug") or not _is_expected(error):
            if logs.in_json():
                log.critical("rihla stopped, by a defect or with --debug", exc_info=error)
            else:
                sys.stderr.write(hidden(traceback.format_exc()))
            return 1
        return _complain(error)
    return result if isinstance(result, int) else 0


def _quieten() -> None:
    """Clients report what they raise to their logs, too: one of both is enough. Workers set their own levels."""
    for name in ("aiokafka", "clickhouse_connect", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _mask() -> None:
    """Nothing that somebody else wrote leaves by standard error with a secret in it: logs, threads' tracebacks."""
    mask_handlers()

    def in_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_type is not SystemExit:
            lines = traceback.format_exception(failed.exc_type, failed.exc_value, failed.exc_traceback)
            sys.stderr.write(hidden("".join(lines)))

    threading.excepthook = in_thread


def _names(error: BaseException) -> list[str]:
    return [f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__]


def _is_expected(error: Exception) -> bool:
    """Whether the caller can mend it, as opposed to a bug of ours."""
    return isinstance(error, click.ClickException | RihlaError | OSError) or not EXPECTED.keys().isdisjoint(
        _names(error)
    )


def _complain(error: Exception) -> int:
    """The error on one line on stderr, and a hint where there is one (or both as JSON); returns the exit status."""
    if isinstance(error, click.ClickException):
        if logs.in_json():
            log.critical("rihla: %s", error.format_message())
        else:
            error.message = hidden(error.message)
            error.show()
        return error.exit_code
    hint = error.hint if isinstance(error, RihlaError) else None
    hint = hint or next((EXPECTED[name] for name in _names(error) if EXPECTED.get(name)), None)
    if logs.in_json():
        log.critical("rihla: %s%s", error, f" (what to do: {hint})" if hint else "")
    else:
        click.echo(f"rihla: {hidden(str(error))}", err=True)
        if hint:
            click.echo(f"  {hidden(hint)}", err=True)
    return error.exit_code if isinstance(error, RihlaError) else 1


if __name__ == "__main__":
    sys.exit(main())
