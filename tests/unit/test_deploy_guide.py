"""docs/deploying-a-worker.md says of every setting what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from streams.settings import BY_FILE, Settings

GUIDE = (Path(__file__).parents[2] / "docs/deploying-a-worker.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `RIHLA_(\w+)` \| `?([^|`]+?)`? \|", GUIDE, flags=re.M))
OPTIONS = {"metrics_port"}
# Options of `rihla worker` rather than of the pipeline: the command has the defaults.
OF_THE_COMMAND = {"METRICS_HOST": "127.0.0.1", "METRICS_PORT": "9100"}


def test_every_setting_is_listed_once() -> None:
    listed = re.findall(r"^\| `RIHLA_(\w+)` \|", GUIDE, flags=re.M)
    assert sorted(listed) == sorted({name.upper() for name in Settings.__dataclass_fields__} | OF_THE_COMMAND.keys())


def test_defaults_are_the_defaults() -> None:
    documented = {name: default for name, default in ROWS.items() if name not in OF_THE_COMMAND and default != "none"}
    from_guide = Settings.from_env({f"RIHLA_{name}": default for name, default in documented.items()})
    assert from_guide == Settings()
    nameless = {name.lower() for name, default in ROWS.items() if default == "none"}
    assert nameless == {"compression"} | {field.name for field in fields(Settings) if field.default is None} - OPTIONS
    assert (Settings().registry, Settings().compression) == (None, "none")


def test_the_page_on_security_names_settings() -> None:
    page = (Path(__file__).parents[2] / "docs/security.md").read_text(encoding="utf-8")
    known = {f"RIHLA_{name.upper()}" for name in Settings.__dataclass_fields__} | {"RIHLA_ERASURE_KEY"}
    known |= {f"RIHLA_{name.upper()}_FILE" for name in BY_FILE}
    assert set(re.findall(r"RIHLA_[A-Z_]*[A-Z]", page)) <= known


def test_defaults_of_the_command() -> None:
    from streams.cli import worker

    options = {option.name: option for option in worker.worker.params}
    for name, default in OF_THE_COMMAND.items():
        assert ROWS[name] == default == str(options[name.lower()].default)
        assert options[name.lower()].envvar == f"RIHLA_{name}"
