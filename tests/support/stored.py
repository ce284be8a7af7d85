"""What a data folder holds: asked over HTTP where a pipeline runs on it, else by a process that opens it once.

`python -m tests.support.stored DATA` is that process, as chDB opens one folder a process. Statements are a JSON list on
its standard input; the answers go to its standard output as Arrow streams, each behind its length (8 bytes).
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import polars as pl

from sinks.clickhouse.client import connect
from streams.embedded.clickhouse.access import DATABASE, READER
from streams.embedded.datadir import DataDirectory
from streams.embedded.reach import database_url
from tests.support.waiting import HUNG

LENGTH = 8


def answers(data: Path, *statements: str) -> list[pl.DataFrame]:
    """What each statement gives."""
    if DataDirectory(data).owner() is not None:
        found = _ask(data, statements)
    else:
        command = [sys.executable, "-m", __name__, str(data)]
        asked = json.dumps(statements).encode()
        done = subprocess.run(command, input=asked, capture_output=True, timeout=HUNG, check=False)
        assert done.returncode == 0, done.stderr.decode()[-4000:]
        found, rest = [], done.stdout
        while rest:
            end = LENGTH + int.from_bytes(rest[:LENGTH], "big")
            found.append(rest[LENGTH:end])
            rest = rest[end:]
    return [pl.read_ipc_stream(answer) for answer in found]


def _ask(data: Path, statements: tuple[str, ...]) -> list[bytes]:
    with database_url(DataDirectory(data), "query", READER) as url, closing(connect(url, DATABASE)) as client:
        return [client.raw_query(sql, fmt="ArrowStream") for sql in statements]


if __name__ == "__main__":
    for answer in _ask(Path(sys.argv[1]), tuple(json.load(sys.stdin))):
        sys.stdout.buffer.write(len(answer).to_bytes(LENGTH, "big") + answer)
