"""Official clients of ClickHouse on simulated travellers, and a table of what each could do: `make clients`.

docs/clients.md has the table. Grafana's own types judge the dashboards besides. Needs Java and Maven, Go, Node.js and
npm; each that is missing is named, and fails the run. What is fetched stays in build/clients.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sinks.clickhouse.client import connect
from streams.embedded.clickhouse.access import DATABASE, OWNER, READER, Tokens
from streams.embedded.clickhouse.engine import Engine
from streams.embedded.clickhouse.http_interface import Served, serve
from tests.support.clickhouse import TOKENS, ClickHouse, url_as
from tests.support.loop_thread import LoopThread
from tests.support.simulated_world import World

HERE = Path(__file__).parent
BUILD = Path("build/clients").resolve()
JDBC = ("0.11.1", "0.9.0")
DBT = Path("deploy/dbt").resolve()
SCHEMA, DASHBOARDS = Path("tests/dashboards/schema").resolve(), Path("deploy/grafana/dashboards").resolve()
VENV = BUILD / "venv"
PYTHON = ("dbt-core<1.11", "dbt-clickhouse==1.10.3", "sqlalchemy>=2", "clickhouse-connect")
"""Clients in Python that might not agree with our own pins; dbt-core 1.11 and later fetches a part outside PyPI."""


def commands(served: Served) -> dict[str, tuple[list[list[str]], list[str]]]:
    """Client: what fetches and builds it, and what runs it, but for user, token and database."""
    host = served.url.removeprefix("http://")
    found: dict[str, tuple[list[list[str]], list[str]]] = {}
    for version in JDBC:
        jars = BUILD / f"jdbc-{version}"
        copy = ["mvn", "-B", "-q", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", f"-Djdbc={version}"]
        run = ["java", "-cp", f"{jars}/*", str(HERE / "Probe.java"), f"jdbc:clickhouse:{served.url}/"]
        found[f"clickhouse-jdbc {version}"] = ([[*copy, f"-DoutputDirectory={jars}"]], run)
    probe = str(BUILD / "probe")
    found["clickhouse-go"] = ([["go", "-C", str(HERE), "build", "-o", probe, "probe.go"]], [probe, host])
    found["@clickhouse/client"] = (
        [
            ["cp", str(HERE / "package.json"), str(HERE / "probe.mjs"), str(BUILD)],
            ["npm", "install", "--prefix", str(BUILD)],
        ],
        ["node", str(BUILD / "probe.mjs"), served.url],
    )
    installs = [[sys.executable, "-m", "venv", str(VENV)], [str(VENV / "bin/pip"), "install", "-q", *PYTHON]]
    run = [str(VENV / "bin/python"), str(HERE / "probe_sqlalchemy.py"), served.url]
    found["SQLAlchemy"] = (installs, run)
    return found


def dbt(served: Served, verbose: bool) -> int:
    """Build the marts of deploy/dbt twice (once more over what is there), as the owner. Returns what failed."""
    folders = {"DBT_TARGET_PATH": str(BUILD / "dbt"), "DBT_LOG_PATH": str(BUILD / "dbt"), "DO_NOT_TRACK": "1"}
    where = {"DBT_RIHLA_PORT": str(served.port), "DBT_RIHLA_PASSWORD": TOKENS[OWNER.name]}
    wrong = 0
    for command in ("build", "build", "docs generate"):
        told = [str(VENV / "bin/dbt"), "--no-use-colors", *command.split(), "--project-dir", str(DBT)]
        told += ["--profiles-dir", str(DBT)]
        done = subprocess.run(told, capture_output=True, text=True, env={**os.environ, **folders, **where})
        last = next((line for line in done.stdout.splitlines()[::-1] if "Done." in line or "Catalog" in line), "")
        print(f"dbt {command:28} {'ok' if done.returncode == 0 else 'wrong'}  {last[10:]}", flush=True)
        if done.returncode or verbose:
            print(done.stdout[-3000:] + done.stderr[-500:])
        wrong += done.returncode != 0
    return wrong


def dashboards() -> int:
    """Hold the dashboards to Grafana's own types. Returns what is wrong."""
    check = BUILD / "dashboards"
    if not built("Grafana's types", ["go", "-C", str(SCHEMA), "build", "-o", str(check), "."]):
        return 1
    done = subprocess.run([check, *sorted(DASHBOARDS.glob("*.json"))], capture_output=True, text=True)
    print(
        f"{'Grafana types of dashboards':32} {done.stdout.count('ok '):4} ok {done.stdout.count('wrong '):4} wrong",
        flush=True,
    )
    if done.returncode:
        print(done.stdout + done.stderr[-500:])
    return done.returncode


def main() -> int:
    """Run every client as a reader and as the owner. Returns 1 where anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients")
    parser.add_argument("--verbose", action="store_true", help="show every call, not only those that failed")
    verbose = parser.parse_args().verbose
    BUILD.mkdir(parents=True, exist_ok=True)
    failed = 0
    with tempfile.TemporaryDirectory() as folder, Engine(folder) as engine:
        thread = LoopThread()
        tokens = Tokens({name: TOKENS[name] for name in (READER.name, OWNER.name)})
        served = thread.run(serve(engine, tokens))
        try:
            url = url_as(OWNER, served.url)
            engine.query(f"CREATE DATABASE {DATABASE}")
            World(ClickHouse(served.url, url, DATABASE, engine, connect(url, DATABASE)).migrated())  # fills it
            for client, (builds, run) in commands(served).items():
                failed += not all(built(client, command) for command in builds)
                for user in (READER.name, OWNER.name):
                    failed += probe(f"{client} as {user}", [*run, user, TOKENS[user], DATABASE], verbose)
            failed += dbt(served, verbose) + dashboards()
        finally:
            thread.run(served.close())
            thread.close()
    return int(failed > 0)


def built(client: str, command: list[str]) -> bool:
    """Whether a client could be fetched and built."""
    if shutil.which(command[0]) is None:
        print(f"{client}: {command[0]} is missing on this machine")
        return False
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"{client}: cannot be built: {(done.stdout + done.stderr)[-500:]}")
    return done.returncode == 0


def probe(name: str, command: list[str], verbose: bool) -> int:
    """Run a client, and print its calls. Returns how many went wrong."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TZ": "UTC"})
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "wrong "))]
    wrong = [line for line in lines if line.startswith("wrong ")]
    print(f"{name:32} {len(lines) - len(wrong):4} ok {len(wrong):4} wrong", flush=True)
    for line in lines if verbose else wrong:
        print(f"    {line}")
    if not lines:
        print(f"    {done.stderr[-500:]}")
    return len(wrong) or int(not lines)


if __name__ == "__main__":
    sys.exit(main())
