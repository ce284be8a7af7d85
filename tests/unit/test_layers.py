"""`make lint` catches an import that breaks a contract of pyproject.toml: shown on empty packages of those names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
CONTRACTS: list[dict[str, Any]] = tomllib.loads(PYPROJECT.read_text("utf-8"))["tool"]["importlinter"]["contracts"]
VIOLATIONS = {
    "layers": ("streams.kafka", "streams.embedded"),
    "independence": ("streams.enrich", "streams.stitch"),
    "forbidden": ("streams.model", "aiokafka"),
}
"""Type of a contract: a package, and what it must not import."""


def _lint(folder: Path) -> tuple[int, str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", str(PYPROJECT)]
    environ = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "300", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def _packages(folder: Path) -> None:
    """Empty packages of all names in the contracts."""
    names = {name for one in CONTRACTS for key in ("modules", "source_modules") for name in one.get(key, ())}
    names |= {name for one in CONTRACTS for layer in one.get("layers", ()) for name in re.split(r" [|:] ", layer)}
    for name in names | {"streams", "schemas", "sinks"}:
        package = folder.joinpath(*name.split("."))
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()


def test_a_violation_of_each_contract_is_caught(tmp_path: Path) -> None:
    _packages(tmp_path)
    status, said = _lint(tmp_path)
    assert (status, f"{len(CONTRACTS)} kept, 0 broken" in said) == (0, True), said
    assert {contract["type"] for contract in CONTRACTS} == {*VIOLATIONS}
    for package, imported in VIOLATIONS.values():
        tmp_path.joinpath(*package.split("."), "violation.py").write_text(f"import {imported}\n")
    status, said = _lint(tmp_path)
    assert (status, f"0 kept, {len(CONTRACTS)} broken" in said) == (1, True), said
    for package, imported in VIOLATIONS.values():
        assert f"{package} is not allowed to import {imported}" in said, said
