"""A worker that is started before its environment is known: it imports first, then becomes the command."""

from __future__ import annotations

import subprocess
import sys

from streams.embedded.prepared import as_line, prepared
from streams.topology import WORKERS_BY_NAME


def test_it_becomes_the_command() -> None:
    """With the environment that it reads: a broker that does not answer ends it, with the sentence of the command."""
    command = prepared("enrich", "--metrics-port", "0")
    told = as_line({"RIHLA_BROKERS": "127.0.0.1:1"})
    ended = subprocess.run(command, input=told, capture_output=True, check=False)
    assert ended.returncode == 1
    assert b"nothing listens at 127.0.0.1:1" in ended.stderr


def test_it_ends_where_its_parent_has_given_up() -> None:
    ended = subprocess.run(prepared("collect"), input=b"", capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_its_command_line_names_the_worker() -> None:
    """As people look for it with `ps`."""
    for kind in WORKERS_BY_NAME:
        assert " ".join(prepared(kind)[1:]) == f"-m streams.embedded.prepared streams.cli worker {kind}"
    assert prepared("enrich")[0] == sys.executable
