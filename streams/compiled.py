"""Which modules run compiled (setup.py), and which of their sources have changed since.

Python loads a compiled module without comparing it with its source. So every entry point asks here:
`rihla` refuses to run in a checkout that has changed, tests refuse too, `make run` throws away what is out of date.

    python -m streams.compiled           says what runs compiled; deletes all of it where a source has changed since
    python -m streams.compiled --check   fails unless every module that pyproject.toml names is compiled and up to date
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from streams.errors import RihlaError

PACKAGES = ("streams", "schemas", "sinks")
_IMPORTS = re.compile(rf"^from ((?:{'|'.join(PACKAGES)})[\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)


class StaleError(RihlaError):
    """Sources have changed since they were compiled: the code that runs is not the code that is written."""


def modules(root: Path | None = None) -> list[Path]:
    """The source files of which this Python imports the compiled form instead.

    root: the folder that the packages are in; by default that of this installation.
    """
    root = root or _root()
    return sorted(source for package in PACKAGES for source in (root / package).rglob("*.py") if _library(source))


def stale(root: Path | None = None) -> list[Path]:
    """The sources that are newer than a compiled form that was made of them.

    That is a module's own source, and that of each module that it imports a name from: the compiler takes over the
    values of constants.
    """
    root = root or _root()
    changed: set[Path] = set()
    for source in modules(root):
        if library := _library(source):
            made = library.stat().st_mtime
            changed.update(each for each in (source, *_imported(root, source)) if each.stat().st_mtime > made)
    return sorted(changed)


def refuse_stale() -> None:
    """Raise StaleError in a checkout whose sources have been changed since they were compiled."""
    root = _root()
    if (root / "pyproject.toml").exists() and (changed := stale(root)):
        names = ", ".join(str(source.relative_to(root)) for source in changed)
        raise StaleError(
            f"changed since modules were compiled: {names}",
            "make compile (minutes), or python -m streams.compiled, which deletes the compiled form",
        )


def delete(root: Path | None = None) -> None:
    """Delete all compiled forms. All: they are one library, in which they call each other directly."""
    root = root or _root()
    for package in PACKAGES:
        for suffix in EXTENSION_SUFFIXES:
            for library in (root / package).rglob(f"*{suffix}"):
                library.unlink()


def missing(root: Path | None = None) -> list[Path]:
    """The modules that pyproject.toml names and of which there is no compiled form."""
    root = root or _root()
    named = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["rihla"]["compiled"]
    return [root / name for name in named if not _library(root / name)]


def main(arguments: list[str]) -> int:
    """See the module; the exit status."""
    changed = stale()
    if arguments == ["--check"]:
        return int(bool(changed or missing()))
    if changed:
        delete()
        names = ", ".join(source.name for source in changed)
        print(f"Changed since modules were compiled: {names}. The compiled form is deleted: all works, at more CPU an")
        print("event; `make compile` makes it anew.")
    else:
        count = len(modules())
        print(f"{count} modules run compiled." if count else "Nothing is compiled: all works, at more CPU an event.")
    return 0


def _root() -> Path:
    return Path(__file__).parents[1]


def _imported(root: Path, source: Path) -> Iterator[Path]:
    """The sources in our packages from which a module imports something by name."""
    for package, names in _IMPORTS.findall(source.read_text("utf-8")):
        folder = root.joinpath(*package.split("."))
        if (module := folder.with_suffix(".py")).exists():
            yield module
            continue
        for name in re.findall(r"\w+", names):
            if (module := folder / f"{name}.py").exists():
                yield module


def _library(source: Path) -> Path | None:
    """What Python imports in place of a source file: the first of the suffixes that it looks for."""
    return next((found for suffix in EXTENSION_SUFFIXES if (found := source.with_suffix(suffix)).exists()), None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
