"""Which modules run compiled (setup.py), and which of these have been changed since."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

PACKAGES = ("streams", "schemas", "sinks")


def modules(root: Path | None = None) -> list[Path]:
    """The source files of which this Python imports the compiled form instead.

    root: the folder that the packages are in; by default that of this installation.
    """
    root = root or Path(__file__).parents[1]
    return sorted(source for package in PACKAGES for source in (root / package).rglob("*.py") if _library(source))


def stale(root: Path | None = None) -> list[Path]:
    """Those of `modules` that are newer than their compiled form, so that what runs is not what is written."""
    return [
        source
        for source in modules(root)
        if (library := _library(source)) and library.stat().st_mtime < source.stat().st_mtime
    ]


def _library(source: Path) -> Path | None:
    """What Python imports in place of a source file: the first of the suffixes that it looks for."""
    return next((found for suffix in EXTENSION_SUFFIXES if (found := source.with_suffix(suffix)).exists()), None)
