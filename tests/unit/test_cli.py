"""The command line's frame: help without imports, one-line errors, exit statuses."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from streams.cli import main
from streams.errors import RihlaError


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `rihla score` raise this error."""

    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setattr(main.LazyGroup, "get_command", lambda self, ctx, name: _with_debug(command))


def _with_debug(command: click.Command) -> click.Command:
    if not any(parameter.name == "debug" for parameter in command.params):
        command.params.append(main._debug_option())
    return command


def test_help_lists_every_command_and_imports_none_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys; from streams.cli import main; main.main(['--help']); print(sorted(m for m in sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in main.COMMANDS:
        assert f"  {name} " in out
    for heavy in ("polars", "faust", "aiokafka", "clickhouse_connect", "numpy", "rich", "streams.cli.run"):
        assert f"'{heavy}'" not in out


@pytest.mark.parametrize("name", list(main.COMMANDS))
def test_every_command_has_help_for_every_flag(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: rihla {name}")
    context = click.Context(main.cli)
    command = main.cli.get_command(context, name)  # type: ignore[attr-defined]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert "debug" in [option.name for option in options]
    assert [option.name for option in options if not option.help] == []


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("rihla ")


def test_an_unknown_command_is_a_usage_error_that_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["travel"]) == 2
    err = capsys.readouterr().err
    assert "No such command 'travel'" in err
    assert "simulate" in err


def test_an_unknown_flag_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["worker", "--nonsense"]) == 2
    assert "No such option" in capsys.readouterr().err


def test_a_mistake_is_one_line_and_a_hint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failing(monkeypatch, RihlaError("no such data folder", "make one with rihla up"))
    assert main.main(["score"]) == 1
    assert capsys.readouterr().err == "rihla: no such data folder\n  make one with rihla up\n"


def test_debug_shows_the_traceback_of_a_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, RihlaError("no such data folder"))
    assert main.main(["score", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert main.main(["--debug", "score"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failing(monkeypatch, KeyError("surprise"))
    assert main.main(["score"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_errors_of_other_modules_are_known_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from streams.settings import SettingsError

    failing(monkeypatch, SettingsError("brokers is empty"))
    assert main.main(["score"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("rihla: brokers is empty\n")
    assert "Traceback" not in err


def test_the_names_of_expected_errors_exist() -> None:
    import importlib

    for name in main.EXPECTED:
        module, _, attribute = name.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), attribute), Exception), name


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    assert main.main(["score"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
