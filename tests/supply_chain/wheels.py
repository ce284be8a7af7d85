"""`make wheels`: both wheels, each tried where nothing else is: in an empty environment, outside the repository.

    python -m tests.supply_chain.wheels --out dist

The pure one, for any machine, and the one with compiled modules, for this machine, are built with the tools that are
locked. Each is installed, with what requirements-run.lock pins, into an environment of its own in a temporary folder;
there `rihla run` works on events of `rihla simulate`, and `rihla verify` must find nothing. Takes minutes.

Exit status: 0 both work; 1 one does not, which is said.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "sinks", "streams")
MADE_FROM = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
CUSTOMERS = 200
KEPT = ("PATH", "HOME", "LANG", "CC", "TMPDIR")
"""What a command has of our environment, with what tells pip where packages are. No PYTHONPATH, no RIHLA_ variable."""
ABOUT = """
import json, sys, streams, streams.compiled as compiled
print(json.dumps({"where": streams.__path__[0], "compiled": len(compiled.modules())}))
"""


class WheelError(Exception):
    """What does not work; the message has what was printed."""


def tree(into: Path) -> Path:
    """The sources, without anything that is compiled."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, into / package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for file in MADE_FROM:
        shutil.copy(ROOT / file, into)
    return into


def build(folder: Path, out: Path, *, compiled: bool) -> Path:
    """Build a wheel of the sources in a folder; its path. Raises WheelError."""
    shutil.rmtree(folder / "build", ignore_errors=True)
    before = set(out.glob("*.whl"))
    said = {"RIHLA_COMPILE": "1" if compiled else "0"}
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(folder)], folder, **said)
    made = [wheel for wheel in out.glob("*.whl") if wheel not in before]
    if len(made) != 1:
        raise WheelError(f"{len(made)} wheels came of it: {', '.join(one.name for one in made)}")
    return made[0]


def named() -> list[str]:
    """The modules that are to be compiled, as pyproject.toml has them."""
    names: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["rihla"]["compiled"]
    return names


def libraries(wheel: Path) -> set[str]:
    """The modules of a wheel that are compiled, by the path of their source."""
    with zipfile.ZipFile(wheel) as opened:
        files = set(opened.namelist())
    return {
        source for source in named() if {source.removesuffix(".py") + suffix for suffix in EXTENSION_SUFFIXES} & files
    }


def try_out(wheel: Path, folder: Path, *, compiled: int) -> str:
    """Install a wheel into an environment of its own in an empty folder, and run it there; a sentence on what was seen.

    compiled: how many modules must run compiled. Raises WheelError.
    """
    run([sys.executable, "-m", "venv", "env"], folder)
    programs = folder / "env" / "bin"
    pip = [str(programs / "pip"), "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    run([*pip, "--requirement", str(ROOT / "requirements-run.lock")], folder)
    run([*pip, "--no-deps", str(wheel)], folder)
    about = run([str(programs / "python"), "-c", ABOUT], folder)
    if f'"compiled": {compiled}}}' not in about or str(folder) not in about:
        raise WheelError(f"{compiled} modules were to run compiled, from {folder}: {about}")
    rihla = str(programs / "rihla")
    customers = ["--customers", str(CUSTOMERS), "--seed", "1"]
    run([rihla, "simulate", *customers, "--out", "events.jsonl", "--truth", "truth.jsonl"], folder)
    ran = run([rihla, "run", "events.jsonl", "--data", "data"], folder)
    if "Every event is accounted for." not in ran:
        raise WheelError(f"rihla run does not say that all is accounted for:\n{ran}")
    verified = run([rihla, "verify", "--data", "data"], folder)
    rows = re.search(r"^interactions +([\d,]+) +0 *$", verified, re.MULTILINE)
    if "No differences." not in verified or rows is None:
        raise WheelError(f"rihla verify does not say that there are no differences:\n{verified}")
    return f"{wheel.name}: {compiled} modules compiled; rihla run, rihla verify: {rows[1]} events, no differences"


def run(command: Sequence[str], folder: Path, **variables: str) -> str:
    """Run a command in a folder, with little of our environment; what it printed. Raises WheelError."""
    kept = {name: text for name, text in os.environ.items() if name in KEPT or name.startswith("PIP_")}
    done = subprocess.run(
        command,
        cwd=folder,
        env=kept | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WheelError(f"status {done.returncode} of {' '.join(command)}:\n{done.stdout[-4000:]}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.supply_chain.wheels")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the wheels; older ones in it go")
    out: Path = parser.parse_args(arguments).out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("rihla-*.whl"):
        old.unlink()
    try:
        with tempfile.TemporaryDirectory(prefix="rihla-wheels-") as scratch:
            sources = Path(scratch, "tree")
            sources.mkdir()
            tree(sources)
            for compiled in (False, True):
                wheel = build(sources, out, compiled=compiled)
                found, wanted = libraries(wheel), set(named()) if compiled else set()
                if found != wanted:
                    raise WheelError(f"{wheel.name} lacks the compiled form of {', '.join(sorted(wanted - found))}")
                with tempfile.TemporaryDirectory(prefix="rihla-installed-") as empty:
                    print(try_out(wheel, Path(empty), compiled=len(wanted)), flush=True)
    except WheelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
