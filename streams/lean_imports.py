"""Cheaper imports: without pandas, and without the cycle collector.

pyarrow and clickhouse-connect import pandas where it is installed, for no use of ours. It is installed beside the
embedded engine, whose wheel requires it. pyarrow imports it at the first value that it is to convert, to see whether
that is a pandas object: 1.1 s of CPU and 60 MB in each process. The image of deploy/ has none.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

LEFT_OUT = "pandas"


class _Refusal(Loader):
    """Fails as an import of a package that is not installed does."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        raise ModuleNotFoundError(f"{spec.name} is left out (streams.lean_imports)", name=spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Never reached: no module is made."""


class _Finder(MetaPathFinder):
    """Finds the package, as `importlib.util.find_spec` must not raise (Polars asks it), and then refuses to load it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, _Refusal()) if fullname == LEFT_OUT else None


def leave_out_pandas() -> None:
    """From now on `import pandas` raises ModuleNotFoundError here; nothing changes where it has been imported."""
    if LEFT_OUT not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


@contextmanager
def without_collecting() -> Iterator[None]:
    """For the imports of a whole program: the objects that they make all stay.

    The collector would walk through all of them again and again, in vain: 0.15 s of CPU of a worker's 1.0 s of imports.
    It is on again at the end, and what was made before is left out of its walks.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
