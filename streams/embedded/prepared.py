"""A worker that starts before what it works with: `python -m streams.embedded.prepared streams.cli worker KIND ...`.

It imports what the worker needs, some 0.9 s of CPU, while broker, engine and tables come into being. Then it reads, as
one line of JSON on standard input, the environment variables that are known only now (addresses, the epoch, keys), and
becomes `python -m streams.cli worker KIND ...`. Where standard input ends without a line, its parent has given up, and
it ends.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import sys
from collections.abc import Mapping, Sequence

from streams.lean_imports import leave_out_pandas, without_collecting
from streams.topology import WORKERS_BY_NAME

PROGRAM = "streams.cli"


def prepared(kind: str, *options: str) -> list[str]:
    """The command line of a worker, or of a service, that waits for its environment on standard input."""
    return [sys.executable, "-m", __name__, PROGRAM, "worker", kind, *options]


def as_line(environment: Mapping[str, str]) -> bytes:
    """What is written to the standard input of such a process."""
    return json.dumps(dict(environment)).encode() + b"\n"


def _import_for(kind: str) -> None:
    """Import what a worker of this kind needs; a service has its imports checked by the command, so not here.

    Whatever fails here fails again in the command, which says it in its way.
    """
    if kind not in WORKERS_BY_NAME:
        return
    # As in streams.cli.main and its command `worker`, which say why: before the first import.
    os.environ["RUST_BACKTRACE"] = "0"
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    leave_out_pandas()
    with without_collecting(), contextlib.suppress(Exception):
        for name in ("uvloop", "streams.cli.worker", "streams.worker.process", WORKERS_BY_NAME[kind].module):
            importlib.import_module(name)


def _main(arguments: Sequence[str]) -> None:
    program, _, kind = arguments[:3]
    _import_for(kind)
    line = sys.stdin.buffer.readline()
    if not line:
        sys.exit(1)
    os.environ.update(json.loads(line))
    sys.argv = list(arguments)
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
