"""`rihla up` as people use it: a service on a folder, asked and fed by other commands, its workers killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.embedded.datadir import DataDirectory, Owner
from streams.embedded.memory import tree_memory
from streams.sources.simulate import Options, write
from streams.topology import DEAD_LETTERS, SERVICES_BY_NAME, WORKERS_BY_NAME
from tests.integration.test_run import rihla, rows
from tests.support.brokers import wait_until
from tests.support.waiting import HUNG, PATIENCE


@contextmanager
def up(data: Path, *options: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """`rihla up` on a folder, from the moment when it says that it is ready.

    options: of the command, besides. variables: of its environment, besides.
    """
    with (data.parent / "up.out").open("a+") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "streams.cli",
                "up",
                "--data",
                str(data),
                "--http-port",
                "0",
                "--broker-port",
                "0",
                "--collect-port",
                "0",
                "--serve-port",
                "0",
                *options,
            ],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith("stop "):
                    break
            else:
                raise AssertionError(f"up ended with {process.wait()}: {(data.parent / 'up.out').read_text()}")
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


WITHOUT_EDGES = ("--without", "collect", "--without", "serve")
"""Options for a test that is not about what they do: each is a process that takes seconds to start."""


def owner_of(data: Path) -> Owner:
    owner = DataDirectory(data).owner()
    assert owner is not None
    return owner


def asked(url: str) -> Any:
    """The JSON that a page answers."""
    with urllib.request.urlopen(url, timeout=HUNG) as answer:
        return json.load(answer)


def collected(data: Path, file: Path) -> int:
    """Send a file to the collector; how many events it says that it took."""
    port = owner_of(data).settings["RIHLA_COLLECT_PORT"]
    token = (data / "keys" / "collect").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/events", file.read_bytes(), headers)
    with urllib.request.urlopen(request, timeout=HUNG) as answer:
        assert answer.status == 202
        return int(json.load(answer)["accepted"])


def children(process: subprocess.Popen[str]) -> dict[str, int]:
    """Command line: process id, of every process under this one."""
    found = (name.split(" ", 1) for name in tree_memory(process.pid))
    return {command: int(pid) for pid, command in found if int(pid) != process.pid}


def sums(data: Path) -> tuple[int, int, int]:
    """Interactions, those that journeys count, and those that customers count."""
    found = rows(
        data,
        "SELECT (SELECT count() FROM interactions) AS i, (SELECT sum(interactions) FROM journeys) AS j, "
        "(SELECT sum(interactions) FROM customers) AS c",
    )[0]
    return found["i"], found["j"], found["c"]


def test_a_service_is_fed_asked_and_restarted_and_stays_exact(tmp_path: Path) -> None:
    file, data = tmp_path / "events.jsonl", tmp_path / "data"
    summary = write(Options(customers=150, seed=21), file)
    events: int = summary["interactions"]
    with up(data) as process:
        owner = owner_of(data)
        assert (owner.pid, owner.command) == (process.pid, "up")
        second = rihla("up", "--data", str(data))
        assert second.returncode == 1
        assert f"is in use by `rihla up` (process {process.pid})" in second.stderr
        assert rihla("doctor", "--data", str(data)).returncode == 0
        produced = rihla("produce", str(file), "--data", str(data))
        assert produced.returncode == 0, produced.stderr
        assert f"{summary['events']:,} lines acknowledged" in produced.stdout
        wait_until(lambda: sums(data) == (events,) * 3, PATIENCE, "all events in the tables")
        for name, url in owner.workers.items():
            assert asked(f"{url}/readyz")["ok"], name
            declared = {**WORKERS_BY_NAME, **SERVICES_BY_NAME}[name.partition("-")[0]]
            # collect follows the invitations behind its pages, which are right without: nobody waits for that.
            topics = {f"cx.{topic}" for topic in (declared.reads if name != "collect" else ())}
            progress = asked(f"{url}/progress")
            assert progress["inputs"].keys() == topics, "drain waits for other topics than are read"
            written = {f"cx.{topic}" for topic in (*declared.writes, DEAD_LETTERS)}
            assert progress["outputs"].keys() <= written
        body = b"SELECT count() FROM interactions"
        token = (data / "keys" / "reader").read_text().strip()
        as_reader = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": token}
        asking = urllib.request.Request(f"{owner.clickhouse}/?database=cx", body, as_reader)
        with urllib.request.urlopen(asking, timeout=HUNG) as answer:
            assert int(answer.read()) == events
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{owner.clickhouse}/?database=cx", body, timeout=HUNG)
        assert_private(data, process)

        for command, pid in children(process).items():
            if "worker stitch" in command or "worker enrich" in command:
                os.kill(pid, signal.SIGKILL)
        more = write(Options(customers=80, seed=22), tmp_path / "more.jsonl")
        assert collected(data, tmp_path / "more.jsonl") == more["events"]
        events += more["interactions"]
        wait_until(lambda: sums(data) == (events,) * 3, PATIENCE, "all events in the tables after a kill")
        wait_until(lambda: set(owner_of(data).workers.values()) != set(owner.workers.values()), PATIENCE)

        process.send_signal(signal.SIGTERM)
        assert process.wait(HUNG) == 0
    assert "was ended by SIGKILL; starting it again" in (tmp_path / "up.out").read_text()
    assert DataDirectory(data).owner() is None
    assert sums(data) == (events,) * 3

    with up(data, *WITHOUT_EDGES):  # the embedded broker has forgotten everything: state comes back from the tables
        assert sums(data) == (events,) * 3
        assert rihla("produce", str(file), "--data", str(data)).returncode == 0
        assert rihla("produce", str(tmp_path / "more.jsonl"), "--data", str(data)).returncode == 0
        again = summary["events"] + more["events"]
        wait_until(lambda: counted(owner_of(data)) >= again + events, PATIENCE, "all read again")
        assert sums(data) == (events,) * 3


def assert_private(data: Path, process: subprocess.Popen[str]) -> None:
    """The folder is its owner's alone, no token is in a command line, environment or log; to write, one says so."""
    assert data.stat().st_mode & 0o777 == 0o700
    secrets = [(data / "keys" / user).read_bytes().strip() for user in ("reader", "owner", "collect")]
    told = [path.read_bytes() for path in (data / "owner", *(data / "logs").iterdir())]
    for pid in (process.pid, *children(process).values()):
        told += [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    assert not [text for text in told if any(secret in text for secret in secrets)]
    refused = rihla("query", "--data", str(data), "DROP TABLE journeys_store")
    assert refused.returncode == 1
    assert "--user owner" in refused.stderr
    made = rihla("query", "--data", str(data), "--user", "owner", "CREATE TABLE mine (a UInt8) ENGINE = Memory")
    assert made.returncode == 0, made.stderr


def counted(owner: Owner) -> float:
    """Interactions that the stitch worker has read."""
    with urllib.request.urlopen(f"{owner.workers['stitch-1']}/metrics", timeout=HUNG) as answer:
        lines: list[str] = answer.read().decode().splitlines()
    name = 'rihla_records_read_total{topic="cx.interactions",worker="stitch"}'
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_nothing_is_left_of_a_service_that_was_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data) as process:
        pids = list(children(process).values())
        assert len(pids) >= 5
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not any(alive(pid) for pid in pids), PATIENCE, "the children's end")
    assert DataDirectory(data).owner() is None
    assert rows(data, "SELECT count() AS n FROM interactions") == [{"n": 0}]


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done: Any = rihla("up", "--data", str(tmp_path / "data"), "--http-port", str(port))
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "Traceback" not in done.stderr
