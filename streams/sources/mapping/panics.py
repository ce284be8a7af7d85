"""Polars panics on some files that are damaged: Rust then prints a trace, which is no message for people."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_stderr_lock: Final = threading.Lock()
_PANIC: Final = b"\nthread '"


@contextmanager
def silent_panics() -> Iterator[None]:
    """Keep the traces that Rust prints of panics off standard error; what others write there meanwhile comes after.

    Standard error belongs to the whole process: threads take turns in here. Without one there is nothing to do.
    """
    with _stderr_lock, tempfile.TemporaryFile() as caught:
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
            real = os.dup(2)
        except (OSError, ValueError):
            yield
            return
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            caught.seek(0)
            # a trace runs from its first line to the end: what was written before it is somebody else's
            kept = caught.read().partition(_PANIC)[0]
            if kept:
                os.write(real, kept)
            os.close(real)
