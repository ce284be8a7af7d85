"""Compiles the modules where the workers spend their time with mypyc: the same Python, some of it as C.

`make compile`, for production, tests and figures; `make run` goes without. Which ones is said in pyproject.toml
([tool.rihla] compiled). Without a C compiler, without mypy, or with
RIHLA_COMPILE=0 they stay Python; everything works the same, at more CPU an event. All else is in pyproject.toml.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tomllib
from pathlib import Path

from setuptools import Extension, setup

GROUP = "streams.rihla"
"""Name of the one library that all compiled modules are in (`streams.rihla__mypyc`): calls among them are C calls."""


def extensions() -> list[Extension]:
    """What to compile: nothing where that cannot be done, which is said."""
    if os.environ.get("RIHLA_COMPILE") == "0":
        return []
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if not shutil.which(compiler):
        return _none(f"there is no C compiler ({compiler})")
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        return _none("Python's headers are not installed (Debian: python3-dev)")
    try:
        from mypyc.build import mypycify
    except ImportError:
        return _none("mypy is not installed")
    modules = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["rihla"]["compiled"]
    print(f"rihla: compiling {len(modules)} modules", file=sys.stderr, flush=True)
    return mypycify(["--no-error-summary", *modules], group_name=GROUP, opt_level="2", debug_level="0")


def _none(why: str) -> list[Extension]:
    print(f"rihla: nothing is compiled, as {why}; it all works, at some more CPU an event", file=sys.stderr)
    return []


setup(ext_modules=extensions())
