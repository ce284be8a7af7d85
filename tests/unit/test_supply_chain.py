"""The wheel holds all that the tree holds; an audit that could ask nobody does not say that all is well."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from os import environ
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.supply_chain.audit import CLEAN, FOUND, NOT_AUDITED, audit, main, sentences
from tests.supply_chain.wheels import PACKAGES, build, libraries, tree

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = (
    "requirements.lock",
    "requirements-run.lock",
    "requirements-bench.lock",
    "requirements-supply.lock",
    "deploy/requirements.lock",
)
UV = "requirements-uv.lock"
"""Of what installs the others."""
SOUND = {"name": "a", "version": "1", "vulns": []}
WEAK = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (3)"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The tree without what is compiled, and the pure wheel that `python -m build` makes of it."""
    folder = tree(tmp_path_factory.mktemp("wheel"))
    out = folder / "dist"
    out.mkdir()
    made = build(folder, out, compiled=False)
    assert not libraries(made)
    return folder, made


def test_the_pure_wheel_holds_every_file_of_the_tree(wheel: tuple[Path, Path]) -> None:
    folder, made = wheel
    assert made.name == f"rihla-{PYPROJECT['project']['version']}-py3-none-any.whl"
    tree = {str(file.relative_to(folder)) for name in PACKAGES for file in (folder / name).rglob("*") if file.is_file()}
    assert {Path(file).suffix for file in tree} >= {
        ".py",
        ".avsc",
        ".sql",
        ".csv",
        ".toml",
        ".json",
        ".zdict",
        ".typed",
    }
    with zipfile.ZipFile(made) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
        assert any(name.endswith("licenses/LICENSE") for name in opened.namelist())
    assert held == tree


def test_it_runs_from_the_wheel_alone(wheel: tuple[Path, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel[1]) as opened:
        opened.extractall(tmp_path / "site")
    program = (
        "import sys, streams; from streams.cli.main import main; print(streams.__path__[0], file=sys.stderr)\n"
        "sys.exit(main(['simulate', '--customers', '2', '--seed', '1', '--out', 'events.jsonl']))"
    )
    env = {**environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site") in done.stderr
    assert (tmp_path / "events.jsonl").read_text("utf-8").count("\n") > 2


def report(*packages: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(packages), "fixes": []}


@pytest.mark.parametrize(
    ("answers", "status", "says"),
    [
        ({"pypi": report(SOUND)}, CLEAN, "1 packages looked up, 0 advisories"),
        ({"pypi": report(SOUND, WEAK)}, FOUND, "b 2 has PYSEC-1, fixed in 2.1"),
        ({"pypi": report(SOUND, UNKNOWN)}, NOT_AUDITED, "1 packages are in no database of advisories: c"),
        ({"pypi": report(UNKNOWN), "osv": None}, NOT_AUDITED, "NOT AUDITED: no database"),
        ({"pypi": report(UNKNOWN), "osv": report(WEAK)}, FOUND, "PYSEC-1"),
        ({"pypi": None, "osv": None}, NOT_AUDITED, "nothing is known"),
    ],
)
def test_an_audit_says_what_it_could_not_ask(answers: dict[str, Any], status: int, says: str) -> None:
    findings = audit(answers.__getitem__)
    assert findings.status == status
    assert says in "\n".join(sentences("x.lock", findings))


@pytest.mark.parametrize("body", ["exit 1", "echo 'Failed to resolve host' >&2; exit 1"])
def test_a_tool_that_reaches_nobody_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    tool = tmp_path / "pip-audit"
    tool.write_text(f"#!/bin/sh\n{body}\n")
    tool.chmod(0o755)
    assert main(["--tool", str(tool), "x.lock"]) == NOT_AUDITED
    assert "x.lock: NOT AUDITED" in capsys.readouterr().out


def test_the_tools_are_locked() -> None:
    lock = (ROOT / "requirements-supply.lock").read_text("utf-8")
    wanted = {Requirement(text).name for text in PYPROJECT["dependency-groups"]["supply"]}
    assert wanted <= set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))


def test_one_uv_is_locked() -> None:
    pinned = [re.findall(r"^uv==\S+", (ROOT / lock).read_text("utf-8"), re.MULTILINE) for lock in (LOCKS[0], UV)]
    assert pinned[0] == pinned[1] != []


def test_what_make_run_installs_is_part_of_what_is_tested() -> None:
    everything, run = (
        set(re.findall(r"^[a-z0-9-]+==\S+", (ROOT / lock).read_text("utf-8"), re.MULTILINE)) for lock in LOCKS[:2]
    )
    assert run < everything
    wanted = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["project"]["optional-dependencies"]["embedded"]]
    assert {Requirement(text).name for text in wanted} | {"setuptools"} <= {pin.partition("==")[0] for pin in run}


@pytest.mark.parametrize("lock", [*LOCKS, UV])
def test_every_pin_has_hashes(lock: str) -> None:
    entries = re.split(r"^(?=[a-z0-9])", (ROOT / lock).read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert len(entries) > 40 or (lock == UV and len(entries) == 1)
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert all(re.match(r"[a-z0-9-]+==\S+ ", entry) for entry in entries)
